package tsc

import (
	"testing"
	"time"
)

func TestReadGrows(t *testing.T) {
	a := Read()
	for range 1000 {
		b := Read()
		if b < a {
			t.Fatalf("went back from %d to %d", a, b)
		}
		a = b
	}
}

// Hz must agree with a second measurement over another interval.
func TestHzAgreesWithClock(t *testing.T) {
	t0, c0 := both()
	for time.Since(t0) < 10*time.Millisecond {
	}
	t1, c1 := both()
	got := float64(c1-c0) / Hz()
	if want := t1.Sub(t0).Seconds(); got < want*0.98 || got > want*1.02 {
		t.Errorf("counter says %.6f s, clock %.6f s, at %.0f Hz", got, want, Hz())
	}
}

func TestOverheadIsSmall(t *testing.T) {
	if o := float64(Overhead()) / Hz(); o > 10e-6 {
		t.Errorf("two reads lie %.1f µs apart", o*1e6)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Read() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
