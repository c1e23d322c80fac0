package pci

import (
	"bytes"
	"os"
	"reflect"
	"testing"
)

func TestIOPorts(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	ports := bytes.Repeat([]byte{0x11}, 32)
	copy(ports[8:], []byte{1, 2, 3, 4})
	tr.file(dev(card)+"/resource2", string(ports))
	fn := mustOpen(t, tr.sys())
	if c := tr.command(card); c&CmdIO != 0 {
		t.Errorf("Command is %#x before anybody asked for I/O ports", c)
	}
	r, err := fn.BAR(2)
	if err != nil {
		t.Fatal(err)
	}
	if c := tr.command(card); c != CmdIO|CmdMemory|CmdNoINTx {
		t.Errorf("Command is %#x", c)
	}
	if r.Size() != 32 || !r.SeesReads() {
		t.Errorf("%d bytes, sees reads %v", r.Size(), r.SeesReads())
	}
	if again, err := fn.BAR(2); err != nil || again != r {
		t.Errorf("asked for again: %v", err)
	}
	if a, b, c := r.Read8(9), r.Read16(10), r.Read32(8); a != 2 || b != 0x0403 || c != 0x04030201 {
		t.Errorf("read %#x, %#x, %#x", a, b, c)
	}
	// At the end there is room for an access of the right width alone.
	if a, b, c := r.Read8(31), r.Read16(30), r.Read32(28); a != 0x11 || b != 0x1111 || c != 0x11111111 {
		t.Errorf("read at the end %#x, %#x, %#x", a, b, c)
	}
	r.Write8(0, 0xa0)
	r.Write16(2, 0xb1b0)
	r.Write32(4, 0xc3c2c1c0)
	bell := r.Doorbell16(16)
	bell.Ring(0xd1d0)
	want := bytes.Clone(ports)
	copy(want, []byte{0xa0, 0x11, 0xb0, 0xb1, 0xc0, 0xc1, 0xc2, 0xc3})
	copy(want[16:], []byte{0xd0, 0xd1})
	if got := tr.read(dev(card) + "/resource2"); got != string(want) {
		t.Errorf("ports hold\n%x, want\n%x", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { r.Write16(2, r.Read16(4)); r.Write8(0, r.Read8(1)); bell.Ring(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := fn.Close(); err != nil {
		t.Fatal(err)
	}
	r.Write32(0, 0)
	if a, b, c := r.Read8(0), r.Read16(0), r.Read32(0); a != 0xff || b != 0xffff || c != 1<<32-1 {
		t.Errorf("after Close: read %#x, %#x, %#x", a, b, c)
	}
	if fds := openFiles(t); bytes.Contains(fds, []byte("resource2")) {
		t.Errorf("stays open: %s", fds)
	}
}

// TestIOPortsFail opens ports that cannot be reached: the device stays as it was.
func TestIOPortsFail(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.remove(dev(card) + "/resource2")
	fn := mustOpen(t, tr.sys())
	before := tr.snapshot()
	if _, err := fn.BAR(2); err == nil || !reflect.DeepEqual(before, tr.snapshot()) {
		t.Errorf("no resource2: %v", err)
	}
	tr.file(dev(card)+"/resource2", "")
	r, err := fn.BAR(2)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing answers a read beyond the end of the file.
	if a, b, c := r.Read8(0), r.Read16(0), r.Read32(0); a != 0xff || b != 0xffff || c != 1<<32-1 {
		t.Errorf("read %#x, %#x, %#x", a, b, c)
	}
	tr = newTree(t)
	tr.addCard(card)
	fn = mustOpen(t, tr.sys())
	tr.file(dev(card)+"/config", string(bytes.Repeat([]byte{0xff}, 64)))
	if _, err := fn.BAR(2); err == nil || bytes.Contains(openFiles(t), []byte(tr.path(dev(card)+"/resource2"))) {
		t.Errorf("pulled card: %v", err)
	}
	tr = newTree(t)
	tr.addCard(card)
	tr.file(dev(card)+"/resource", "0x0 0x1ffff 0x101\n")
	if _, err := mustOpen(t, tr.sys()).BAR(0); err == nil {
		t.Error("128 KiB of I/O ports")
	}
}

// openFiles lists what this process has open.
func openFiles(t *testing.T) (list []byte) {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink(dir + "/" + e.Name())
		list = append(list, target+"\n"...)
	}
	return list
}
