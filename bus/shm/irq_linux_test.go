package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/irq"
	"glassnic/internal/wake"
)

func mustInterrupts(t *testing.T, fn interface{ Interrupts() (irq.Set, error) }) irq.Set {
	t.Helper()
	s, err := fn.Interrupts()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInterrupts(t *testing.T) {
	dir := serve(t, 1, 1)
	fn := mustOpen(t, dir, "p0")
	if s := mustInterrupts(t, fn); s != nil {
		t.Errorf("a model without FIFOs has %d interrupts", s.Vectors())
	}
	if err := fn.Close(); err != nil {
		t.Fatal(err)
	}
	var model []*wake.Event
	for v := range 3 {
		path := filepath.Join(dir, "p0", fmt.Sprintf("irq%d", v))
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := wake.OpenFIFO(path)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		model = append(model, e)
	}
	_ = model[1].Signal() // for a driver that has gone
	fn = mustOpen(t, dir, "p0")
	s := mustInterrupts(t, fn)
	if s.Vectors() != 3 || s.Kind() != irq.MSIX {
		t.Errorf("%d vectors by %v", s.Vectors(), s.Kind())
	}
	for _, n := range []int{0, 4} {
		if _, err := s.Enable(n); err == nil || !strings.Contains(err.Error(), "the model has 3") {
			t.Errorf("%d interrupts: %v", n, err)
		}
	}
	for range 2 {
		events, err := s.Enable(2)
		if err != nil || len(events) != 2 {
			t.Fatal(err)
		}
		if _, err := s.Enable(1); err == nil || !strings.Contains(err.Error(), "disable them first") {
			t.Errorf("enabled twice: %v", err)
		}
		var set wake.Set
		set.Add(events[1].FD())
		if ok, err := set.Sleep(0); ok || err != nil {
			t.Errorf("what came before wakes: %v", err)
		}
		_ = model[0].Signal()
		if ok, err := set.Sleep(0); ok || err != nil {
			t.Errorf("vector 0 wakes who sleeps on 1: %v", err)
		}
		_ = model[1].Signal()
		if ok, err := set.Sleep(time.Hour); !ok || err != nil {
			t.Errorf("vector 1 does not wake: %v", err)
		}
		if err := s.Disable(); err != nil || s.Disable() != nil || events[1].FD() != -1 {
			t.Errorf("disable: %v", err)
		}
	}
	if _, err := s.Enable(3); err != nil {
		t.Error(err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := fn.Interrupts(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("of a closed port: %v", err)
	}
}

// What lies in the FIFO's place is not written to.
func TestInterruptsNoFIFO(t *testing.T) {
	dir := serve(t, 1, 1)
	for v, err := range []error{
		unix.Mkfifo(filepath.Join(dir, "p0/irq0"), 0o600), os.WriteFile(filepath.Join(dir, "p0/irq1"), []byte("kept"), 0o600),
	} {
		if err != nil {
			t.Fatal(v, err)
		}
	}
	fn := mustOpen(t, dir, "p0")
	defer fn.Close()
	s := mustInterrupts(t, fn)
	if _, err := s.Enable(2); err == nil || !strings.HasPrefix(err.Error(), fn.Address()+": enable 2 interrupts: ") || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("%v", err)
	}
	if _, err := s.Enable(1); err != nil {
		t.Errorf("after one that failed: %v", err)
	}
}
