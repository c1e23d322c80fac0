package traffic

import (
	"slices"
	"testing"
)

func TestSeries(t *testing.T) {
	var many []int
	for i := range 128 {
		many = append(many, 80+i)
	}
	for _, s := range []Spec{
		{}, {Seq: true}, {Seq: true, Sizes: IMIX}, {Seq: true, Sizes: many}, {Seq: true, Flows: 3}, {Seq: true, Template: TCP4, Flows: 65536},
		{Seq: true, Template: UDP6, SrcPort: 77}, {Seq: true, SrcPort: 77},
	} {
		templates := newTemplates(t, s)
		series := NewSeries(templates)
		n := series.Len()
		// With a power of two, the slots of a driver's ring would see the same content again.
		if n < 64 || n&(n-1) == 0 || n%templates.Period() != 0 {
			t.Errorf("%+v: %d frames", s, n)
		}
		var c Checker
		var kept [][]byte
		want := make([]byte, MaxSize)
		for seq := range uint64(3 * n) {
			if series.Sent() != seq {
				t.Fatal(series.Sent())
			}
			kept = append(kept, series.Next()) // a checksum, in the last four bytes of the headers, differs with the variant
			size := templates.Render(want, seq)
			if f := kept[seq]; !slices.Equal(f[:templates.layout.tag-4], want[:templates.layout.tag-4]) || len(f) != size {
				t.Fatalf("%+v: frame %d has other headers", s, seq)
			}
			if seq%uint64(n) == uint64(n-1) {
				for _, f := range kept[len(kept)-n:] { // all valid at once
					if v := c.Check(f); v != OK {
						t.Fatalf("%+v: %s", s, v)
					}
				}
			}
		}
	}
}
