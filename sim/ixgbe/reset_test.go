package ixgbe

import (
	"strings"
	"testing"
	"time"

	chip "glassnic/chip/ixgbe"
)

// A clock that a test moves.
type clock struct{ now time.Duration }

func (c *clock) read() time.Duration { return c.now }

func TestResetHandshakes(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		clk := &clock{now: time.Hour}
		r := newRig(t, polled, func(c *Config) { c.Clock = clk.read })
		is := func(off, mask, want uint32, when string) {
			t.Helper()
			r.step(0)
			if v := r.reg.Read32(off) & mask; v != want {
				t.Errorf("%s: %s = %#x, want %#x", when, Event{Off: off}, v, want)
			}
		}
		clk.now += time.Second
		is(chip.EEC, chip.EecARD, chip.EecARD, "a second after power-on")
		is(chip.LINKS, chip.LinksUP|chip.LinksSPEED, chip.LinksUP|chip.LinksSPEED10G, "a second after power-on")

		r.reg.Write32(chip.LEDCTL, 0x12345678)
		r.reg.Write32(chip.RAL(0), 1)
		r.reg.Write32(chip.CTRL, chip.CtrlRST)
		is(chip.CTRL, chip.CtrlRST, chip.CtrlRST, "just after RST")
		is(chip.EEC, chip.EecARD, 0, "just after RST")
		is(chip.RDRXCTL, chip.RdrxctlDMAIDONE, 0, "just after RST")
		is(chip.LINKS, chip.LinksUP, 0, "just after RST")
		clk.now += resetTime
		is(chip.CTRL, chip.CtrlRST, 0, "after the reset time")
		is(chip.EEC, chip.EecARD, 0, "after the reset time")
		clk.now += ardTime - resetTime
		is(chip.EEC, chip.EecARD, chip.EecARD, "after the auto read")
		is(chip.RDRXCTL, chip.RdrxctlDMAIDONE, 0, "after the auto read")
		clk.now += dmaTime - ardTime
		is(chip.RDRXCTL, chip.RdrxctlDMAIDONE, chip.RdrxctlDMAIDONE, "after the DMA init")
		is(chip.LINKS, chip.LinksUP, 0, "after the DMA init")
		clk.now += linkTime - dmaTime
		is(chip.LINKS, chip.LinksUP, chip.LinksUP, "after the link time")
		is(chip.STATUS, chip.StatusLinkUp|chip.StatusGIO, chip.StatusLinkUp|chip.StatusGIO, "after the link time")
		is(chip.LEDCTL, ^uint32(0), 0x05040100, "after a reset")
		is(chip.RAL(0), ^uint32(0), 0x82000002, "after a reset")
		is(chip.RAH(0), ^uint32(0), chip.RahAV|0x9059, "after a reset")
		is(chip.EICR, chip.EicrLSC, chip.EicrLSC, "after the link came")

		r.reg.Set(chip.AUTOC, chip.AutocRestartAN)
		is(chip.AUTOC, chip.AutocRestartAN, 0, "after a restart of the link")
		is(chip.LINKS, chip.LinksUP, 0, "after a restart of the link")
		clk.now += linkTime
		is(chip.LINKS, chip.LinksUP, chip.LinksUP, "after the link time")
	})
}

func TestStuckHandshakes(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, c := range []struct {
			fault     Faults
			off, mask uint32
			after     uint32
		}{
			{StuckReset, chip.CTRL, chip.CtrlRST, 0},
			{EEPROMNeverReady, chip.EEC, chip.EecARD, chip.EecARD},
			{DMANeverReady, chip.RDRXCTL, chip.RdrxctlDMAIDONE, chip.RdrxctlDMAIDONE},
			{LinkDown, chip.LINKS, chip.LinksUP, chip.LinksUP},
		} {
			r := newRig(t, polled)
			r.card.Inject(c.fault)
			r.reg.Write32(chip.CTRL, chip.CtrlRST)
			r.step(0)
			if r.wait(c.off, c.mask, c.after) {
				t.Errorf("fault %#x: %s comes all the same", c.fault, Event{Off: c.off})
			}
			r.card.Heal(c.fault)
			if !r.wait(c.off, c.mask, c.after) {
				t.Errorf("fault %#x healed: %s does not come", c.fault, Event{Off: c.off})
			}
		}
	})
}

func TestStuckEnable(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.card.Inject(StuckRxEnable | StuckTxEnable)
		r.reg.Write32(chip.DMATXCTL, chip.DmatxctlTE)
		for _, off := range []uint32{chip.RXDCTL(3), chip.TXDCTL(3)} {
			r.reg.Write32(chip.RDLEN(3), 1024)
			r.reg.Write32(chip.TDLEN(3), 1024)
			r.reg.Write32(off, enable)
			r.step(0)
			if r.reg.Read32(off)&enable != 0 {
				t.Errorf("%s reads as enabled", Event{Off: off})
			}
		}
	})
}

// The order of 4.6.8: TXDCTL.ENABLE is not there before DMATXCTL.TE; that of 4.6.7: RXDCTL.ENABLE is there
// without RXCTRL.RXEN, which is set last.
func TestEnableOrder(t *testing.T) {
	r := newRig(t, false)
	r.start()
	ring := r.alloc(1024)
	for _, off := range []uint32{chip.RDBAL(5), chip.TDBAL(5)} {
		r.reg.Write32(off, uint32(ring.IOVA))
		r.reg.Write32(off+atBAH, uint32(ring.IOVA>>32))
		r.reg.Write32(off+atLEN, 1024)
		r.reg.Write32(off+atCtl, enable)
	}
	if r.reg.Read32(chip.RXDCTL(5))&enable == 0 {
		t.Error("RXDCTL.ENABLE does not come before RXEN")
	}
	if r.reg.Read32(chip.TXDCTL(5))&enable != 0 {
		t.Error("TXDCTL.ENABLE comes before DMATXCTL.TE")
	}
	r.reg.Write32(chip.DMATXCTL, chip.DmatxctlTE)
	if r.reg.Read32(chip.TXDCTL(5))&enable == 0 {
		t.Error("TXDCTL.ENABLE does not come after DMATXCTL.TE")
	}
	r.reg.Write32(chip.TXDCTL(5), 0)
	if r.reg.Read32(chip.TXDCTL(5))&enable != 0 {
		t.Error("TXDCTL.ENABLE stays")
	}
}

func TestMasterDisable(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
		move := func() int {
			r.port.push(frame(60, 1))
			tx.send(frame(60, 2))
			tx.kick()
			r.port.out = nil
			r.step(256)
			return len(rx.take()) + len(r.port.out)
		}
		if n := move(); n != 2 {
			t.Fatalf("moved %d frames, want 2", n)
		}
		r.reg.Set(chip.CTRL, chip.CtrlGIODIS)
		if !r.wait(chip.STATUS, chip.StatusGIO, 0) {
			t.Fatal("STATUS.GIO stays set")
		}
		if n := move(); n != 0 {
			t.Fatalf("moved %d frames while master disable is set", n)
		}
		r.reg.Clear(chip.CTRL, chip.CtrlGIODIS)
		if !r.wait(chip.STATUS, chip.StatusGIO, chip.StatusGIO) {
			t.Fatal("STATUS.GIO does not come back")
		}
		if n := move(); n != 4 {
			t.Fatalf("moved %d frames afterwards, want 4", n)
		}
		r.card.SetBusMaster(false)
		if n := move(); n != 0 {
			t.Fatalf("moved %d frames without bus mastering", n)
		}
		r.card.SetBusMaster(true)
		if n := move(); n != 4 {
			t.Fatalf("moved %d frames with bus mastering again, want 4", n)
		}
		r.card.Inject(StuckMaster)
		r.reg.Set(chip.CTRL, chip.CtrlGIODIS)
		if r.wait(chip.STATUS, chip.StatusGIO, 0) {
			t.Error("STATUS.GIO clears in spite of the fault")
		}
	})
}

func TestPulled(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		r.card.Inject(Pulled)
		r.step(0)
		for _, off := range []uint32{chip.CTRL, chip.STATUS, chip.RDH(0), chip.GPRC, 0x1FFFC} {
			if v := r.reg.Read32(off); v != ^uint32(0) {
				t.Errorf("%s = %#x", Event{Off: off}, v)
			}
		}
		r.port.push(frame(60, 1))
		if n := r.step(16); n != 0 || len(rx.take()) != 0 {
			t.Error("a card that is not there moves frames")
		}
		r.card.Heal(Pulled)
		r.step(0)
		if !r.wait(chip.LINKS, chip.LinksUP, chip.LinksUP) || r.reg.Read32(chip.RXDCTL(0))&enable != 0 {
			t.Error("the card is not as after power-on")
		}
	})
}

func TestLinkFlap(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		tx := r.tx(0, 64)
		r.reg.Write32(chip.EICR, ^uint32(0))
		if !polled {
			r.reg.Read32(chip.EICR)
		} else {
			r.reg.Write32(chip.EICR, 0)
		}
		r.port.down = true
		tx.send(frame(60, 1))
		tx.kick()
		r.step(16)
		if r.reg.Read32(chip.LINKS)&chip.LinksUP != 0 || len(r.port.out) != 0 {
			t.Error("the link does not go down, or sends")
		}
		if v := r.reg.Read32(chip.EICR); v&chip.EicrLSC == 0 {
			t.Errorf("EICR = %#x, want LSC", v)
		}
		r.port.down = false
		r.step(16)
		r.step(16)
		if r.reg.Read32(chip.LINKS)&chip.LinksUP == 0 || len(r.port.out) != 1 {
			t.Error("the link does not come back, or loses the frame")
		}
		r.reg.Write32(chip.AUTOC, chip.AutocLMS1G|chip.AutocRestartAN)
		r.step(0)
		if !r.wait(chip.LINKS, chip.LinksUP|chip.LinksSPEED, chip.LinksUP|chip.LinksSPEED1G) {
			t.Errorf("LINKS = %#x, want 1 Gb/s", r.reg.Read32(chip.LINKS))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	r := newRig(t, false)
	for want, change := range map[string]func(*Config){
		"memory for DMA":   func(c *Config) { c.Memory = nil },
		"not of the 82599": func(c *Config) { c.Device = 0x1234 },
		"register memory":  func(c *Config) { c.Regs = make([]byte, 4096) },
		"unicast":          func(c *Config) { c.MAC = [6]byte{1} },
	} {
		cfg := Config{Memory: r.space}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}
