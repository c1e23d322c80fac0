package virtio_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"glassnic/driver/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

var (
	_ nic.Device    = (*virtio.Device)(nil)
	_ nic.Stopper   = (*virtio.Device)(nil)
	_ nic.Registers = (*virtio.Device)(nil)
)

// tb is what a rig needs of a test, be it go test's or rapid's.
type tb interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
	Cleanup(func())
}

// rig is the driver on a card.
type rig struct {
	t    tb
	card *card
	dev  *virtio.Device
}

// small are settings for which little memory is enough.
var small = nic.Config{RxRing: 64, TxRing: 64, Buffers: 640}

// open starts the driver on a card, on which any stray DMA fails the test.
func open(t tb, c *card, cfg nic.Config) *rig {
	t.Helper()
	d, err := nic.OpenFunction(context.Background(), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := c.space.InUse(); n != 0 {
			t.Errorf("%d bytes of DMA memory still allocated after Close", n)
		}
		for _, f := range c.space.Faults() {
			t.Error(f)
		}
		for _, f := range c.faults {
			t.Error(f)
		}
		if c.closed != 1 {
			t.Errorf("the function was closed %d times", c.closed)
		}
	})
	return &rig{t, c, d.(*virtio.Device)}
}

// step lets the card move everything that it can.
func (r *rig) step() {
	for range 1000 {
		if r.card.step() == 0 {
			return
		}
	}
	r.t.Fatal("the card does not come to rest")
}

// put has a frame arrive.
func (r *rig) put(data []byte) { r.card.in = append(r.card.in, data) }

// receive returns all frames that have arrived at a queue, copied, and frees their buffers.
func (r *rig) receive(queue, size int) (all [][]byte) {
	batch := make([]*packet.Buf, size)
	for {
		n := r.dev.RxQueue(queue).Receive(batch)
		if n == 0 {
			return all
		}
		for _, b := range batch[:n] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(batch[:n])
		r.step()
	}
}

// buf returns a buffer of the port's pool with a copy of data, in parts of at most part bytes.
func (r *rig) buf(data []byte, part int) *packet.Buf {
	r.t.Helper()
	var head, last *packet.Buf
	for first := true; first || len(data) > 0; first = false {
		var one [1]*packet.Buf
		if r.dev.Info().Pool.Alloc(one[:]) == 0 {
			r.t.Fatal("pool empty")
		}
		b, n := one[0], min(part, len(data))
		if !b.SetBytes(data[:n]) {
			r.t.Fatalf("%d bytes do not fit a buffer", n)
		}
		data = data[n:]
		if head == nil {
			head = b
		} else {
			last.SetNext(b)
		}
		last = b
	}
	return head
}

// send sends one frame in parts, stepping the card where the ring is full.
func (r *rig) send(queue int, data []byte, part int) {
	r.t.Helper()
	batch := []*packet.Buf{r.buf(data, part)}
	for range 3 {
		if r.dev.TxQueue(queue).Send(batch) == 1 {
			return
		}
		r.step()
	}
	r.t.Fatal("the ring stays full")
}

// frame makes a frame of n bytes to the card, filled with a pattern that seed chooses.
func frame(n int, seed byte) []byte {
	f := make([]byte, n)
	for i := range f {
		f[i] = byte(i)*7 + seed
	}
	copy(f, []byte{0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5})
	return f
}

// same compares frames in order.
func same(t tb, what string, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("%s: frame %d is %d bytes %.32x…, want %d bytes %.32x…", what, i, len(got[i]), got[i], len(want[i]), want[i])
		}
	}
}

// stats returns the port's statistics.
func (r *rig) stats() nic.Stats {
	r.t.Helper()
	s, err := r.dev.Stats()
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// brief is statistics without the card's own counters.
func brief(s nic.Stats) string {
	s.Counters = nil
	return fmt.Sprintf("%+v", s)
}

// shorten lets waits that a test makes fail end soon.
func shorten(t *testing.T, to time.Duration, names ...string) {
	t.Helper()
	t.Cleanup(virtio.LookOnce())
	for _, name := range names {
		p := virtio.Limits[name]
		if p == nil {
			t.Fatalf("no limit %q", name)
		}
		before := *p
		*p = to
		t.Cleanup(func() { *p = before })
	}
}
