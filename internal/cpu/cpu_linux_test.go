package cpu

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPin(t *testing.T) {
	all, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		done := make(chan struct{})
		// The goroutine ends locked, so that its pinned thread ends with it.
		go func() {
			defer close(done)
			runtime.LockOSThread()
			if err := Pin(n); err != nil {
				t.Error(err)
			}
			if got, err := Allowed(); err != nil || !slices.Equal(got, []int{n}) {
				t.Errorf("pinned to %d, may run on %v, %v", n, got, err)
			}
		}()
		<-done
	}
	if now, _ := Allowed(); !slices.Equal(now, all) {
		t.Errorf("another thread's CPUs became %v, were %v", now, all)
	}
}

func TestPinRefuses(t *testing.T) {
	for _, n := range []int{-1, Max, Max - 1} {
		err := Pin(n)
		if err == nil {
			t.Errorf("Pin(%d) succeeded", n)
		} else if !strings.Contains(err.Error(), "CPU") {
			t.Errorf("Pin(%d): %v", n, err)
		}
	}
}

func TestOnlineHoldsAllowed(t *testing.T) {
	up, err := Online()
	if err != nil {
		t.Fatal(err)
	}
	mine, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range mine {
		if !slices.Contains(up, n) {
			t.Errorf("CPU %d allowed but not online (%v)", n, up)
		}
	}
}
