package e1000_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	facts "glassnic/chip/e1000"
	"glassnic/nic"
	"glassnic/packet"
)

// After Close the card does no DMA, whatever is on the wire and in its rings; what it could still send it has sent.
func TestCloseDrains(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		for _, stuck := range []bool{false, true} {
			c = newCard(c.device)
			if stuck {
				shorten(t, 5*time.Millisecond, "drain")
			}
			r := open(t, c, small)
			c.full = true
			var want [][]byte
			for i := range 40 {
				want = append(want, frame(60+i, byte(i)))
				r.send(0, want[i], 200)
				r.put(want[i])
			}
			for range 30 {
				c.receive(c.in[0])
				c.in = c.in[1:]
			}
			held := make([]*packet.Buf, 4)
			packet.Free(held[:r.dev.RxQueue(0).Receive(held)])
			c.onAccess = func(e event) {
				if !e.write && e.off == facts.TDH(0) { // the card goes on while the driver waits for it
					c.full = stuck
					c.step()
				}
			}
			if err := r.dev.Close(); err != nil {
				t.Fatal(err)
			}
			if stuck {
				want = nil
			}
			same(t, "sent before the end", c.out, want)
			c.full = false
			if n := c.step(); n != 0 && len(c.out) != len(want) {
				t.Errorf("the card goes on: %d frames", n)
			}
			if n := c.space.InUse(); n != 0 {
				t.Errorf("%d bytes of DMA memory still allocated", n)
			}
		}
	})
}

// Of a card that never stops the memory is kept: nobody else may get it.
func TestNeverStops(t *testing.T) {
	shorten(t, time.Millisecond, "master", "reset", "drain")
	c := newCard(0x10d3)
	d, err := nic.OpenFunction(context.Background(), c, small)
	if err != nil {
		t.Fatal(err)
	}
	used := c.space.InUse()
	c.stuckMaster, c.stuckReset = true, true
	err = d.Close()
	if err == nil || !strings.Contains(err.Error(), "e1000 test:card: close: CTRL.RST still set") || !strings.Contains(err.Error(), "may still write") || !strings.Contains(err.Error(), "power-cycle") {
		t.Errorf("close: %v", err)
	}
	if n := c.space.InUse(); n != used {
		t.Errorf("%d of %d bytes kept", n, used)
	}
	if err := d.Close(); err != nil || c.closed != 1 {
		t.Errorf("second close: %v, the function closed %d times", err, c.closed)
	}
}

// A buffer that the application still holds is told by Close, and nothing is pulled from under it.
func TestCloseTellsLeaks(t *testing.T) {
	c := newCard(0x10c9)
	d, err := nic.OpenFunction(context.Background(), c, small)
	if err != nil {
		t.Fatal(err)
	}
	c.in = [][]byte{frame(60, 1)}
	c.step()
	batch := make([]*packet.Buf, 4)
	if n := d.RxQueue(0).Receive(batch); n != 1 {
		t.Fatalf("%d frames", n)
	}
	pool := d.Info().Pool
	if err := d.Close(); !errors.Is(err, packet.ErrLeaked) || !strings.Contains(err.Error(), "1 of 640") {
		t.Errorf("close: %v", err)
	}
	same(t, "still there", [][]byte{batch[0].AppendTo(nil)}, [][]byte{frame(60, 1)})
	packet.Free(batch[:1])
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}
