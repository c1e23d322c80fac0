package ixgbe

import (
	"bytes"
	"slices"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// tags returns a frame with tags behind its addresses.
func tags(f []byte, t ...[]byte) []byte { return slices.Concat(f[:12], slices.Concat(t...), f[12:]) }

var (
	outer = []byte{0x88, 0xa8, 0, 7}
	inner = []byte{0x81, 0, 0x20, 5}
	other = []byte{0x81, 0, 0x20, 6}
)

// Frames carry an outer tag where CTRL_EXT.EXTENDED_VLAN says so: the other one is filtered and stripped, and checksums and
// headers are found behind both (7.4.5).
func TestDoubleReceived(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		f, _, _, _ := stack(false, protoUDP, 100, true)
		copy(f, []byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90})
		f[24], f[25] = 0, 0
		s := ^uint16(fold(sum(f[14:34])))
		f[24], f[25] = byte(s), byte(s>>8)
		f[40], f[41] = 0, 0 // no checksum of UDP
		for _, double := range []bool{true, false} {
			r := newRig(t, polled)
			r.start()
			r.reg.Write32(chip.VFTA(0), 1<<5)
			r.reg.Write32(chip.VLNCTRL, 0x8100|chip.VlnctrlVFE)
			r.reg.Write32(chip.EXVET, 0x88a8<<16)
			if double {
				r.reg.Set(chip.CTRL_EXT, chip.CtrlExtEXTVLAN)
			}
			r.reg.Set(chip.RXDCTL(0), chip.RxdctlVME)
			rx := r.rx(0, 64, 2, 0)
			for _, c := range []struct {
				what    string
				in, out []byte
				status  uint64 // of VP, VEXT and IPCS
			}{
				{"both", tags(f, outer, inner), tags(f, outer), chip.RxVP | chip.RxVEXT | chip.RxIPCS},
				{"outer", tags(f, outer), tags(f, outer), chip.RxVEXT | chip.RxIPCS},
				{"another VLAN", tags(f, outer, other), nil, 0},
				{"none", f, f, 0},
				{"inner alone", tags(f, other), tags(f, other), 0},
			} {
				if !double {
					switch c.what {
					case "none":
						c.status = chip.RxIPCS
					case "inner alone":
						c.out = nil
					default:
						c.out, c.status = c.in, 0
					}
				}
				r.port.push(c.in)
				r.step(4)
				got := rx.take()
				if len(got) != min(len(c.out), 1) {
					t.Errorf("double %v, %s: %d frames", double, c.what, len(got))
					continue
				}
				if len(got) == 1 {
					const mask = chip.RxVP | chip.RxVEXT | chip.RxIPCS | chip.RxIPE
					if !bytes.Equal(got[0].data, c.out) || got[0].w1&mask != c.status {
						t.Errorf("double %v, %s: status %#x, want %#x, % x", double, c.what, got[0].w1&mask, c.status, got[0].data)
					}
				}
			}
			r.clean()
		}
	})
}

// A tag is inserted behind the outer one where DMATXCTL.GDV is set.
func TestDoubleSent(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.reg.Write32(chip.EXVET, 0x88a8<<16)
		r.reg.Set(chip.DMATXCTL, chip.DmatxctlGDV)
		tx := r.tx(0, 64)
		f := frame(100, 0)
		tx.raw(contextOf(false, protoUDP, 18, 20, 8, 0))
		for _, in := range [][]byte{tags(f, outer), f} {
			tx.add(in, txPlain|chip.TxDCMDEOP|chip.TxDCMDVLE|1<<chip.TxIDXShift|pay(len(in)))
		}
		tx.kick()
		r.step(16)
		if len(r.port.out) != 1 || !bytes.Equal(r.port.out[0], tags(f, outer, inner)) {
			t.Errorf("sent % x", r.port.out)
		}
		if n := r.card.Totals().TxMalformed; n != 1 {
			t.Errorf("%d frames without an outer tag, want 1", n)
		}
		r.clean()
	})
}
