package ixgbe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"glassnic/bus/irq"
	chip "glassnic/chip/ixgbe"
)

// bell writes down the vectors that interrupt.
type bell struct{ rung []int }

func (b *bell) connect(r *rig, kind irq.Kind) {
	r.card.SetInterrupts(kind, func(v int) { b.rung = append(b.rung, v) })
}

// heard compares what has rung since the last time.
func (b *bell) heard(t *testing.T, when string, want ...int) {
	t.Helper()
	if !slices.Equal(b.rung, want) {
		t.Errorf("%s: vectors %v, want %v", when, b.rung, want)
	}
	b.rung = nil
}

// listen starts a card with one receive ring whose frames are cause 5.
func listen(t *testing.T, polled bool, kind irq.Kind, gpie uint32) (*rig, *bell) {
	t.Helper()
	r, b := newRig(t, polled), &bell{}
	r.start()
	r.reg.Write32(chip.GPIE, gpie)
	r.reg.Write32(chip.IVAR(0), chip.IvarAllocVal|5)
	r.rx(0, 64, 2, 0)
	r.step(0)
	if !polled {
		r.reg.Write32(chip.EICR, ^uint32(0))
	}
	b.connect(r, kind)
	return r, b
}

// arrive has a frame come.
func (r *rig) arrive() {
	r.port.push(broadcastFrame())
	r.step(16)
}

func broadcastFrame() []byte {
	f := frame(60, 1)
	copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	return f
}

const gpieMSIX = chip.GpieMultipleMSIX

// Causes are kept while they are masked, and what was kept interrupts when it is let through (7.3.4).
func TestInterruptMask(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r, b := listen(t, polled, irq.MSIX, gpieMSIX|chip.GpieEIAME)
		r.reg.Write32(chip.EIAC, 1<<5)
		r.reg.Write32(chip.EIAM_EX(0), 1<<5)
		r.arrive()
		b.heard(t, "masked")
		if v := r.reg.Read32(chip.EICR) & chip.EicrRTxQ; !polled && v != 1<<5 {
			t.Errorf("EICR %#x", v)
		}
		r.reg.Write32(chip.EICS, 1<<5) // a trapped read has cleared it
		r.reg.Write32(chip.EIMS, 1<<5)
		r.step(0)
		b.heard(t, "let through", 5)
		if v := r.reg.Read32(chip.EIMS); v != 0 {
			t.Errorf("EIMS %#x after a message that masks", v)
		}
		r.step(0)
		r.reg.Write32(chip.EIMS, 1<<5)
		r.step(0)
		b.heard(t, "the message has cleared its cause")
		r.arrive()
		b.heard(t, "a frame", 5)
		r.reg.Write32(chip.EIMS, 1<<5)
		r.reg.Write32(chip.EIMC, 1<<5)
		r.step(0)
		if v, shut := r.reg.Read32(chip.EIMS), r.reg.Read32(chip.EIMC); v != 0 || shut != 0 {
			t.Errorf("EIMS %#x and EIMC %#x after EIMC", v, shut)
		}
		r.arrive()
		b.heard(t, "masked again")
		r.reg.Write32(chip.EIMS, 1<<5)
		r.step(0)
		b.heard(t, "and let through again", 5)
	})
}

// Without automatic mask each cause that comes after a message that cleared the one before interrupts; without
// automatic clear none does until it is cleared.
func TestInterruptClear(t *testing.T) {
	r, b := listen(t, false, irq.MSIX, gpieMSIX)
	r.reg.Write32(chip.EIMS, 1<<5)
	r.reg.Write32(chip.EIAC, 1<<5)
	r.arrive()
	b.heard(t, "a frame", 5)
	r.arrive()
	b.heard(t, "another", 5)
	r.reg.Write32(chip.EIAC, 0)
	r.arrive()
	b.heard(t, "and one more", 5)
	r.arrive()
	b.heard(t, "one whose cause is still there")
	r.reg.Write32(chip.EICR, 1<<5)
	r.arrive()
	b.heard(t, "after a write that clears", 5)
	r.reg.Write32(chip.EIMC, 1<<5)
	r.reg.Write32(chip.EIMS, 1<<5)
	b.heard(t, "masked and let through", 5)
	r.reg.Write32(chip.GPIE, gpieMSIX|chip.GpieOCD)
	r.reg.Read32(chip.EICR)
	r.arrive()
	b.heard(t, "a read clears none of a queue with OCD")
	r.reg.Write32(chip.GPIE, gpieMSIX)
	r.reg.Read32(chip.EICR)
	r.arrive()
	b.heard(t, "but without", 5)
	// Nobody listens: what comes is for later.
	r.reg.Write32(chip.EICR, 1<<5)
	r.card.SetInterrupts(irq.MSIX, nil)
	r.arrive()
	b.heard(t, "interrupts off")
	b.connect(r, irq.MSIX)
	r.step(0)
	b.heard(t, "interrupts on", 5)
	// Nor does a card without bus mastering send messages.
	r.reg.Write32(chip.EICR, 1<<5)
	r.card.SetBusMaster(false)
	r.step(0)
	r.reg.Write32(chip.EICS, 1<<5)
	b.heard(t, "no bus mastering")
	r.card.SetBusMaster(true)
	r.step(0)
	b.heard(t, "bus mastering", 5)
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	r.step(0)
	if v := r.reg.Read32(chip.EICR) | r.reg.Read32(chip.EIMS); v != 0 {
		t.Errorf("EICR or EIMS %#x after a reset", v)
	}
}

// Without vectors of their own all causes are one interrupt; a pin stays asserted.
func TestSingleInterrupt(t *testing.T) {
	for _, kind := range []irq.Kind{irq.MSI, irq.INTx} {
		r, b := listen(t, false, kind, 0)
		r.reg.Write32(chip.EIMS, 1<<5|chip.EicrLSC)
		r.arrive()
		b.heard(t, "a frame", 0)
		r.arrive()
		r.port.down = true
		r.step(0)
		b.heard(t, "while it is asserted")
		r.card.Unmask()
		b.heard(t, "unmasked", 0)
		r.reg.Write32(chip.EICR, 1<<5)
		b.heard(t, "one of two causes is cleared")
		if v := r.reg.Read32(chip.EICR); v != chip.EicrLSC {
			t.Errorf("EICR %#x, want LSC", v)
		}
		r.card.Unmask()
		b.heard(t, "none is left")
		r.port.down = false
		r.step(0)
		b.heard(t, "link", 0)
		// With EIAM what is cleared is masked, and what is set let through (8.2.3.5.6).
		r.reg.Write32(chip.EICR, ^uint32(0))
		r.reg.Write32(chip.EIAM, 1<<5)
		r.reg.Write32(chip.EICR, 1<<5)
		if v := r.reg.Read32(chip.EIMS); v != chip.EicrLSC {
			t.Errorf("EIMS %#x after a cause was cleared", v)
		}
		r.reg.Write32(chip.EICS, 1<<5)
		b.heard(t, "set by software", 0)
		r.reg.Read32(chip.EICR)
		if v := r.reg.Read32(chip.EIMS); v != chip.EicrLSC {
			t.Errorf("EIMS %#x after a cause was cleared by a read", v)
		}
	}
}

// IVAR gives queues their vectors, IVAR_MISC the other causes theirs (8.2.3.5.16, 8.2.3.5.17).
func TestVectorAllocation(t *testing.T) {
	r, b := newRig(t, false), &bell{}
	r.start()
	r.reg.Write32(chip.EICR, ^uint32(0))
	r.reg.Write32(chip.GPIE, gpieMSIX)
	r.reg.Write32(chip.IVAR(1), 0x80|17<<16|0x80<<16|0x80<<24|63<<24) // Rx 2: 0, Rx 3: 17, Tx 3: 63
	r.reg.Write32(chip.IVAR_MISC, 0x80<<8|40<<8)
	r.reg.Write32(chip.EIMS_EX(0), ^uint32(0))
	r.reg.Write32(chip.EIMS_EX(1), ^uint32(0))
	r.reg.Write32(chip.EIMS, chip.EicrLSC)
	if v := r.reg.Read32(chip.EIMS); v != 0xffff|chip.EicrLSC {
		t.Errorf("EIMS %#x", v)
	}
	b.connect(r, irq.MSIX)
	tx := r.tx(3, 64)
	tx.send(frame(60, 1))
	tx.kick()
	r.step(16)
	b.heard(t, "sent", 63)
	r.rx(3, 64, 2, 0)
	r.port.down = true
	r.step(0)
	b.heard(t, "link", 40)
	r.port.down = false
	r.step(0)
	r.reg.Write32(chip.RXDCTL(0), 0)
	r.card.irq.queues |= r.card.rxq[3].cause
	r.card.interrupt()
	b.heard(t, "vector 17", 17)
	r.reg.Write32(chip.EIMC_EX(1), 1<<31)
	tx.send(frame(60, 1))
	tx.kick()
	r.step(16)
	b.heard(t, "masked")
	if v := r.reg.Read32(chip.EIMS_EX(1)); v != 1<<31-1 {
		t.Errorf("EIMS_EX[1] %#x", v)
	}
	r.reg.Write32(chip.EICS_EX(0), 1<<17)
	b.heard(t, "set by software", 17)
}

// EITR keeps a vector from interrupting too often, and loses nothing (8.2.3.5.12).
func TestThrottle(t *testing.T) {
	now := time.Duration(0)
	r, b := newRig(t, false, func(c *Config) { c.Clock = func() time.Duration { return now } }), &bell{}
	b.connect(r, irq.MSIX)
	r.reg.Write32(chip.GPIE, gpieMSIX)
	r.reg.Write32(chip.EIAC, 0xffff)
	r.reg.Write32(chip.EITR(3), 25<<chip.EitrITRIntervalShift) // 50 µs
	r.reg.Write32(chip.EIMS, 1<<3|1<<4)
	for i := range 3 {
		when := fmt.Sprintf("round %d", i)
		now += time.Second
		r.reg.Write32(chip.EICS, 1<<3)
		b.heard(t, when, 3)
		r.reg.Write32(chip.EICS, 1<<3|1<<4)
		b.heard(t, when+": only the other vector", 4)
		now += 49 * time.Microsecond
		r.step(0)
		b.heard(t, when+": after 49 µs")
		now += time.Microsecond
		r.step(0)
		b.heard(t, when+": after 50 µs", 3)
	}
}
