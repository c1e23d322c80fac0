package wake

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestEvent(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	other, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var s Set
	s.Add(other.FD())
	s.Add(e.FD())
	readable := func() bool {
		t.Helper()
		ok, err := s.Sleep(0)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for range 3 {
		if readable() {
			t.Error("readable before it was signalled")
		}
		for range 2 {
			if err := e.Signal(); err != nil || !readable() || !readable() {
				t.Errorf("not readable after Signal: %v", err)
			}
		}
		for range 2 {
			if err := e.Clear(); err != nil || readable() {
				t.Errorf("readable after Clear: %v", err)
			}
		}
	}
	if err := e.Close(); err != nil || e.Close() != nil {
		t.Error("close:", err)
	}
	if e.FD() != -1 || !errors.Is(e.Signal(), os.ErrClosed) || !errors.Is(e.Clear(), os.ErrClosed) {
		t.Error("a closed event works on")
	}
}

// Who sleeps is woken by an event of another goroutine, or by nothing but the limit.
func TestSleep(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var s Set
	s.Add(e.FD())
	begin := time.Now()
	if ok, err := s.Sleep(2 * time.Millisecond); ok || err != nil || time.Since(begin) < 2*time.Millisecond {
		t.Errorf("%v, %v after %v", ok, err, time.Since(begin))
	}
	go e.Signal()
	if ok, err := s.Sleep(time.Hour); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}
