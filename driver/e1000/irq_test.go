package e1000_test

import (
	"fmt"
	"strings"
	"testing"

	"glassnic/bus/irq"
	facts "glassnic/chip/e1000"
	"glassnic/nic"
	"glassnic/packet"
)

// waiters opens a card with interrupts and returns its queues as waiters.
func waiters(t *testing.T, c *card, kind irq.Kind, vectors, queues int) (*rig, []nic.Waiter) {
	t.Helper()
	c.set = &interrupts{kind: kind, vectors: vectors}
	cfg := nic.Config{RxQueues: queues, RxRing: 64, TxRing: 64, Interrupts: true}
	r := open(t, c, cfg)
	var all []nic.Waiter
	for i := range queues {
		all = append(all, r.dev.RxQueue(i).(nic.Waiter))
	}
	return r, all
}

// A worker that sleeps is woken by a frame for its queue, and by nothing else; one that polls costs no interrupts.
func TestWake(t *testing.T) {
	for _, k := range []struct {
		device  uint16
		kind    irq.Kind
		vectors int
		queues  int
	}{
		{0x100e, irq.INTx, 1, 1}, {0x10d3, irq.INTx, 1, 1}, {0x10c9, irq.INTx, 1, 1},
		{0x10d3, irq.MSI, 1, 1}, {0x10c9, irq.MSI, 1, 1}, {0x10a7, irq.MSI, 1, 1},
		{0x10d3, irq.MSIX, 5, 1}, {0x10c9, irq.MSIX, 10, 10}, {0x1521, irq.MSIX, 10, 7}, {0x1533, irq.MSIX, 5, 4},
	} {
		t.Run(fmt.Sprintf("%04x %v %d queues", k.device, k.kind, k.queues), func(t *testing.T) {
			c := newCard(k.device)
			c.queue = func(f []byte) int { return int(f[14]) }
			r, all := waiters(t, c, k.kind, k.vectors, k.queues)
			arrive := func(q int) {
				f := frame(60, 0)
				f[14] = byte(q)
				r.put(f)
				r.step()
			}
			events := c.set.events
			if len(events) != k.queues {
				t.Fatalf("%d events", len(events))
			}
			for q, w := range all {
				if w.WaitFD() != events[q].FD() {
					t.Errorf("queue %d waits for %d, its event is %d", q, w.WaitFD(), events[q].FD())
				}
			}
			for round := range 3 {
				for q, w := range all {
					// Who polls is not woken.
					arrive(q)
					if n := len(r.receive(q, 8)); n != 1 || events[q].total != round {
						t.Fatalf("queue %d: %d frames, woken %d times", q, n, events[q].total)
					}
					// What came meanwhile is no reason to wake up.
					if !w.Arm() {
						t.Fatalf("queue %d: nothing to sleep for", q)
					}
					if events[q].fired != 0 {
						t.Errorf("queue %d was woken by a frame that it has", q)
					}
					// A frame for another queue wakes another.
					if k.queues > 1 {
						arrive((q + 1) % k.queues)
						r.receive((q+1)%k.queues, 8)
						if events[q].fired != 0 {
							t.Errorf("queue %d was woken by a frame for another", q)
						}
					}
					arrive(q)
					if events[q].fired == 0 {
						t.Fatalf("queue %d was not woken", q)
					}
					w.Disarm()
					if events[q].fired != 0 {
						t.Errorf("queue %d is still woken after Disarm", q)
					}
					events[q].total = round + 1
					// There is a frame: nobody may sleep.
					if w.Arm() {
						t.Errorf("queue %d may sleep over a frame", q)
					}
					if n := len(r.receive(q, 8)); n != 1 {
						t.Errorf("queue %d: %d frames", q, n)
					}
				}
			}
			if err := r.dev.Close(); err != nil || c.set.ended != 1 {
				t.Errorf("close: %v, interrupts ended %d times", err, c.set.ended)
			}
		})
	}
}

// A frame that comes in the middle of Arm, whatever access it is, is never slept over.
func TestNoLostWakeup(t *testing.T) {
	for _, k := range []struct {
		device uint16
		kind   irq.Kind
	}{{0x100e, irq.INTx}, {0x10d3, irq.MSI}, {0x10d3, irq.MSIX}, {0x10c9, irq.MSI}, {0x10c9, irq.MSIX}} {
		for at := range 6 {
			c := newCard(k.device)
			r, all := waiters(t, c, k.kind, 5, 1)
			// Once round the ring, so that Arm looks at its beginning.
			for i := range 64 {
				r.put(frame(60, byte(i)))
				r.step()
				r.receive(0, 1)
			}
			woken, left, came := c.set.events[0], at, false
			c.onAccess = func(_ event) {
				if left == 0 && !came {
					came = true
					c.receive(frame(60, 0))
				}
				left--
			}
			sleeps := all[0].Arm()
			if !came {
				continue
			}
			if sleeps && woken.fired == 0 {
				t.Errorf("%04x %v: a frame at access %d of Arm is slept over", k.device, k.kind, at)
			}
			c.onAccess = nil
			if n := len(r.receive(0, 4)); n != 1 {
				t.Errorf("%d frames", n)
			}
		}
	}
}

// The mode of interrupts comes before what depends on it (I210 7.3.3.11); a message clears and masks its cause.
func TestVectors(t *testing.T) {
	c := newCard(0x10c9)
	waiters(t, c, irq.MSIX, 10, 3)
	var order []string
	for _, e := range c.trace {
		switch label := c.label(e.off); {
		case !e.write:
		case label == "GPIE" || label == "EIAC" || label == "EIAM" || strings.HasPrefix(label, "IVAR"):
			order = append(order, fmt.Sprintf("%s=%#x", label, e.value))
		}
	}
	want := "GPIE=0xc0000011 IVAR[0]=0x80 IVAR[1]=0x81 IVAR[2]=0x82 EIAC=0x7 EIAM=0x7"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c = newCard(0x10d3)
	waiters(t, c, irq.MSIX, 5, 1)
	if c.regs[facts.IVAR_82574] != 8 || c.regs[facts.EIAC_82574] != 1<<20 || c.regs[facts.CTRL_EXT]>>31 == 0 || c.regs[facts.RFCTL]&(1<<12) == 0 {
		t.Errorf("IVAR %#x, EIAC %#x, CTRL_EXT %#x, RFCTL %#x", c.regs[facts.IVAR_82574], c.regs[facts.EIAC_82574], c.regs[facts.CTRL_EXT], c.regs[facts.RFCTL])
	}
}

// Where queues and interrupts do not match there are none, and all else works.
func TestNoWaiters(t *testing.T) {
	for _, k := range []struct {
		device  uint16
		kind    irq.Kind
		vectors int
		queues  int
		ask     bool
	}{
		{0x10c9, irq.MSI, 1, 2, true},   // an MSI does not tell which queue
		{0x10c9, irq.MSI, 8, 2, true},   // however many there are
		{0x10c9, irq.MSIX, 1, 2, true},  // too few vectors
		{0x10a7, irq.MSIX, 10, 2, true}, // the 82575 gives vectors in another way
		{0x150c, irq.MSIX, 5, 1, true},  // the 82583 has none
		{0x10c9, irq.MSIX, 10, 2, false},
	} {
		c := newCard(k.device)
		c.set = &interrupts{kind: k.kind, vectors: k.vectors}
		r := open(t, c, nic.Config{RxQueues: k.queues, RxRing: 64, TxRing: 64, Interrupts: k.ask})
		for q := range k.queues {
			w := r.dev.RxQueue(q).(nic.Waiter)
			if w.WaitFD() != -1 || w.Arm() {
				t.Errorf("%+v: queue %d waits for %d", k, q, w.WaitFD())
			}
			w.Disarm()
		}
		if c.set.events != nil || c.regs[facts.IMS]|c.regs[facts.EIMS] != 0 {
			t.Errorf("%+v: interrupts are on", k)
		}
		r.put(frame(60, 0))
		r.step()
		same(t, "received", r.receive(0, 4), [][]byte{frame(60, 0)})
	}
	// A provider without interrupts.
	c := newCard(0x10d3)
	r := open(t, c, nic.Config{Interrupts: true, RxRing: 64, TxRing: 64})
	if fd := r.dev.RxQueue(0).(nic.Waiter).WaitFD(); fd != -1 {
		t.Errorf("WaitFD %d", fd)
	}
}

// With the pool empty there is a frame all the same.
func TestArmStarved(t *testing.T) {
	c := newCard(0x10d3)
	c.set = &interrupts{kind: irq.MSIX, vectors: 5}
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 64 + 64, Interrupts: true})
	var held []*packet.Buf
	batch := make([]*packet.Buf, 64)
	for i := range 200 {
		r.put(frame(60, byte(i)))
		r.step()
		held = append(held, batch[:r.dev.RxQueue(0).Receive(batch)]...)
	}
	if r.dev.RxQueue(0).(nic.Waiter).Arm() {
		t.Error("the worker may sleep while frames wait for buffers")
	}
	packet.Free(held)
}
