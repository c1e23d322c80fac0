package ixgbe_test

import (
	"math/rand/v2"
	"testing"

	"glassnic/driver/textbook"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// The plain driver of package textbook and this one, each echoing the same traffic on a card of its
// own, put the same frames on the wire.
func TestSameAsTextbook(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var traffic []wire.Frame
	for i := range 3000 {
		f := wire.Frame{Data: frame(60+rnd.IntN(1455), byte(i)), Bad: rnd.IntN(50) == 0}
		switch rnd.IntN(40) {
		case 0:
			copy(f.Data, broadcast)
		case 1:
			copy(f.Data, group)
		case 2:
			copy(f.Data, stranger)
		case 3:
			f.Data = frame(1515+rnd.IntN(5000), byte(i))
		case 4:
			f.Data = f.Data[:14+rnd.IntN(46)]
		}
		traffic = append(traffic, f)
	}
	// Both get the frames in the same portions.
	play := func(w *script, step func(), echo func(batch int)) [][]byte {
		rnd := rand.New(rand.NewPCG(7, 8))
		rest := traffic
		for len(rest) > 0 || len(w.in) > 0 {
			n := min(rnd.IntN(300), len(rest))
			w.in = append(w.in, rest[:n]...)
			rest = rest[n:]
			step()
			for range 10 {
				echo(1 + rnd.IntN(64))
			}
			step()
		}
		return w.out
	}

	r := open(t, nic.Config{Promiscuous: true})
	batch := make([]*packet.Buf, 64)
	ours := play(r.wire, r.step, func(size int) {
		n := r.dev.RxQueue(0).Receive(batch[:size])
		if sent := r.dev.TxQueue(0).Send(batch[:n]); sent != n {
			t.Fatalf("sent %d of %d", sent, n)
		}
		r.step()
	})

	s, w := card(t, model.Config{})
	d, err := textbook.Open(s.Function("sim:textbook"), textbook.Config{})
	if err != nil {
		t.Fatal(err)
	}
	plain := &rig{t: t, sim: s, wire: w}
	for !d.LinkUp() {
		s.Card.Step(1)
	}
	bufs := make([]*textbook.Buf, 64)
	theirs := play(w, plain.step, func(size int) {
		n := d.Receive(bufs[:size])
		if sent := d.Send(bufs[:n]); sent != n {
			t.Fatalf("textbook: sent %d of %d", sent, n)
		}
		plain.step()
	})
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if len(theirs) < 2000 {
		t.Fatalf("only %d frames came through", len(theirs))
	}
	same(t, "echoed", ours, theirs)
}
