package virtio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"glassnic/bus/mmio"
	"glassnic/nic"
	"glassnic/sim/iommu"
)

// ports are the legacy registers of a card (4.1.4.10).
type ports struct{ c *card }

// legacyCard is a card without modern registers.
func legacyCard() *card {
	c := newCard()
	c.device = 0x1000
	c.offered = fMAC | fStatus | fAnyLayout
	copy(c.cfg[0x40:], []byte{0x11, 0, 0, 0})
	c.ports = mmio.Trap(0x40, ports{c})
	return c
}

// msix switches the device's MSI-X on, as a bus does.
func (c *card) msix() { c.cfg[0x43] |= 0x80 }

func (p ports) own(off uint32) (uint32, bool) {
	base := uint32(0x14)
	if p.c.cfg[0x40] == 0x11 && p.c.cfg[0x43]&0x80 != 0 {
		base = 0x18
	}
	return off - base, off >= base
}

func (p ports) read(off uint32, bits int) uint32 {
	c := p.c
	if c.pulled {
		return 1<<bits - 1
	}
	want, v := 0, uint32(0)
	q := &vq{}
	if int(c.sel) < len(c.vqs) {
		q = c.vqs[c.sel]
	}
	if at, ok := p.own(off); ok {
		b := append(c.own[at:len(c.own):len(c.own)], 0, 0, 0, 0)
		return le.Uint32(b) & (1<<bits - 1)
	}
	switch off {
	case 0:
		v, want = uint32(c.offered), 32
	case 4:
		v, want = uint32(c.accepted), 32
	case 8:
		v, want = uint32(q.desc>>12), 32
	case 12:
		v, want = uint32(q.max), 16
	case 14:
		v, want = uint32(c.sel), 16
	case 18:
		v, want = uint32(c.status), 8
	case 19:
		v, want = c.isr, 8
		c.isr = 0
	case 22:
		v, want = uint32(q.vector), 16
	}
	if bits != want {
		c.fault("port %#x read with %d bits", off, bits)
	}
	return v
}

func (p ports) write(off, v uint32, bits int) {
	c := p.c
	if c.pulled {
		return
	}
	if at, ok := p.own(off); ok {
		c.own[at] = byte(v)
		return
	}
	want := 16
	switch off {
	case 4:
		c.accepted, want = uint64(v), 32
		if c.accepted&^c.offered != 0 {
			c.fault("features %#x were not offered", c.accepted&^c.offered)
		}
	case 8:
		c.trace = append(c.trace, fmt.Sprintf("enable %d", c.sel))
		q := c.vqs[c.sel]
		if want = 32; c.deaf {
			return
		}
		q.desc, q.size, q.enabled, q.held = uint64(v)<<12, q.max, v != 0, map[uint16]bool{}
		q.driver = q.desc + 16*uint64(q.size)
		q.dev = (q.driver + 6 + 2*uint64(q.size) + 4095) &^ 4095
	case 14:
		c.sel = uint16(v)
	case 16:
		c.ring(int(v), v, bits)
	case 18:
		c.setStatus(uint8(v))
		want = 8
	case 22:
		if c.vqs[c.sel].vector = uint16(v); c.poor {
			c.vqs[c.sel].vector = 0xffff
		}
	default:
		c.fault("write to port %#x", off)
	}
	if bits != want {
		c.fault("port %#x written with %d bits", off, bits)
	}
}

func (p ports) Read8(off uint32) uint8       { return uint8(p.read(off, 8)) }
func (p ports) Read16(off uint32) uint16     { return uint16(p.read(off, 16)) }
func (p ports) Read32(off uint32) uint32     { return p.read(off, 32) }
func (p ports) Write8(off uint32, v uint8)   { p.write(off, uint32(v), 8) }
func (p ports) Write16(off uint32, v uint16) { p.write(off, uint32(v), 16) }
func (p ports) Write32(off, v uint32)        { p.write(off, v, 32) }

// The handshake has no FEATURES_OK (3.1.2).
func TestLegacyOrder(t *testing.T) {
	c := legacyCard()
	r := open(t, c, small)
	if got, want := strings.Join(c.trace, ", "), "status 0, status 1, status 3, enable 0, enable 1, status 7"; got != want {
		t.Errorf("start: %s\nwant %s", got, want)
	}
	// The rings have the size that the device says.
	if i := r.dev.Info(); i.RxRing != 256 || i.TxRing != 256 || i.MAC.String() != "52:54:00:12:34:56" {
		t.Errorf("%+v", i)
	}
	if regs, err := r.dev.Registers(); err != nil || len(regs) != 6 || regs[5].Value != 7 {
		t.Errorf("%+v, %v", regs, err)
	}
}

// Legacy devices work with whatever they offer, with MSI-X on or off.
func TestLegacyFeatures(t *testing.T) {
	const all = uint64(fMAC | fStatus | fMrg | fEventIdx | fAnyLayout | fCtrl | fCtrlRx | fMQ | fCtrlMAC)
	for _, c := range []struct {
		name    string
		offered uint64
		mtu     int
		msix    bool
		refused string
	}{
		{"all", all, 1500, false, ""},
		{"all, MSI-X", all, 1500, true, ""},
		{"all 32 bits", 1<<32 - 1, 1500, false, ""},
		{"nothing", 0, 1500, false, ""},
		{"no layout", all &^ fAnyLayout, 1500, false, ""},
		{"no event index", all &^ fEventIdx, 1500, false, ""},
		{"no MAC", all &^ fMAC, 1500, false, ""},
		{"no control queue", all &^ fCtrl, 1500, false, ""},
		{"long frames", all, 9000, false, ""},
		{"long frames, no layout", all &^ fAnyLayout, 9000, false, "VIRTIO_F_ANY_LAYOUT"},
		{"long frames, no merging", all &^ fMrg, 9000, false, "VIRTIO_NET_F_MRG_RXBUF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := legacyCard()
			card.offered = c.offered
			if c.msix {
				card.msix()
			}
			cfg := nic.Config{Buffers: 1280, MTU: c.mtu}
			if c.refused != "" {
				if err := refused(t, context.Background(), card, cfg); !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v does not name %s", err, c.refused)
				}
				return
			}
			r := open(t, card, cfg)
			var want, got [][]byte
			for i := range 2000 {
				f := frame(60+i*7%1450, byte(i))
				want = append(want, f)
				r.send(0, f, 2048)
				r.put(f)
				if i%50 == 49 {
					r.step()
					got = append(got, r.receive(0, 32)...)
				}
			}
			r.step()
			same(t, "sent", card.out, want)
			same(t, "received", append(got, r.receive(0, 32)...), want)
		})
	}
}

func TestLegacyFails(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(c *card)
		want []string
		is   error
	}{
		{"no registers", func(c *card) { c.ports = mmio.Region{} }, []string{"find registers", "0 bytes of registers"}, nil},
		{"no BAR", func(c *card) { c.mapped = errors.New("burnt") }, []string{"find registers", "burnt"}, nil},
		{"a device without the legacy interface", func(c *card) { c.device = 0x1041 }, []string{"find registers", "no modern registers"}, nil},
		{"deaf", func(c *card) { c.deaf = true }, []string{"queue 0", "Queue Address"}, nil},
		{"odd size", func(c *card) { c.vqs[1].max = 100 }, []string{"queue 1 has 100 descriptors"}, nil},
		{"far", func(c *card) { c.memory = iommu.NewAbove(1 << 45) }, []string{"queue 0", "44 bits"}, nil},
		{"VFIO", func(c *card) { c.isolated = true }, []string{"VIRTIO_F_ACCESS_PLATFORM"}, nil},
		{"unplugged", func(c *card) { c.pulled = true }, []string{"unplugged"}, nic.ErrGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := legacyCard()
			c.set(card)
			check(t, refused(t, context.Background(), card, nic.Config{Buffers: 1280}), c.want, c.is)
		})
	}
}

// A transitional device is used by its modern registers.
func TestTransitional(t *testing.T) {
	c := newCard()
	c.device = 0x1000
	c.ports = mmio.Trap(0x40, ports{c})
	r := open(t, c, small)
	r.send(0, frame(60, 1), 2048)
	r.step()
	if !c.has(fVersion1) || len(c.out) != 1 {
		t.Error("not as a modern device")
	}
}
