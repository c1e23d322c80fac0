//go:build guest

package guest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	chip "glassnic/chip/e1000"
)

// above is the upper half of an IOVA that is never mapped: the driver's begin at the bottom.
const above = 0x7

// TestFault has the card that fwd sends by fetch descriptors from an address that is not mapped. The IOMMU must
// refuse that, and fwd must say so: from the kernel's log where it may read that, and because the queue stands still
// where it may not. The other way goes on, and a new start mends the card.
func TestFault(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c[1], c[2])
	grant(t, c[1], c[2])
	left, right := newKernelPort(t, c[0]), newKernelPort(t, c[3])
	for _, as := range []*syscall.SysProcAttr{nil, user} {
		f := start(t, as, c[1].addr, c[2].addr, idle)
		there, back := newKernelStream(t, 1, left, right), newKernelStream(t, 2, right, left)
		f.lets(t, there, back)
		log := kernelLog(t)
		writeRegister(t, c[2], chip.TDBAH(0), above)
		inLog := regexp.MustCompile(fmt.Sprintf(`DMA Read.*\[%s\] fault addr (%#x[0-9a-f]{8}) `, strings.TrimPrefix(c[2].addr, "0000:"), above))
		await(t, "the fault in the kernel's log", func() bool { return inLog.MatchString(log()) })
		says := func(what string) bool { return strings.Contains(f.stderr.String(), what) }
		await(t, "that fwd says that the queue stands still", func() bool {
			f.lives(t)
			return says("e1000 " + c[2].addr + ": watch: transmit queue 0: no progress")
		})
		fault := fmt.Sprintf("vfio %s: trouble: DMA fault: the IOMMU refused it a DMA Read at %s, which", c[2].addr, inLog.FindStringSubmatch(log())[1])
		if says(fault) != (as == nil) {
			t.Errorf("of what the kernel's log says, which user %+v may or may not read, fwd says: %s", as, f.stderr.String())
		}
		if says(c[1].addr + ": ") {
			t.Errorf("fwd blames the other port: %s", f.stderr.String())
		}
		back.goesOn(t, "the other way after the fault", 1000)
		there.stop()
		total, err := f.interrupt(t)
		if err == nil || total.Drops["tx_full"] == 0 {
			t.Errorf("fwd ends with %v and %+v after a fault", err, total)
		}
		if n := back.stop(); n.Corrupt+n.Foreign != 0 {
			t.Errorf("the other way: %+v", n)
		}
		t.Logf("%s", f.stderr.String())
	}
	f := start(t, nil, c[1].addr, c[2].addr, idle)
	f.lets(t, newKernelStream(t, 3, left, right), newKernelStream(t, 4, right, left))
	f.end(t)
	if s := f.stderr.String(); s != "" {
		t.Errorf("after the fault: %s", s)
	}
	giveBack()
}

// lets waits until fwd lets frames of streams through.
func (f *forwarder) lets(t *testing.T, streams ...*kernelStream) {
	t.Helper()
	for _, s := range streams {
		sent := s.sent.Load() // what was sent before may lie in the kernel's queues
		await(t, "traffic through fwd", func() bool {
			f.lives(t)
			return s.top.Load() > sent+100
		})
	}
}

// user is an ordinary user, without capabilities.
var user = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}

// grant lets the ordinary user open cards that are bound to VFIO, and lock memory for them.
func grant(t *testing.T, list ...card) {
	t.Helper()
	for _, c := range list {
		glassnic(t, "dev", "bind", c.addr, "--user", "user")
	}
	all := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &all); err != nil {
		t.Fatal(err)
	}
}

// writeRegister writes a register of a card that another process drives; the kernel wants iomem=relaxed for that.
func writeRegister(t *testing.T, c card, off, v uint32) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join("/sys/bus/pci/devices", c.addr, "resource0"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, chip.BARSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[off:], v)
	if err := unix.Munmap(b); err != nil {
		t.Fatal(err)
	}
}

// kernelLog returns a function that returns what the kernel has logged since.
func kernelLog(t *testing.T) func() string {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	b := make([]byte, 8192)
	return func() string {
		for {
			n, err := unix.Read(fd, b)
			if err == unix.EPIPE {
				continue
			}
			if err != nil {
				return all.String()
			}
			all.Write(b[:n])
		}
	}
}
