package ixgbe

import (
	"encoding/binary"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestFilters(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		own := [6]byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90}
		other := [6]byte{0x02, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE}
		multi := [6]byte{0x01, 0x00, 0x5E, 0x01, 0x02, 0x03}
		all := [6]byte{255, 255, 255, 255, 255, 255}
		passes := func(what string, dst [6]byte, want bool) {
			t.Helper()
			f := frame(60, 0)
			copy(f, dst[:])
			r.port.push(f)
			r.step(4)
			if got := len(rx.take()) == 1; got != want {
				t.Errorf("%s: %x passes: %v", what, dst, got)
			}
		}
		set := func(i int, a [6]byte) {
			r.reg.Write32(chip.RAL(i), binary.LittleEndian.Uint32(a[:]))
			r.reg.Write32(chip.RAH(i), uint32(a[4])|uint32(a[5])<<8|chip.RahAV)
		}
		r.reg.Write32(chip.FCTRL, 0)
		passes("reset", own, true)
		passes("reset", other, false)
		passes("reset", multi, false)
		passes("reset", all, false)
		r.reg.Write32(chip.FCTRL, chip.FctrlBAM)
		passes("BAM", all, true)
		passes("BAM", multi, false)
		r.reg.Write32(chip.FCTRL, chip.FctrlUPE)
		passes("UPE", other, true)
		passes("UPE", multi, false)
		passes("UPE", all, false)
		r.reg.Write32(chip.FCTRL, chip.FctrlMPE)
		passes("MPE", multi, true)
		passes("MPE", other, false)
		r.reg.Write32(chip.FCTRL, 0)
		for _, i := range []int{1, 15, 16, 127} {
			set(i, other)
			passes("RAL", other, true)
			r.reg.Write32(chip.RAH(i), 0)
			passes("RAL without AV", other, false)
		}
		set(2, multi)
		passes("RAL", multi, true)
		r.reg.Write32(chip.RAH(2), 0)

		// The table of 8.2.3.7.3: the 12 bits of bytes 4 and 5 that MO chooses.
		v := uint32(multi[4]) | uint32(multi[5])<<8
		for mo, shift := range []uint32{4, 3, 2, 0} {
			h := v >> shift & 0xFFF
			r.reg.Write32(chip.MTA(int(h>>5)), 1<<(h&31))
			r.reg.Write32(chip.MCSTCTRL, uint32(mo))
			passes("MTA without MFE", multi, false)
			r.reg.Write32(chip.MCSTCTRL, uint32(mo)|chip.McstctrlMFE)
			passes("MTA", multi, true)
			passes("MTA", other, false)
			r.reg.Write32(chip.MTA(int(h>>5)), ^uint32(1<<(h&31)))
			passes("MTA of others", multi, false)
			r.reg.Write32(chip.MTA(int(h>>5)), 0)
		}
		r.clean()
	})
}

func TestVLANFilter(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		passes := func(what string, kind, tci uint16, want bool) {
			t.Helper()
			f := frame(60, 0)
			copy(f, []byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90})
			binary.BigEndian.PutUint16(f[12:], kind)
			binary.BigEndian.PutUint16(f[14:], tci)
			r.port.push(f)
			r.step(4)
			if got := len(rx.take()) == 1; got != want {
				t.Errorf("%s: %04x %04x passes: %v", what, kind, tci, got)
			}
		}
		passes("reset", 0x8100, 5, true)
		r.reg.Write32(chip.VFTA(127), 1<<30)
		r.reg.Write32(chip.VLNCTRL, 0x8100|1<<30)
		for _, fctrl := range []uint32{0, chip.FctrlUPE} {
			r.reg.Write32(chip.FCTRL, fctrl)
			passes("VFE", 0x8100, 5, false)
			passes("VFE", 0x8100, 4094, true)
			passes("VFE, priority", 0x8100, 0xeffe, true)
			passes("VFE", 0x8100, 4095, false)
			passes("no tag", 0x0800, 5, true)
			passes("another type", 0x88a8, 5, true)
		}
		r.reg.Write32(chip.VLNCTRL, 0x88a8|1<<30)
		passes("another type", 0x88a8, 5, false)
		passes("another type", 0x8100, 5, true)
		r.clean()
	})
}
