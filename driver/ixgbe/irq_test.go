package ixgbe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/internal/wake"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

// waiters opens a trapped card with interrupts and returns its queues as waiters.
func waiters(t tb, kind irq.Kind, queues int, cfg model.Config) (*rig, []nic.Waiter) {
	t.Helper()
	s, w := card(t, cfg)
	s.Kind = kind
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{
		RxQueues: queues, RxRing: 64, TxRing: 64, Promiscuous: true, Interrupts: true,
	})}
	var all []nic.Waiter
	for i := range queues {
		all = append(all, r.dev.RxQueue(i).(nic.Waiter))
	}
	return r, all
}

// woken tells whether who sleeps on a queue is woken.
func woken(t tb, w nic.Waiter) bool {
	t.Helper()
	var s wake.Set
	s.Add(w.WaitFD())
	ok, err := s.Sleep(0)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// flows returns a frame for each queue of a port.
func flows(r *rig, queues int) [][]byte {
	r.t.Helper()
	to := make([][]byte, queues)
	for port, found := uint16(1), 0; found < queues; port++ {
		f := udp(r.t, port)
		r.wire.put(f)
		r.step()
		for q := range queues {
			if len(r.receiveFrom(q, 8)) == 1 && to[q] == nil {
				to[q] = f
				found++
			}
		}
	}
	return to
}

// udp makes a frame of a flow.
func udp(t tb, port uint16) []byte {
	t.Helper()
	tmpl, err := traffic.New(traffic.Spec{Template: traffic.UDP4, SrcPort: port})
	if err != nil {
		t.Fatal(err)
	}
	f := make([]byte, tmpl.Size(0))
	return f[:tmpl.Render(f, 0)]
}

// A worker that sleeps is woken by a frame for its queue, and by nothing else; one that polls costs no interrupts.
func TestWake(t *testing.T) {
	for _, k := range []struct {
		kind   irq.Kind
		queues int
	}{{irq.INTx, 1}, {irq.MSI, 1}, {irq.MSIX, 1}, {irq.MSIX, 3}, {irq.MSIX, 16}} {
		t.Run(fmt.Sprintf("%v %d queues", k.kind, k.queues), func(t *testing.T) {
			r, all := waiters(t, k.kind, k.queues, model.Config{})
			to := flows(r, k.queues)
			arrive := func(q int) {
				r.wire.put(to[q])
				r.step()
			}
			for range 3 {
				for q, w := range all {
					arrive(q)
					if n := len(r.receiveFrom(q, 8)); n != 1 || woken(t, w) {
						t.Fatalf("queue %d: %d frames, and who polls is woken: %v", q, n, woken(t, w))
					}
					// What came meanwhile is no reason to wake up.
					if !w.Arm() || woken(t, w) {
						t.Fatalf("queue %d: nothing to sleep for", q)
					}
					if k.queues > 1 {
						arrive((q + 1) % k.queues)
						if woken(t, w) {
							t.Errorf("queue %d was woken by a frame for another", q)
						}
						r.receiveFrom((q+1)%k.queues, 8)
					}
					arrive(q)
					if !woken(t, w) {
						t.Fatalf("queue %d was not woken", q)
					}
					w.Disarm()
					if woken(t, w) {
						t.Errorf("queue %d is still woken after Disarm", q)
					}
					if w.Arm() {
						t.Errorf("queue %d may sleep over a frame", q)
					}
					if n := len(r.receiveFrom(q, 8)); n != 1 || woken(t, w) {
						t.Errorf("queue %d: %d frames, woken: %v", q, n, woken(t, w))
					}
				}
			}
		})
	}
}

// All queues of a worker are armed before it sleeps: one must not take back what another has armed.
func TestArmAll(t *testing.T) {
	r, all := waiters(t, irq.MSIX, 4, model.Config{})
	to := flows(r, 4)
	for q := range all {
		for _, w := range all {
			if !w.Arm() {
				t.Fatal("nothing to sleep for")
			}
		}
		r.wire.put(to[q])
		r.step()
		for i, w := range all {
			if woken(t, w) != (i == q) {
				t.Errorf("frame for queue %d: queue %d woken: %v", q, i, woken(t, w))
			}
		}
		for _, w := range all {
			w.Disarm()
		}
		r.receiveFrom(q, 8)
	}
	// Disarming one leaves the others armed.
	all[0].Arm()
	all[1].Arm()
	all[0].Disarm()
	for q := range 2 {
		r.wire.put(to[q])
	}
	r.step()
	if woken(t, all[0]) || !woken(t, all[1]) {
		t.Errorf("woken: %v and %v, want only the one that is armed", woken(t, all[0]), woken(t, all[1]))
	}
}

// before calls a function before each access to a card.
type before struct {
	*model.Card
	do func()
}

func (b *before) Read32(off uint32) uint32 {
	b.do()
	return b.Card.Read32(off)
}

func (b *before) Write32(off, v uint32) {
	b.do()
	b.Card.Write32(off, v)
}

// A frame that comes in the middle of Arm, before whatever access it is, is never slept over; nor is one that
// comes in the middle of the Disarm before.
func TestNoLostWakeup(t *testing.T) {
	for _, kind := range []irq.Kind{irq.INTx, irq.MSI, irq.MSIX} {
		tried := 0
		for _, disarm := range []bool{false, true} {
			for at := range 8 {
				came := tryWakeup(t, kind, disarm, at)
				if came {
					tried++
				}
			}
		}
		if tried < 5 {
			t.Errorf("%v: only %d places were tried", kind, tried)
		}
	}
}

// tryWakeup has a frame come before access number at of Arm, or of a Disarm and the Arm after it. It tells
// whether there are so many.
func tryWakeup(t *testing.T, kind irq.Kind, disarm bool, at int) bool {
	s, wire := card(t, model.Config{})
	s.Kind = kind
	hook := &before{s.Card, func() {}}
	region := mmio.Trap(facts.BARSize, hook)
	fn := &function{Function: s.Function("sim:test"), region: &region}
	dev, err := nic.OpenFunction(t.Context(), fn, nic.Config{RxRing: 64, TxRing: 64, Interrupts: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	r := &rig{t: t, sim: s, wire: wire, dev: dev.(*ixgbe.Device)}
	// Once round the ring, so that Arm looks at its beginning.
	for i := range 64 {
		r.wire.put(frame(60, byte(i)))
		r.step()
		r.receive()
	}
	w, left, came := dev.RxQueue(0).(nic.Waiter), at, false
	if disarm {
		w.Arm()
	}
	hook.do = func() {
		if left == 0 {
			came = true
			r.wire.put(frame(60, 0))
			r.step()
		}
		left--
	}
	if disarm {
		w.Disarm()
	}
	sleeps := w.Arm()
	hook.do = func() {}
	if !came {
		return false
	}
	if sleeps && !woken(t, w) {
		t.Errorf("%v: a frame before access %d is slept over (with Disarm: %v)", kind, at, disarm)
	}
	w.Disarm()
	if n := len(r.receive()); n != 1 {
		t.Errorf("%d frames", n)
	}
	return true
}

// The mode of interrupts comes before what depends on it; a message clears and masks its cause (8.2.3.5).
func TestVectors(t *testing.T) {
	for _, k := range []struct {
		kind   irq.Kind
		queues int
		want   string
	}{
		{irq.MSIX, 3, "GPIE=0xc0000030 IVAR[0]=0x810080 IVAR[1]=0x82 EIAC=0x7 EIAM_EX[0]=0x7"},
		{irq.MSI, 1, "IVAR[0]=0x80"},
		{irq.INTx, 1, "IVAR[0]=0x80"},
	} {
		var order []string
		waiters(t, k.kind, k.queues, model.Config{Trace: func(e model.Event) {
			row, i := facts.Registers.Find(e.Off)
			if e.Write && (strings.HasPrefix(row.Section, "8.2.3.5") && row.Name != "EIMC") {
				order = append(order, fmt.Sprintf("%s=%#x", row.Label(i), e.Value))
			}
		}})
		if got := strings.Join(order, " "); got != k.want {
			t.Errorf("%v: %s, want %s", k.kind, got, k.want)
		}
	}
}

// Where queues and interrupts do not match there are none, and all else works.
func TestNoWaiters(t *testing.T) {
	for _, k := range []struct {
		kind   irq.Kind
		queues int
		ask    bool
	}{{irq.MSI, 2, true}, {irq.INTx, 2, true}, {irq.MSIX, 2, false}} {
		s, wire := card(t, model.Config{})
		s.Kind = k.kind
		r := &rig{t: t, sim: s, wire: wire, dev: openOn(t, s, nic.Config{RxQueues: k.queues, RxRing: 64, TxRing: 64, Interrupts: k.ask})}
		for q := range k.queues {
			w := r.dev.RxQueue(q).(nic.Waiter)
			if w.WaitFD() != -1 || w.Arm() {
				t.Errorf("%+v: queue %d waits for %d", k, q, w.WaitFD())
			}
			w.Disarm()
		}
		r.wire.put(frame(60, 0))
		r.step()
		same(t, "received", r.receive(), [][]byte{frame(60, 0)})
	}
}

// A card that is pulled while a worker arms or disarms costs no more than the limit, and the queue says what it
// is: nothing there.
func TestArmGone(t *testing.T) {
	shorten(t, time.Millisecond, "mask")
	r, all := waiters(t, irq.MSIX, 1, model.Config{})
	all[0].Arm()
	r.sim.Card.Inject(model.Pulled)
	r.wire.put(frame(60, 0))
	r.sim.Card.Step(1)
	if woken(t, all[0]) {
		t.Error("a card that is gone interrupts")
	}
	all[0].Disarm()
	all[0].Arm()
	all[0].Disarm()
	if n := len(r.receive()); n != 0 {
		t.Errorf("%d frames of a card that is gone", n)
	}
	r.wire.in = nil
}
