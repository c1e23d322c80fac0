package e1000_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"glassnic/bus/irq"
	facts "glassnic/chip/e1000"
	"glassnic/nic"
)

// refused opens a card that must not open, and makes sure that nothing is left behind.
func refused(t *testing.T, ctx context.Context, c *card, cfg nic.Config) error {
	t.Helper()
	d, err := nic.OpenFunction(ctx, c, cfg)
	if err == nil {
		d.Close()
		t.Fatal("no error")
	}
	if n := c.space.InUse(); n != 0 || c.closed != 1 {
		t.Errorf("%v: %d bytes still allocated, the function closed %d times", err, n, c.closed)
	}
	return err
}

// What sticks at the start is named, with the step and the cure.
func TestStuck(t *testing.T) {
	shorten(t, time.Millisecond, "reset", "EEPROM", "queue", "master", "config", "PHY", "drain")
	for _, c := range []struct {
		name    string
		device  uint16
		prepare func(c *card)
		want    string
	}{
		{"reset", 0x100e, func(c *card) { c.stuckReset = true }, "reset: CTRL.RST still set after 1s"},
		{"reset", 0x10d3, func(c *card) { c.stuckReset = true }, "reset: CTRL.RST still set after 1s"},
		{"EEPROM", 0x10d3, func(c *card) { c.stuckEEPROM = true }, "reset: EEPROM auto-read not done after 1s (EEC.AUTO_RD, 82574 10.2.2): is the EEPROM programmed?"},
		{"PHY", 0x100e, func(c *card) { c.stuckPHY = true }, "link: the PHY does not answer"},
		{"PHY", 0x10c9, func(c *card) { c.stuckPHY = true }, "link: the PHY does not answer"},
		{"PHY error", 0x10d3, func(c *card) { c.phyError = true }, "link: error in an access to the PHY"},
		{"firmware", 0x10d3, func(c *card) { c.firmwareHasPHY = true }, "link: firmware keeps the PHY"},
		{"firmware", 0x10c9, func(c *card) { c.firmwareHasPHY = true }, "link: firmware keeps the PHY"},
		{"semaphore", 0x10c9, func(c *card) { c.firmwareHasSemaphore = true }, "link: firmware keeps the semaphore"},
		{"receive queue on", 0x10c9, func(c *card) { c.stuckOn = "RXDCTL[0]" }, "receive queues: RXDCTL.ENABLE still set"},
		{"receive queue off", 0x10c9, func(c *card) { c.stuckOff = "RXDCTL[0]" }, "receive queues: RXDCTL.ENABLE not set"},
		{"transmit queue on", 0x1521, func(c *card) { c.stuckOn = "TXDCTL[0]" }, "transmit queues: TXDCTL.ENABLE still set"},
		{"transmit queue off", 0x1521, func(c *card) { c.stuckOff = "TXDCTL[0]" }, "transmit queues: TXDCTL.ENABLE not set"},
		{"pulled", 0x10c9, func(c *card) { c.pulled = true }, "reset: registers read as all ones"},
		{"BAR", 0x10d3, func(c *card) { c.mapped = errors.New("no such BAR") }, "map BAR 0: no such BAR"},
		{"small BAR", 0x10d3, func(c *card) { c.barSize = 0x4000 }, "map BAR 0: 16384 bytes of registers, want 131072: is this an 82574?"},
		{"fiber", 0x10c9, func(c *card) {
			c.onAccess = func(e event) { c.regs[facts.CTRL_EXT] |= 3 << 22 }
		}, "link: the port is not set up for its built-in copper PHY"},
		{"interrupts", 0x10c9, func(c *card) { c.set = &interrupts{kind: irq.MSIX, vectors: 9, err: errors.New("no eventfd")} }, "interrupts: no eventfd"},
		{"interrupts", 0x10c9, func(c *card) { c.set = &interrupts{kind: irq.MSIX, vectors: 9, enable: errors.New("no vectors left")} }, "interrupts: no vectors left"},
	} {
		t.Run(fmt.Sprintf("%s of %04x", c.name, c.device), func(t *testing.T) {
			card := newCard(c.device)
			c.prepare(card)
			d, err := nic.OpenFunction(context.Background(), card, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640, Interrupts: true})
			if err == nil {
				d.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), "e1000 test:card: "+c.want) || card.closed != 1 {
				t.Errorf("%v, want %q; the function closed %d times", err, c.want, card.closed)
			}
			if n := card.space.InUse(); n != 0 {
				t.Errorf("%d bytes kept", n)
			}
			if errors.Is(err, nic.ErrGone) != card.pulled {
				t.Errorf("%v: is it ErrGone?", err)
			}
		})
	}
}

// What is merely late or absent is no error: DMA that does not say that it ended, no EEPROM, no firmware, a
// semaphore that a dead process left taken, a link that is down.
func TestTolerated(t *testing.T) {
	shorten(t, time.Millisecond, "master", "config")
	shorten(t, 20*time.Millisecond, "PHY")
	c := newCard(0x10c9)
	c.stuckMaster, c.stuckEEPROM, c.noConfig, c.down = true, true, true, true
	c.onAccess = func(e event) {
		if e.off == facts.STATUS && c.resets == 1 {
			c.regs[facts.SWSM], c.regs[facts.SW_FW_SYNC] = 1, 2
			c.onAccess = nil
		}
	}
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, LinkWait: time.Millisecond})
	if l, err := r.dev.Link(); err != nil || l.Up {
		t.Errorf("link %+v, %v", l, err)
	}
	if c.regs[facts.SWSM]&^1 != 0 || c.regs[facts.SW_FW_SYNC] != 0 {
		t.Errorf("SWSM %#x, SW_FW_SYNC %#x", c.regs[facts.SWSM], c.regs[facts.SW_FW_SYNC])
	}
	if c.phy[0] != 0x1000 || c.phy[4] != 0x01e1 || c.phy[9] != 0x0200 {
		t.Errorf("PHY registers %#x", c.phy[:10])
	}
}

// A card may be pulled at any moment: whatever access it is, Open says so, and nothing is left behind.
func TestPulledAtAnyTime(t *testing.T) {
	shorten(t, time.Millisecond, "reset", "EEPROM", "queue", "master", "config", "PHY", "drain")
	forFamilies(t, func(t *testing.T, c *card) {
		open(t, c, small)
		accesses := len(c.trace)
		for at := range accesses {
			c := newCard(c.device)
			left := at
			c.onAccess = func(event) {
				c.pulled = c.pulled || left == 0
				left--
			}
			d, err := nic.OpenFunction(context.Background(), c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640, LinkWait: noWait})
			// The last accesses are those of awaiting the link.
			if err == nil {
				if at < accesses-10 {
					t.Errorf("pulled at access %d of %d: open", at, accesses)
				}
				if _, err := d.Stats(); !errors.Is(err, nic.ErrGone) {
					t.Errorf("stats: %v", err)
				}
				err = d.Close()
				if err != nil {
					t.Errorf("close: %v", err)
				}
			} else if !errors.Is(err, nic.ErrGone) {
				t.Fatalf("pulled at access %d of %d: %v", at, accesses, err)
			}
			if n := c.space.InUse(); n != 0 || c.closed != 1 {
				t.Fatalf("pulled at access %d: %d bytes still allocated, the function closed %d times", at, n, c.closed)
			}
		}
	})
}

// A start can be given up while it waits.
func TestCancelled(t *testing.T) {
	for name, prepare := range map[string]func(c *card){
		"reset": func(c *card) { c.stuckReset = true },
		"PHY":   func(c *card) { c.stuckPHY = true },
		"queue": func(c *card) { c.stuckOff = "TXDCTL[0]" },
		"link":  func(c *card) { c.down = true },
	} {
		c := newCard(0x10c9)
		prepare(c)
		ctx, cancel := context.WithCancel(context.Background())
		looks := map[uint32]int{}
		c.onAccess = func(e event) {
			if e.write {
				clear(looks)
			}
			if looks[e.off]++; looks[e.off] == 150 {
				c.stuckReset = false // so that Close succeeds
				cancel()
			}
		}
		cfg := small
		cfg.LinkWait = time.Hour
		if err := refused(t, ctx, c, cfg); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// After Close, and on a card that was pulled, every method says so.
func TestClosedAndGone(t *testing.T) {
	for _, pulled := range []bool{false, true} {
		c := newCard(0x10c9)
		r := open(t, c, small)
		want := nic.ErrClosed
		if pulled {
			c.pulled, want = true, nic.ErrGone
		} else if err := r.dev.Close(); err != nil {
			t.Fatal(err)
		}
		_, link := r.dev.Link()
		_, stats := r.dev.Stats()
		_, regs := r.dev.Registers()
		for name, err := range map[string]error{
			"Link": link, "Stats": stats, "Registers": regs, "SetPromiscuous": r.dev.SetPromiscuous(true),
			"SetAllMulticast": r.dev.SetAllMulticast(true), "SetMulticast": r.dev.SetMulticast(nil),
			"SetMAC": r.dev.SetMAC([]byte{2, 0, 0, 0, 0, 1}), "SetLED": r.dev.SetLED(0, nic.LEDOn),
		} {
			if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "e1000 test:card: ") {
				t.Errorf("pulled %v: %s: %v", pulled, name, err)
			}
		}
		if err := r.dev.Close(); err != nil {
			t.Error(err)
		}
	}
}
