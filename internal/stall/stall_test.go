package stall

import (
	"strings"
	"testing"
	"time"
)

func yes() bool { return true }
func no() bool  { return false }

func TestTx(t *testing.T) {
	var w Watch
	for i, c := range []struct {
		head, tail uint32
		owes       func() bool
		want       string
	}{
		{0, 0, no, ""},
		{0, 0, no, ""},
		{0, 5, no, ""}, // moved: one look
		{0, 5, no, "TDH 0, TDT 5"},
		{1, 5, no, ""},
		{5, 5, yes, ""},
		{5, 5, no, ""}, // it was between two writes
		{5, 5, yes, ""},
		{5, 5, yes, "TDH = TDT = 5"},
		{5, 6, yes, ""},
	} {
		if got := w.Tx(0, c.head, c.tail, c.owes); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
	for range 3 {
		if got := w.Tx(time.Hour, 5, 6, yes); got != "" {
			t.Error(got)
		}
	}
}

func TestRx(t *testing.T) {
	var w Watch
	for i, c := range []struct {
		head, tail uint32
		missed     uint64
		filled     func() bool
		want       string
	}{
		{0, 9, 3, no, ""},
		{0, 9, 3, no, ""}, // nothing comes
		{0, 9, 4, no, ""},
		{0, 9, 4, no, "RDH 0, RDT 9"},
		{9, 9, 5, yes, ""},
		{9, 9, 6, yes, ""}, // nobody fetches what came
		{9, 9, 6, yes, ""},
		{9, 9, 6, no, ""},
		{9, 9, 6, no, "RDH = RDT = 9"},
	} {
		if got := w.Rx(0, c.head, c.tail, c.missed, c.filled); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%d: %q, want %q", i, got, c.want)
		}
	}
}

func TestOwes(t *testing.T) {
	var w Watch
	for i, c := range []struct {
		given, back uint32
		owes, want  bool
	}{
		{0, 0, false, false},
		{0, 0, false, false},
		{5, 0, true, false},
		{5, 0, true, true},
		{5, 1, true, false}, // it takes its time
		{9, 1, true, false},
		{9, 1, true, true},
		{9, 9, false, false},
		{9, 9, false, false},
	} {
		if got := w.Owes(0, c.given, c.back, c.owes); (got != "") != c.want {
			t.Errorf("%d: %q", i, got)
		}
	}
	for range 3 {
		if got := w.Owes(time.Hour, 9, 4, true); got != "" {
			t.Error(got)
		}
	}
}
