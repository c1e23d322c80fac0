package ixgbe_test

import (
	"errors"
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
)

func (r *rig) link() nic.Link {
	r.t.Helper()
	l, err := r.dev.Link()
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func TestLinkSpeeds(t *testing.T) {
	// Speeds of LINKS by device (8.2.3.22.20, and the X550's datasheet).
	const up, odd = uint32(1 << 30), uint32(1 << 27)
	for _, c := range []struct {
		device uint16
		links  uint32
		want   nic.Link
	}{
		{0x10fb, 0, nic.Link{}},
		{0x10fb, 3 << 28, nic.Link{}},
		{0x10fb, up | 3<<28, nic.Link{Up: true, Speed: 10000}},
		{0x10fb, up | 2<<28, nic.Link{Up: true, Speed: 1000}},
		{0x10fb, up | 1<<28, nic.Link{Up: true, Speed: 100}},
		{0x10fb, up, nic.Link{Up: true}},
		{0x10fb, up | odd | 3<<28, nic.Link{Up: true, Speed: 10000}},
		{0x1528, up | 3<<28, nic.Link{Up: true, Speed: 10000}},
		{0x1563, up | 3<<28, nic.Link{Up: true, Speed: 10000}},
		{0x1563, up | odd | 3<<28, nic.Link{Up: true, Speed: 2500}},
		{0x1563, up | odd | 1<<28, nic.Link{Up: true, Speed: 5000}},
		{0x1563, up | odd | 2<<28, nic.Link{Up: true, Speed: 1000}},
		{0x15c8, up | 1<<28, nic.Link{Up: true, Speed: 100}},
	} {
		b := newBlank()
		b.device = c.device
		d, err := ixgbe.Prepare(b, nic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		b.set(facts.LINKS, c.links)
		if l, err := d.Link(); err != nil || l != c.want {
			t.Errorf("device %04x, LINKS %#x: %+v, %v, want %+v", c.device, c.links, l, err, c.want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLinkDown(t *testing.T) {
	r := open(t, nic.Config{})
	if l := r.link(); l != (nic.Link{Up: true, Speed: 10000}) {
		t.Fatalf("after open: %+v", l)
	}
	for i := range 10 { // flap: nothing is lost on either way
		down, up := frame(60, byte(2*i)), frame(60, byte(2*i+1))
		r.wire.down = true
		r.sim.Card.Step(256)
		if l := r.link(); l.Up {
			t.Fatalf("the cable is out, and the link is %+v", l)
		}
		r.wire.put(down)
		r.send(down, 60)
		r.step()
		if got := r.receive(); len(got)+len(r.wire.out) != 0 {
			t.Fatal("a frame passed a link that is down")
		}
		r.wire.down = false
		r.sim.Card.Step(256)
		if l := r.link(); !l.Up {
			t.Fatal("the cable is in, and the link is down")
		}
		r.wire.put(up)
		r.send(up, 60)
		r.step()
		same(t, "received", r.receive(), [][]byte{down, up})
		same(t, "sent", r.wire.out, [][]byte{down, up})
		r.wire.out = nil
	}
}

func TestLinkWait(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  nic.Config
		up   bool
		wait time.Duration
	}{
		{"none", nic.Config{LinkWait: noWait}, false, 0},
		{"in vain", nic.Config{LinkWait: 20 * time.Millisecond}, false, 20 * time.Millisecond},
		{"until up", nic.Config{}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			looked := 0
			var s *sim.Trapped
			s, w := card(t, model.Config{Trace: func(e model.Event) {
				if e.Off != facts.LINKS {
					return
				}
				if looked++; looked == 5 && c.up {
					s.Card.Heal(model.LinkDown)
				}
			}})
			s.Card.Inject(model.LinkDown)
			begin := time.Now()
			r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, c.cfg)}
			if l := r.link(); l.Up != c.up {
				t.Errorf("link %+v", l)
			}
			if took := time.Since(begin); took < c.wait {
				t.Errorf("waited %v, want %v", took, c.wait)
			}
			if c.cfg.LinkWait < 0 && looked > 1 {
				t.Errorf("looked at the link %d times without being asked to wait", looked)
			}
		})
	}
}

func TestGone(t *testing.T) {
	r := open(t, nic.Config{})
	r.sim.Card.Inject(model.Pulled)
	d := r.dev
	for what, err := range map[string]error{
		"link":        second(d.Link()),
		"statistics":  second(d.Stats()),
		"registers":   second(d.Registers()),
		"promiscuous": d.SetPromiscuous(true),
		"multicast":   d.SetAllMulticast(true),
		"MAC":         d.SetMAC([]byte{2, 0, 0, 0, 0, 1}),
		"LED":         d.SetLED(0, nic.LEDOn),
	} {
		if !errors.Is(err, nic.ErrGone) {
			t.Errorf("%s of a card that was pulled: %v", what, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for what, err := range map[string]error{
		"link":        second(d.Link()),
		"statistics":  second(d.Stats()),
		"registers":   second(d.Registers()),
		"promiscuous": d.SetPromiscuous(true),
		"multicast":   d.SetMulticast(nil),
		"MAC":         d.SetMAC([]byte{2, 0, 0, 0, 0, 1}),
		"LED":         d.SetLED(0, nic.LEDOn),
	} {
		if !errors.Is(err, nic.ErrClosed) {
			t.Errorf("%s of a closed port: %v", what, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
