package traffic

import "testing"

func BenchmarkFill(b *testing.B) {
	t, err := New(Spec{Seq: true})
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 60)
	t.Render(buf, 0)
	for i := 0; i < b.N; i++ {
		t.Fill(buf, uint64(i))
	}
}

// BenchmarkCheck includes Fill.
func BenchmarkCheck(b *testing.B) {
	t, err := New(Spec{Seq: true})
	if err != nil {
		b.Fatal(err)
	}
	var bufs [64][64]byte
	for i := range bufs {
		t.Render(bufs[i][:], uint64(i))
	}
	var c Checker
	seq := uint64(0)
	for i := 0; i < b.N; i += 64 {
		for j := range bufs {
			t.Fill(bufs[j][:60], seq)
			seq++
		}
		for j := range bufs {
			c.Check(bufs[j][:60])
		}
	}
	if c.Totals().OK != seq {
		b.Fatal(c.Totals())
	}
}
