package virtio_test

import (
	"strings"
	"testing"

	"glassnic/packet"
)

// inOrder runs a test with devices of both kinds of ring that use buffers in order.
func inOrder(t *testing.T, f func(t *testing.T, c *card)) {
	for name, more := range map[string]uint64{"split": 0, "packed": fPacked} {
		t.Run(name, func(t *testing.T) {
			c := newCard()
			c.offered |= fInOrder | more
			f(t, c)
		})
	}
}

// Buffers that the device says nothing of are full, up to that whose entry it is.
func TestReceivedWithoutEntries(t *testing.T) {
	inOrder(t, func(t *testing.T, c *card) {
		c.offered |= fMrg
		cfg := small
		cfg.MTU, cfg.Room, cfg.Buffers = 4000, 1024, 800
		r := open(t, c, cfg)
		q := c.vqs[0]
		const room = 1024 + 12
		for i := range 100 {
			var all [][2]uint32
			data := append(make([]byte, 12), frame(2*room+500-12, byte(i))...)
			data[10] = 3
			want := data[12:]
			for k := range 3 {
				head, pieces, ok := c.next(q)
				if !ok {
					t.Fatal("the device has no buffer")
				}
				delete(q.held, head)
				n := copy(c.at("receive", pieces[0].addr, room, true), data)
				data = data[n:]
				all = append(all, [2]uint32{uint32(head), uint32(n)})
				if k < 2 && n != room {
					t.Fatal("the buffers are not as long as this test thinks")
				}
			}
			c.tellBatch(q, all)
			// A frame of one buffer behind it.
			r.put(frame(60, byte(i)))
			r.step()
			same(t, "received", r.receive(0, 32), [][]byte{want, frame(60, byte(i))})
		}
		if err := r.dev.Trouble(); err != nil {
			t.Error(err)
		}
	})
}

// A queue whose device has used all by an entry for several buffers owes nothing, though other descriptors look as if
// the device had them.
func TestBatchIsNoStall(t *testing.T) {
	inOrder(t, func(t *testing.T, c *card) {
		shorten(t, 0, "stall")
		c.batches = true
		r := open(t, c, small)
		for round := range 70 {
			batch := make([]*packet.Buf, 5)
			for i := range batch {
				batch[i] = r.buf(frame(60+100*(round%3), byte(i)), 100)
			}
			if n := r.dev.TxQueue(0).Send(batch); n != len(batch) {
				t.Fatalf("%d frames taken", n)
			}
			for range 3 {
				if err := r.dev.Trouble(); round == 0 && err != nil && !strings.Contains(err.Error(), "gives none back") {
					t.Error(err)
				}
			}
			r.step()
			for range 3 {
				if err := r.dev.Trouble(); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
		}
		if len(c.out) != 350 {
			t.Errorf("%d frames sent", len(c.out))
		}
	})
}

// A device that breaks its word stands still, or harms itself alone.
func TestOutOfOrder(t *testing.T) {
	inOrder(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		for range 3 {
			if r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(60, 0), 2048)}) != 1 {
				t.Fatal("not taken")
			}
		}
		c.tell(c.vqs[1], 9, 0)
		r.dev.TxQueue(0).Send(nil)
		c.tell(c.vqs[0], 5, 72) // of a split ring: one buffer up to number 5
		if got := r.receive(0, 32); !c.has(fPacked) && len(got) != 0 {
			t.Errorf("%d frames received", len(got))
		}
		err := r.dev.Trouble()
		if c.has(fPacked) && (err == nil || !strings.Contains(err.Error(), "used buffer 9, which it does not have")) {
			t.Errorf("%v", err)
		}
		if !c.has(fPacked) && (err == nil || !strings.Contains(err.Error(), "used 6 buffers up to number 5, and says 1")) {
			t.Errorf("%v", err)
		}
	})
}
