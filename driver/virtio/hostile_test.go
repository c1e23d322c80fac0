package virtio_test

import (
	"errors"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// What a lie costs is counted, and the next honest frames come through.
func TestLiesAreCounted(t *testing.T) {
	for _, l := range []struct {
		name            string
		lie             func(id, n uint32) (uint32, uint32)
		mtu             int
		dropped, errors uint64 // of 20 frames
	}{
		{"length beyond the buffer", func(id, _ uint32) (uint32, uint32) { return id, 12 + 2049 }, 1500, 20, 0},
		{"length beyond the buffer, jumbo", func(id, _ uint32) (uint32, uint32) { return id, 12 + 2049 }, 9000, 20, 0},
		{"longest length", func(id, _ uint32) (uint32, uint32) { return id, 1<<32 - 1 }, 1500, 20, 0},
		{"longest length, jumbo", func(id, _ uint32) (uint32, uint32) { return id, 1<<32 - 1 }, 9000, 20, 0},
		{"length beyond the MTU", func(id, _ uint32) (uint32, uint32) { return id, 12 + 1523 }, 1500, 0, 20},
		{"a header and nothing else", func(id, _ uint32) (uint32, uint32) { return id, 12 }, 1500, 20, 0},
		{"a header and nothing else, jumbo", func(id, _ uint32) (uint32, uint32) { return id, 12 }, 9000, 20, 0},
		{"half a header", func(id, _ uint32) (uint32, uint32) { return id, 5 }, 1500, 20, 0},
		{"half a header, jumbo", func(id, _ uint32) (uint32, uint32) { return id, 5 }, 9000, 20, 0},
		{"no length", func(id, _ uint32) (uint32, uint32) { return id, 0 }, 1500, 20, 0},
	} {
		t.Run(l.name, func(t *testing.T) {
			c := newCard()
			c.offered |= fMrg
			r := open(t, c, nic.Config{MTU: l.mtu, RxRing: 64, TxRing: 64, Buffers: 1024})
			c.lie = func(_ *vq, id, n uint32) (uint32, uint32) { return l.lie(id, n) }
			for i := range 20 {
				r.put(frame(1000, byte(i)))
			}
			r.step()
			if got := r.receive(0, 8); len(got) != 0 {
				t.Errorf("%d frames received", len(got))
			}
			if s := r.stats(); s.RxDropped != l.dropped || s.RxErrors != l.errors {
				t.Errorf("%d dropped, %d errors, want %d and %d", s.RxDropped, s.RxErrors, l.dropped, l.errors)
			}
			c.lie = nil
			var want [][]byte
			for i := range 100 {
				want = append(want, frame(1000, byte(i)))
				r.put(want[i])
			}
			r.step()
			same(t, "after the lies", r.receive(0, 32), want)
			if err := r.dev.Trouble(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The number of buffers of a frame is a lie: what belongs to it is dropped, or taken for one frame where that is not
// too long. Then honest frames come through.
func TestPieces(t *testing.T) {
	for _, l := range []struct{ pieces, wrong, lost int }{{0, 0, 0}, {2, 1, 1}, {5, 0, 4}, {65535, 0, 0}} {
		c := newCard()
		c.offered |= fMrg
		r := open(t, c, nic.Config{MTU: 9000, RxRing: 64, TxRing: 64, Buffers: 1024})
		c.pieces = l.pieces
		r.put(frame(1800, 0))
		r.step()
		c.pieces = -1
		if got := r.receive(0, 8); len(got) != 0 {
			t.Errorf("%d pieces: %d frames received", l.pieces, len(got))
		}
		var want [][]byte
		for i := range 100 {
			want = append(want, frame(2000, byte(i)))
			r.put(want[i])
		}
		r.step()
		same(t, "after the lie", r.receive(0, 32)[l.wrong:], want[l.lost:])
		if s := r.stats(); l.wrong == 0 && s.RxDropped+s.RxErrors != 1 {
			t.Errorf("%d pieces: %s", l.pieces, brief(s))
		}
	}
}

// A device that uses what it does not have stops its queue, which is told; every call returns, and all buffers
// come back.
func TestNonsense(t *testing.T) {
	for _, l := range []struct {
		name  string
		queue int
		lie   func(c *card, q *vq)
		want  string
	}{
		{"receive, id out of range", 0, func(c *card, q *vq) { c.tell(q, 64, 72) }, "used buffer 64 of 64"},
		{"receive, huge id", 0, func(c *card, q *vq) { c.tell(q, 1<<32-1, 72) }, "used buffer 4294967295"},
		{"receive, index jumps", 0, func(c *card, q *vq) { q.used += 65; c.tell(q, 0, 72) }, "used 66 buffers of 64"},
		{"receive, index goes back", 0, func(c *card, q *vq) { q.used -= 2; c.tell(q, 0, 72) }, "used 65535 buffers of 64"},
		{"transmit, id out of range", 1, func(c *card, q *vq) { c.tell(q, 64, 0) }, "used buffer 64"},
		{"transmit, id twice", 1, func(c *card, q *vq) { c.tell(q, 0, 0); c.tell(q, 0, 0) }, "used buffer 0, which it does not have"},
		{"transmit, never had", 1, func(c *card, q *vq) { c.tell(q, 7, 0) }, "used buffer 7, which"},
		{"transmit, index jumps", 1, func(c *card, q *vq) { q.used += 50; c.tell(q, 0, 0) }, "used 51 buffers of 3"},
	} {
		t.Run(l.name, func(t *testing.T) {
			c := newCard()
			r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640})
			for range 3 { // the device has three, and does nothing about them
				if r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(60, 0), 2048)}) != 1 {
					t.Fatal("not taken")
				}
			}
			l.lie(c, c.vqs[l.queue])
			for range 3 {
				r.dev.TxQueue(0).Send(nil)
				if got := r.receive(0, 32); len(got) != 0 {
					t.Errorf("%d frames received", len(got))
				}
			}
			err := r.dev.Trouble()
			if err == nil || !errors.Is(err, nic.ErrStalled) || !strings.Contains(err.Error(), l.want) {
				t.Errorf("%v", err)
			}
			if _, err := r.dev.Stats(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A buffer that is used twice to receive is taken twice: each time it is another one that lies there. None is lost.
func TestTwice(t *testing.T) {
	c := newCard()
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640})
	for range 10 {
		c.tell(c.vqs[0], 5, 72)
	}
	seen := map[*packet.Buf]bool{}
	batch := make([]*packet.Buf, 32)
	n := r.dev.RxQueue(0).Receive(batch)
	for _, b := range batch[:n] {
		if seen[b] {
			t.Error("a buffer came twice")
		}
		seen[b] = true
	}
	packet.Free(batch[:n])
	if n != 10 {
		t.Errorf("%d received", n)
	}
	c.faults = nil // the device's, not the driver's
}

// A device that cannot go on, or is unplugged, is told.
func TestTrouble(t *testing.T) {
	c := newCard()
	r := open(t, c, small)
	if err := r.dev.Trouble(); err != nil {
		t.Error(err)
	}
	c.status |= 64
	if err := r.dev.Trouble(); err == nil || !strings.Contains(err.Error(), "DEVICE_NEEDS_RESET") {
		t.Error(err)
	}
	c.status &^= 64
	c.trouble = errors.New("the bus burns")
	if err := r.dev.Trouble(); !errors.Is(err, c.trouble) {
		t.Error(err)
	}
	c.trouble = nil
	c.pulled = true
	_, link := r.dev.Link()
	_, stats := r.dev.Stats()
	_, regs := r.dev.Registers()
	for _, err := range []error{r.dev.Trouble(), link, stats, regs, r.dev.SetPromiscuous(true)} {
		if !errors.Is(err, nic.ErrGone) {
			t.Error(err)
		}
	}
	if got := r.receive(0, 8); len(got) != 0 {
		t.Error("frames of a device that is gone")
	}
}

func TestClosed(t *testing.T) {
	c := newCard()
	r := open(t, c, small)
	if err := r.dev.Stop(); err != nil {
		t.Error(err)
	}
	_, link := r.dev.Link()
	_, stats := r.dev.Stats()
	_, regs := r.dev.Registers()
	for _, err := range []error{link, stats, regs, r.dev.SetPromiscuous(true)} {
		if !errors.Is(err, nic.ErrClosed) {
			t.Error(err)
		}
	}
}

// The dump shows the common configuration.
func TestRegisters(t *testing.T) {
	r := open(t, newCard(), small)
	all, err := r.dev.Registers()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint32{}
	for _, x := range all {
		found[x.Name] = x.Value
	}
	if len(all) < 15 || found["device_status"] != 15 || found["num_queues"] != 3 {
		t.Errorf("%v", found)
	}
}
