package wake

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	// However often it is signalled, the kernel counts (eventfd(2)).
	var count [8]byte
	for range 1000 {
		if err := e.Signal(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.Read(e.FD(), count[:]); err != nil || binary.NativeEndian.Uint64(count[:]) != 1000 {
		t.Errorf("%v after 1000 signals, %v", count, err)
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

// Who sleeps on a FIFO is woken by who opened it a second time, and what came stays when the other has gone.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	mine, err := OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	other, err := OpenFIFO(path)
	if err != nil {
		t.Fatal(err)
	}
	var s Set
	s.Add(mine.FD())
	for range 3 {
		if ok, err := s.Sleep(0); ok || err != nil {
			t.Errorf("readable before it was signalled: %v", err)
		}
		for range 3 {
			if err := other.Signal(); err != nil {
				t.Error(err)
			}
		}
		if ok, err := s.Sleep(time.Hour); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if err := mine.Clear(); err != nil {
			t.Error(err)
		}
	}
	for range 10_000 { // a sleeper that never comes does not keep who wakes it
		if err := other.Signal(); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if ok, err := s.Sleep(0); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFIFO(plain); err == nil || !strings.Contains(err.Error(), plain+": it is no FIFO") {
		t.Errorf("a plain file: %v", err)
	}
}

// A file descriptor of another process's, which may block, does not.
func TestTake(t *testing.T) {
	fd, err := unix.Eventfd(3, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Take(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var s Set
	s.Add(e.FD())
	if ok, err := s.Sleep(0); err != nil || !ok {
		t.Errorf("%v, %v: it was signalled", ok, err)
	}
	for range 2 {
		if err := e.Clear(); err != nil {
			t.Error(err)
		}
	}
	if ok, err := s.Sleep(0); err != nil || ok {
		t.Errorf("%v, %v: it was cleared", ok, err)
	}
	if _, err := Take(-1); err == nil {
		t.Error("no file descriptor is taken")
	}
}
