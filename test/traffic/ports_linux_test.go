package traffic

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ports is a directory of served cards.
type ports struct{ dir string }

// newPorts makes a directory on tmpfs.
func newPorts(t testing.TB) ports {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "glassnic-traffic-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return ports{dir}
}

// serve starts a server with a card on each wire and waits until it is ready.
func (p ports) serve(t testing.TB, wires ...string) *process {
	t.Helper()
	return p.serveWith(t, (*exec.Cmd).Start, wires...)
}

func (p ports) serveWith(t testing.TB, start func(*exec.Cmd) error, wires ...string) *process {
	t.Helper()
	args := []string{"sim", "serve", p.dir, "--memory", "64M"}
	for _, w := range wires {
		args = append(args, "--port", w)
	}
	s := runWith(t, start, args...)
	s.waitReady(t, len(wires))
	return s
}

func (p ports) address(i int) string { return fmt.Sprintf("shm:%s/p%d", p.dir, i) }

// registers opens the register file of a card.
func (p ports) registers(t *testing.T, i int) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, fmt.Sprintf("p%d", i), "resource0"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (p ports) register(t *testing.T, i int, offset uint32) uint32 {
	t.Helper()
	f := p.registers(t, i)
	defer f.Close()
	var b [4]byte
	if _, err := f.ReadAt(b[:], int64(offset)); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(b[:])
}

func (p ports) setRegister(t *testing.T, i int, offset, v uint32) {
	t.Helper()
	f := p.registers(t, i)
	defer f.Close()
	if _, err := f.WriteAt(binary.LittleEndian.AppendUint32(nil, v), int64(offset)); err != nil {
		t.Fatal(err)
	}
}

// pageSize is the unit in which drivers lock DMA memory (package bus/shm).
const pageSize = 2 << 20

// memory opens the DMA memory.
func (p ports) memory(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, "dma"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// lockedPages returns how many pages a driver holds.
func lockedPages(t *testing.T, dma *os.File) (n int) {
	t.Helper()
	st, err := dma.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(pageSize); at+pageSize <= st.Size(); at += pageSize {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: pageSize}
		if err := unix.FcntlFlock(dma.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
			t.Fatal(err)
		}
		if lock.Type != unix.F_UNLCK {
			n++
		}
	}
	return n
}

// drops adds up the drops of a card's counts in a direction, "rx_" or "tx_".
func drops(card map[string]uint64, direction string) (n uint64) {
	for name, v := range card {
		switch name {
		case "rx_frames", "rx_host", "rx_bytes", "tx_sent", "tx_bytes":
		default:
			if strings.HasPrefix(name, direction) {
				n += v
			}
		}
	}
	return n
}
