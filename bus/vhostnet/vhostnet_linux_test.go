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
	p := &Pair{fd: -1, iova: 1 << 32, mem: make([]byte, 4096)}
	good := Ring{Size: 256, Desc: 1 << 32, Avail: 1<<32 + 1024, Used: 1<<32 + 2048, Kick: -1, Call: -1, Err: -1}
	if err := p.SetRing(0, good); !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "VHOST_SET_VRING_NUM") {
		t.Errorf("without a file: %v", err)
	}
	for _, change := range []func(*Ring){
		func(r *Ring) { r.Size = 0 }, func(r *Ring) { r.Size = 96 }, func(r *Ring) { r.Size = 2 * MaxRing },
		func(r *Ring) { r.Desc-- }, func(r *Ring) { r.Avail = 1<<32 + 4096 }, func(r *Ring) { r.Used = 0 },
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
