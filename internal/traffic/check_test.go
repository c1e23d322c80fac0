package traffic

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every flipped bit but those of byte 1 is found, whatever the template.
func TestFlippedBits(t *testing.T) {
	for _, l := range layouts {
		for _, s := range []Spec{{}, {Seq: true}, {Size: 150, Seq: true, Stream: 258}} {
			s.Template = l.name
			f := render(t, newTemplates(t, s), 0)
			for i := range f {
				for bit := range 8 {
					f[i] ^= 1 << bit
					want := Corrupt
					if i == 1 {
						want = OK
					}
					var c Checker
					if v := c.Check(f); v != want {
						t.Fatalf("%+v: byte %d, bit %d flipped: %s", s, i, bit, v)
					}
					f[i] ^= 1 << bit
				}
			}
		}
	}
}

func TestLengths(t *testing.T) {
	for _, l := range layouts {
		f := append(render(t, newTemplates(t, Spec{Template: l.name, Size: 200, Seq: true}), 0), make([]byte, 100)...)
		for n := range f {
			var c Checker
			want := Corrupt
			if n < l.tag+4 {
				want = Foreign
			}
			if n == 200 {
				want = OK
			}
			if v := c.Check(f[:n]); v != want {
				t.Fatalf("%s of 200 bytes with length %d: %s, want %s", l.name, n, v, want)
			}
		}
	}
}

// A router's changes are no corruption for frames made for it; a payload's are.
func TestRouted(t *testing.T) {
	f := render(t, newTemplates(t, Spec{Seq: true, Routed: true}), 0)
	copy(f, "macs changed")
	f[22]-- // time to live
	var c Checker
	if v := c.Check(f); v != OK {
		t.Error(v)
	}
	f[50] ^= 1
	if v := c.Check(f); v != Corrupt {
		t.Error(v)
	}
}

// A ring slot whose first line is new and whose rest is left over from a ring's length before.
func TestStalePayload(t *testing.T) {
	templates := newTemplates(t, Spec{Size: 1514, Seq: true})
	for _, ring := range []uint64{64, 256, 512, 1024, 4096} {
		old, f := render(t, templates, 0), render(t, templates, ring)
		copy(f[64:], old[64:])
		var c Checker
		if v := c.Check(f); v != Corrupt {
			t.Errorf("ring of %d: %s", ring, v)
		}
	}
}

func TestForeign(t *testing.T) {
	var c Checker
	var n uint64
	for _, etherType := range []uint16{0x0800, 0x0806, 0x86DD, 0x88B5, 0x8100, 0} {
		for _, size := range []int{0, 1, 14, 59, 60, 64, 1514, 20000} {
			f := make([]byte, size)
			if size > 14 {
				f[12], f[13] = byte(etherType>>8), byte(etherType)
			}
			n++
			if v := c.Check(f); v != Foreign {
				t.Errorf("EtherType %#x, %d bytes of zero: %s", etherType, size, v)
			}
		}
	}
	if got := c.Totals(); got != (Totals{Foreign: n}) {
		t.Error(got)
	}
}

func TestVerdicts(t *testing.T) {
	templates := newTemplates(t, Spec{Seq: true})
	var c Checker
	for _, step := range []struct {
		seq  uint64
		want Verdict
	}{
		{0, OK}, {1, OK}, {1, Duplicate}, {5, Gap}, {3, Reordered}, {3, Duplicate}, {5, Duplicate}, {6, OK}, {0, Duplicate},
		{70000, Gap}, {6, Stale}, {70001 - window, Reordered}, {70001 - window - 1, Stale}, {70001, OK},
		{10_000_000, Gap}, {10_000_001 - window, Reordered}, {70001, Stale},
	} {
		if v := c.Check(render(t, templates, step.seq)); v != step.want {
			t.Fatalf("number %d: %s, want %s", step.seq, v, step.want)
		}
	}
	want := Totals{OK: 7, Reordered: 3, Duplicate: 4, Stale: 3, Lost: 10_000_001 - 10}
	if got := c.Totals(); got != want || got.Frames() != 17 {
		t.Errorf("%+v, want %+v", got, want)
	}
	c.Reset()
	if v := c.Check(render(t, templates, 0)); v != OK || c.Totals().Frames() != 1 {
		t.Error(v, c.Totals())
	}
}

// Random loss, duplicates and reordering in two streams, against a set of the numbers seen.
func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	streams := []*Templates{newTemplates(t, Spec{Seq: true, Stream: 1}), newTemplates(t, Spec{Template: ARP, Seq: true, Stream: 0xff01})}
	var c Checker
	var want Totals
	seen := []map[uint64]bool{{}, {}}
	next := []uint64{0, 0}
	f := make([]byte, 60)
	for range 200_000 {
		i := rng.IntN(2)
		seq := next[i]
		switch rng.IntN(10) {
		case 0:
			seq += rng.Uint64N(200)
		case 1:
			seq -= min(seq, rng.Uint64N(3000))
		}
		verdict := OK
		switch {
		case seen[i][seq]:
			verdict = Duplicate
			want.Duplicate++
		case seq < next[i]:
			verdict = Reordered
			want.Reordered++
			want.Lost--
		case seq > next[i]:
			verdict = Gap
			want.OK++
			want.Lost += seq - next[i]
		default:
			want.OK++
		}
		seen[i][seq] = true
		next[i] = max(next[i], seq+1)
		streams[i].Render(f, seq)
		if v := c.Check(f); v != verdict {
			t.Fatalf("stream %d, number %d, next %d: %s, want %s", i, seq, next[i], v, verdict)
		}
	}
	if got := c.Totals(); got != want || next[0]+next[1] != got.OK+got.Reordered+got.Lost {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTooManyStreams(t *testing.T) {
	var c Checker
	for id := range maxStreams + 10 {
		v := c.Check(render(t, newTemplates(t, Spec{Seq: true, Stream: uint16(id * 61)}), 0))
		if want := id >= maxStreams; (v == Foreign) != want {
			t.Fatalf("stream %d: %s", id, v)
		}
	}
	if got := c.Totals(); got != (Totals{OK: maxStreams, Foreign: 10}) {
		t.Error(got)
	}
}

func TestNoAllocation(t *testing.T) {
	templates := newTemplates(t, Spec{Sizes: IMIX, Seq: true, Flows: 3})
	f := make([]byte, 1514)
	var c Checker
	c.Check(f[:templates.Render(f, 0)])
	seq := uint64(0)
	n := testing.AllocsPerRun(100, func() {
		seq++
		g := f[:templates.Render(f, seq)]
		templates.Fill(g, seq)
		c.Check(g)
		g[60-1] ^= 1
		c.Check(g)
	})
	if n != 0 || c.Totals().OK != c.Totals().Corrupt+1 {
		t.Errorf("%v allocations, %+v", n, c.Totals())
	}
}

func FuzzCheck(f *testing.F) {
	for _, l := range layouts {
		for _, seq := range []bool{false, true} {
			f.Add(render(f, newTemplates(f, Spec{Template: l.name, Seq: seq, Size: 100}), 0))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var c Checker
		before := slices.Clone(frame)
		v := c.Check(frame)
		if c.Totals().Frames() != 1 || v.String() == "unknown" {
			t.Errorf("%s, %+v", v, c.Totals())
		}
		if !slices.Equal(before, frame) {
			t.Error("the frame was changed")
		}
	})
}
