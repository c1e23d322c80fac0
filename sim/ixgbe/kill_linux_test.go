package ixgbe

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
	"glassnic/sim/wire"
)

const killDir = "GLASSNIC_SIM_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		serveLoop(dir)
	}
	os.Exit(m.Run())
}

func mapShared(path string, size int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// serveLoop is the card in a process of its own, with a wire that sends everything back.
func serveLoop(dir string) {
	regs, err := mapShared(filepath.Join(dir, "regs"), chip.BARSize)
	if err != nil {
		panic(err)
	}
	mem, err := mapShared(filepath.Join(dir, "dma"), flatSize)
	if err != nil {
		panic(err)
	}
	space := iommu.NewFlat(mem)
	space.OnFault(func(f iommu.Fault) { panic(f.String()) })
	card, err := New(Config{Memory: space, Wire: wire.NewLoop(), Regs: regs, Resume: true})
	if err != nil {
		panic(err)
	}
	parent := os.Getppid()
	for n := 0; ; n++ {
		if card.Poll(64) == 0 {
			time.Sleep(time.Microsecond) // leaves the processor to the driver where there is but one
		}
		if n%1024 == 0 && os.Getppid() != parent {
			os.Exit(0)
		}
	}
}

// The card's process is killed again and again in the middle of traffic; the driver must not notice
// more than lost frames.
func TestKilledAndRestarted(t *testing.T) {
	dir := t.TempDir()
	regs, err := mapShared(filepath.Join(dir, "regs"), chip.BARSize)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := mapShared(filepath.Join(dir, "dma"), flatSize)
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	spawn := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), killDir+"="+dir)
		c.Stderr = &errors
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	stop := func(c *exec.Cmd) {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	r := &rig{t: t, polled: true, flat: mem, next: iommu.Bottom, reg: mmio.MapPolled(regs), pause: 100 * time.Microsecond}
	c := spawn()
	defer func() { stop(c) }()
	deadline := time.Now().Add(time.Minute)
	for r.reg.Read32(chip.LINKS)&chip.LinksUP == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("no card: %s", errors.String())
		}
		time.Sleep(time.Millisecond)
	}
	r.start()
	rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
	seq, clean := 0, 0
	received := 0
	// traffic goes on until so many frames have arrived, or until stop is closed.
	traffic := func(frames int, stop <-chan struct{}) {
		t.Helper()
		for goal := received + frames; received < goal; {
			select {
			case <-stop:
				return
			default:
			}
			if time.Now().After(deadline) {
				t.Fatalf("stuck after %d frames: RDH %d RDT %d next %d, TDH %d TDT %d clean %d; %s", received,
					r.reg.Read32(chip.RDH(0)), r.reg.Read32(chip.RDT(0)), rx.next, r.reg.Read32(chip.TDH(0)),
					r.reg.Read32(chip.TDT(0)), clean, errors.String())
			}
			for (tx.tail+1)%64 != clean {
				tx.send(frame(60+seq%100, seq))
				seq++
			}
			tx.kick()
			for clean != tx.tail && tx.done(clean) {
				clean = (clean + 1) % 64
			}
			got := rx.take()
			if len(got) == 0 {
				time.Sleep(time.Microsecond)
			}
			for _, g := range got {
				n := int(binary.BigEndian.Uint32(g.data[14:]))
				if !bytes.Equal(g.data, frame(60+n%100, n)) {
					t.Fatalf("frame %d is damaged: %x", n, g.data)
				}
				received++
			}
		}
	}
	rnd := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range 10 {
		traffic(500, nil)
		killed := make(chan struct{})
		time.AfterFunc(time.Duration(rnd.IntN(5000))*time.Microsecond, func() {
			_ = c.Process.Kill()
			_ = c.Wait()
			close(killed)
		})
		traffic(1<<30, killed)
		if errors.Len() > 0 {
			t.Fatalf("the card failed: %s", errors.String())
		}
		c = spawn()
	}
	traffic(500, nil)
}
