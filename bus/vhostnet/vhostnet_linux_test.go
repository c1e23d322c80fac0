package vhostnet

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRefused: what would have the kernel reach beyond the memory is not asked of it. The kernel's own work is tested in
// a guest (test/vm, TestVhostNet).
func TestRefused(t *testing.T) {
	p := &Pair{fd: -1, iova: 1 << 32, mem: make([]byte, 8192)}
	good := Ring{Size: 256, Desc: 1 << 32, Avail: 1<<32 + 8192 - 518 - 2054, Used: 1<<32 + 8192 - 2054, Kick: -1, Call: -1, Err: -1}
	if err := p.SetRing(0, good); !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "VHOST_SET_VRING_NUM") {
		t.Errorf("without a file: %v", err)
	}
	for _, change := range []func(*Ring){
		func(r *Ring) { r.Size = 0 }, func(r *Ring) { r.Size = 96 }, func(r *Ring) { r.Size = 2 * MaxRing },
		func(r *Ring) { r.Desc-- }, func(r *Ring) { r.Avail = 1<<32 + 8192 - 517 }, func(r *Ring) { r.Used = 0 },
		func(r *Ring) { r.Desc = 1<<32 + 4097 }, func(r *Ring) { r.Used++ }, func(r *Ring) { r.Used = 1<<32 + 8193 },
	} {
		r := good
		change(&r)
		if err := p.SetRing(0, r); err == nil || errors.Is(err, unix.EBADF) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Start(0); !errors.Is(err, unix.EBADF) {
		t.Errorf("after Close: %v", err)
	}
}
