//go:build guest

package guest

import (
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/e1000"
)

// fires tells whether an interrupt comes within a time in milliseconds.
func fires(t *testing.T, e irq.Event, wait int) bool {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(e.FD()), Events: unix.POLLIN}}, wait)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
}

// long is patience in milliseconds.
const long = int(patience / 1_000_000)

// Causes of interrupts of the 82574 (10.2.4.1): a change of the link, and by MSI-X receive queue 0 and all others.
const (
	lsc   = 1 << 2
	rxq0  = 1 << 20
	other = 1 << 24
)

// TestInterrupts has a card interrupt in each way that it can, one after the other.
func TestInterrupts(t *testing.T) {
	c := cards(t)[0]
	defer take(t, c)()
	fn := function(t, c, bus.Options{})
	defer fn.Close()
	r := registers(t, fn)
	reset := func() {
		r.Write32(chip.CTRL, chip.CtrlRST)
		await(t, "the end of the reset", func() bool { return r.Read32(chip.CTRL)&chip.CtrlRST == 0 })
	}
	reset()
	for _, k := range []irq.Kind{irq.MSIX, irq.MSI, irq.INTx, irq.MSIX} {
		if err := fn.(interface{ ChooseInterrupts(irq.Kind) error }).ChooseInterrupts(k); err != nil {
			t.Fatal(err)
		}
		set, err := fn.Interrupts()
		if err != nil || set.Kind() != k {
			t.Fatalf("%v: %v", k, err)
		}
		events, err := set.Enable(min(2, set.Vectors()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Enable(1); err == nil {
			t.Errorf("%v: enabled twice", k)
		}
		cause := uint32(lsc)
		if k == irq.MSIX {
			cause = rxq0
			if len(events) != 2 {
				t.Fatalf("%d vectors", len(events))
			}
		}
		// Receive queue 0 to vector 0, others to vector 1.
		r.Write32(chip.IVAR_82574, chip.Ivar4Valid|(chip.Ivar4Valid|1)<<16)
		interrupt(t, r, k, events, cause)
		if k == irq.MSIX {
			r.Write32(chip.ICS, other)
			if !fires(t, events[1], long) {
				t.Error("vector 1 does not fire")
			}
		}
		r.Write32(chip.IMC, ^uint32(0))
		// QEMU's card aborts where MSI-X goes away while it throttles an interrupt.
		reset()
		if err := set.Disable(); err != nil {
			t.Error(err)
		}
	}
	set, err := fn.Interrupts()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Enable(0); err == nil {
		t.Error("enabled none")
	}
	if _, err := set.Enable(1); err != nil { // Close ends it
		t.Error(err)
	}
}

// interrupt has a cause come three times as the first event and as no other.
func interrupt(t *testing.T, r mmio.Region, k irq.Kind, events []irq.Event, cause uint32) {
	t.Helper()
	r.Read32(chip.ICR)
	for i := range 3 {
		r.Write32(chip.IMS, lsc|rxq0|other)
		r.Write32(chip.ICS, cause)
		if !fires(t, events[0], long) {
			t.Errorf("%v %d: no interrupt", k, i)
		}
		r.Read32(chip.ICR)
		r.Write32(chip.ICR, ^uint32(0))
		await(t, "an end of the interrupts", func() bool { // the card throttles them, so that one may come late
			if err := events[0].Clear(); err != nil {
				t.Fatal(err)
			}
			return !fires(t, events[0], 0)
		})
		if len(events) > 1 && fires(t, events[1], 0) {
			t.Errorf("%v: the other vector fires", k)
		}
	}
}
