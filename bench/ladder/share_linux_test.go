package ladder

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who is ready to run and does not get the core is seen to wait, and who sleeps is not.
func TestWaited(t *testing.T) {
	var ths [2]*thread
	for i := range ths {
		th, err := newThread(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer th.close()
		ths[i] = th
	}
	read := func() (ns uint64) {
		ns, err := waited(unix.Gettid())
		if err != nil {
			t.Error(err)
		}
		return ns
	}
	var stop atomic.Bool
	other := make(chan error, 1)
	go func() {
		other <- ths[1].do(func() error {
			for !stop.Load() {
			}
			return nil
		})
	}()
	_ = ths[0].do(func() error {
		before := read()
		// Two that never sleep share a core: both wait.
		for end := time.Now().Add(patience); read() < before+20e6; {
			if time.Now().After(end) {
				t.Error("it never waited")
				break
			}
		}
		return nil
	})
	stop.Store(true)
	if err := <-other; err != nil {
		t.Error(err)
	}
	if n, err := (napi{}).waited(); n != 0 || err != nil {
		t.Error(n, err)
	}
}
