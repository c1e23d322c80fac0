package wake

import (
	"sync"
	"testing"
	"time"
)

// A nap lasts for its time, and for none once the event has come, in whatever thread.
func TestNap(t *testing.T) {
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	n, err := NewNap(e)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	sleeps := func() {
		t.Helper()
		begin := time.Now()
		// The kernel counts from when the call begins, in a clock of its own.
		if n.Sleep(20 * time.Millisecond); time.Since(begin) < 19*time.Millisecond {
			t.Errorf("it slept for %v", time.Since(begin))
		}
	}
	sleeps()
	const forever = time.Hour // the test binary's limit is less
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { n.Sleep(forever) })
	}
	if err := e.Signal(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	n.Sleep(forever)
	if err := e.Clear(); err != nil {
		t.Fatal(err)
	}
	sleeps()
}
