package vhostuser

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemory(t *testing.T) {
	before := openFDs(t)
	var m Memory
	fd := memfd(t, 3*4096)
	dup := func() int {
		n, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	a := Region{Guest: 0x1000, Size: 4096 + 100, User: 0x7000_0000, Offset: 50}
	b := Region{Guest: 0x1000 + 4096 + 100, Size: 1000, User: 0x1000, Offset: 8192}
	if err := m.Set([]Region{a, b}, []int{dup(), dup()}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pwrite(fd, []byte("here"), 50+16); err != nil {
		t.Fatal(err)
	}
	if string(m.Guest(0x1010, 4)) != "here" || string(m.User(0x7000_0010, 4)) != "here" {
		t.Error("the file is not where it should be")
	}
	copy(m.Guest(b.Guest, 5), "there")
	var got [5]byte
	if _, err := unix.Pread(fd, got[:], 8192); err != nil || string(got[:]) != "there" {
		t.Errorf("%q, %v", got, err)
	}
	const top = 1<<64 - 1
	for _, c := range []struct {
		addr, n uint64
		ok      bool
	}{
		{0x1000, 4196, true}, {0x1000, 4197, false}, {0xfff, 1, false}, {0xfff, 2, false}, {0x1000 + 4195, 1, true},
		{0x1000 + 4195, 2, false}, {b.Guest, 1000, true}, {b.Guest + 999, 1, true}, {b.Guest + 1000, 1, false},
		{0x1000, 0, false}, {0x1000, top, false}, {top, 1, false}, {top, top, false}, {0, top, false}, {0x1001, top, false},
	} {
		if got := m.Guest(c.addr, c.n); (got != nil) != c.ok || got != nil && (uint64(len(got)) != c.n || cap(got) != len(got)) {
			t.Errorf("%d bytes at %#x: %d", c.n, c.addr, len(got))
		}
	}
	if err := m.Remove(Region{Guest: a.Guest, Size: a.Size, User: a.User + 1}); err == nil {
		t.Error("a region that is not there was removed")
	}
	// QEMU says the same again for each pair of queues.
	if err := m.Add(b, dup()); err != nil || len(m.regions) != 2 {
		t.Errorf("the same region again: %v, %d regions", err, len(m.regions))
	}
	for range 2 {
		if err := m.Remove(a); err != nil || m.Guest(0x1000, 1) != nil || m.Guest(b.Guest, 1) == nil {
			t.Errorf("remove: %v", err)
		}
	}
	for name, c := range map[string]struct {
		r    Region
		fd   int
		want string
	}{
		"other file": {b, memfd(t, 3*4096), "overlaps"},
		"other user": {Region{b.Guest, b.Size, b.User + 1, b.Offset}, dup(), "overlaps"},
		"overlap":    {Region{Guest: b.Guest + 10, Size: 10}, dup(), "overlaps"},
		"around":     {Region{Guest: b.Guest - 1, Size: 2000}, dup(), "overlaps"},
		"empty":      {Region{Guest: 1}, dup(), "cannot be"},
		"wraps":      {Region{Guest: top - 10, Size: 100}, dup(), "cannot be"},
		"user wraps": {Region{Size: 100, User: top - 10}, dup(), "cannot be"},
		"offset":     {Region{Size: 100, Offset: top - 10}, dup(), "cannot be"},
		"huge":       {Region{Size: 1 << 47}, dup(), "cannot be"},
		"too long":   {Region{Guest: 1 << 30, Size: 3*4096 + 1}, dup(), "the file has 12288 bytes"},
		"too far":    {Region{Guest: 1 << 30, Size: 100, Offset: 3*4096 - 99}, dup(), "the file has 12288 bytes"},
		"no file":    {Region{Size: 1}, -1, "fstat"},
	} {
		if err := m.Add(c.r, c.fd); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1])
	if err := m.Add(Region{Guest: 1, Size: 1}, pipe[0]); err == nil {
		t.Error("a pipe is taken for memory")
	}
	if err := m.Set([]Region{a, {a.Guest, a.Size, a.User, 0}}, []int{dup(), dup()}); err == nil || m.Guest(a.Guest, 1) != nil {
		t.Errorf("a table with an overlap: %v", err)
	}
	if err := m.Set([]Region{a, b}, []int{dup()}); err == nil {
		t.Error("a region without a file descriptor")
	}
	for i := range uint64(MaxMemSlots) {
		if err := m.Add(Region{Guest: i << 20, Size: 4096}, dup()); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Add(Region{Guest: 1 << 40, Size: 4096}, dup()); err == nil {
		t.Error("one region too many")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if n := openFDs(t); n != before {
		t.Errorf("%d file descriptors more are open than before", n-before)
	}
}
