package ixgbe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

const (
	// directorRules and signatureRules are how many rules of IPv4 or IPv6 flow director has room for, in the smallest
	// memory that it can be given: two less than buckets (7.1.2.7.1).
	directorRules  = 1<<chip.FDIRPerfectBits - 2
	signatureRules = 1<<chip.FDIRSignatureBits - 2
	// directorKey chooses the bits of a flow that make its bucket, signatureKey those of its signature. The registers'
	// reset values leave most out; these are those that Linux's driver uses.
	directorKey  = 0x3DAD14E2
	signatureKey = 0x174D3614
	// neverOn is a queue that is not enabled: where dropped packets are led by convention of drivers.
	neverOn = chip.MaxQueues - 1
)

// flowMask is which fields rules say: lengths of the prefixes in bits.
type flowMask struct {
	ipv6                             bool
	src, dst                         int
	srcPort, dstPort, vlan, protocol bool
}

func maskOf(r nic.Rule) (m flowMask) {
	m.ipv6 = r.IPv6
	if r.Src.IsValid() {
		m.src = r.Src.Bits()
	}
	if r.Dst.IsValid() {
		m.dst = r.Dst.Bits()
	}
	m.srcPort, m.dstPort, m.vlan, m.protocol = r.SrcPort != 0, r.DstPort != 0, r.VLAN != 0, r.Protocol != 0
	return m
}

// directorFits refuses rules that flow director cannot do together.
func (s *steering) directorFits() error {
	seen := map[uint32]nic.Rule{}
	first, n, room := true, 0, directorRules
	for i, r := range s.rules {
		if s.places[i] != byDirector {
			continue
		}
		m := maskOf(r)
		if first {
			s.mask, first = m, false
		}
		switch {
		case m.ipv6 != s.mask.ipv6:
			return fmt.Errorf("%v: flow director serves flows of IPv4 or of IPv6, one of them for the whole port (7.1.2.7): leave out the others, or have those of IPv4 say whole addresses, no VLAN and no drop, which five-tuple filters do", r)
		case m != s.mask:
			return fmt.Errorf("%v: flow director has one mask for all its rules: want the same fields, and prefixes of the same length, as in the rules before it", r)
		}
		n++
		if !r.IPv6 {
			continue
		}
		room = signatureRules
		h := filterOf(r, i)
		if other, ok := seen[h]; ok && other.Queue != r.Queue {
			return fmt.Errorf("%v: has the signature of %v by chance, and the card would take one for the other (7.1.2.7): want the same queue, or one of them left out", r, other)
		}
		seen[h] = r
	}
	if n > room {
		return fmt.Errorf("%d rules in flow director: there is room for %d (7.1.2.7)", n, room)
	}
	return nil
}

// directorDoes refuses rules that flow director cannot do.
func directorDoes(r nic.Rule) error {
	switch {
	case r.Protocol == 132 && (r.SrcPort != 0 || r.DstPort != 0):
		return errors.New("flow director has no mask for ports of SCTP (8.2.3.21)")
	case r.IPv6 && r.Queue == nic.Drop:
		return errors.New("flow director knows flows of IPv6 by a hash, which others may have too (7.1.2.7): lead them to a queue, and drop them there")
	case r.IPv6 && (max(r.Src.Bits(), 0)%8 != 0 || max(r.Dst.Bits(), 0)%8 != 0):
		return errors.New("flow director masks whole bytes of IPv6 addresses (8.2.3.21, FDIRIP6M): want prefixes with a length of 8, 16, 24 …")
	}
	return nil
}

// fillDirector adds the rules that flow director serves (7.1.2.7).
func (d *Device) fillDirector(s steering) error {
	first := true
	for i, rule := range s.rules {
		if s.places[i] != byDirector {
			continue
		}
		if first {
			if err := d.startDirector(s.mask.ipv6); err != nil {
				return err
			}
			d.maskDirector(s.mask)
			first = false
		}
		if err := d.direct(rule, i); err != nil {
			return err
		}
	}
	return nil
}

// emptyDirector takes them away.
func (d *Device) emptyDirector(s steering) error {
	for i, rule := range s.rules {
		if s.places[i] == byDirector {
			if err := d.command(filterOf(rule, i), chip.FdircmdRemove); err != nil {
				return err
			}
		}
	}
	return nil
}

// startDirector gives flow director a part of the packet buffer, for which nothing may be received meanwhile, and makes
// its tables (4.6.7, 7.1.2.7.1): of flows of IPv4, or of signatures for IPv6. For other tables than before, all rules are
// gone.
func (d *Device) startDirector(ipv6 bool) error {
	ctrl := chip.FdirctrlPBALLOC64K | neverOn<<chip.FdirctrlDROPQShift | 0xA<<chip.FdirctrlMAXLENShift
	if !ipv6 {
		ctrl |= chip.FdirctrlPERFECT
	}
	if d.directing == ctrl {
		return nil
	}
	d.directing = 0
	r, ctx := d.regs, context.Background()
	r.Set(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	d.wait(ctx, flushLimit, func() bool { return r.Read32(chip.SECRXSTAT)&chip.SecrxstatRDY != 0 })
	r.Clear(chip.RXCTRL, chip.RxctrlRXEN)
	buffer := uint32(d.model.Facts().RxBufferKiB-chip.FDIRKiB) << chip.RxpbsizeSIZEShift
	r.Write32(chip.FCRTH(0), buffer-0x6000)
	r.Write32(chip.RXPBSIZE(0), buffer)
	r.Write32(chip.FDIRHKEY, directorKey)
	r.Write32(chip.FDIRSKEY, signatureKey)
	// By the practice of Linux's driver, tables are made a second time only after this (ixgbe_reinit_fdir_tables_82599).
	r.Write32(chip.FDIRCMD, chip.FdircmdCLEARHT)
	r.Read32(chip.STATUS)
	r.Write32(chip.FDIRCMD, 0)
	r.Read32(chip.STATUS)
	r.Write32(chip.FDIRCTRL, ctrl)
	done := d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.FDIRCTRL)&chip.FdirctrlINITDONE != 0 })
	r.Set(chip.RXCTRL, chip.RxctrlRXEN)
	r.Clear(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	if !done {
		return d.late(ctx, "set rules", "flow director not ready after 1s (FDIRCTRL.INIT_DONE, datasheet 8.2.3.21.1): close the port and open it again")
	}
	d.directing = ctrl
	return nil
}

// maskDirector says what is compared (8.2.3.21, FDIRM and its like): a bit that is set is not. Those of ports are in
// reverse order.
func (d *Device) maskDirector(m flowMask) {
	other := chip.FdirmPOOL | chip.FdirmFLEX | chip.FdirmDIPV6 | chip.FdirmVLANP
	if !m.vlan {
		other |= chip.FdirmVLANID
	}
	if !m.protocol {
		other |= chip.FdirmL4P
	}
	ports := uint32(0)
	if !m.srcPort {
		ports |= 0xFFFF
	}
	if !m.dstPort {
		ports |= 0xFFFF << chip.FdirportDestShift
	}
	d.regs.Write32(chip.FDIRM, other)
	d.regs.Write32(chip.FDIRTCPM, ports)
	d.regs.Write32(chip.FDIRUDPM, ports)
	if m.ipv6 { // bytes, the first lowest
		src, dst := uint32(0xFFFF)<<(m.src/8)&0xFFFF, uint32(0xFFFF)<<(m.dst/8)&0xFFFF
		d.regs.Write32(chip.FDIRIP6M, src|dst<<chip.Fdirip6mDIPMShift)
		return
	}
	d.regs.Write32(chip.FDIRSIP4M, notCompared(m.src))
	d.regs.Write32(chip.FDIRDIP4M, notCompared(m.dst))
}

// notCompared are the bits of an address behind a prefix, in the byte order of the wire.
func notCompared(length int) uint32 {
	return bits.ReverseBytes32(uint32(1<<(32-length) - 1))
}

// direct adds a rule as filter i.
func (d *Device) direct(rule nic.Rule, i int) error {
	r := d.regs
	if !rule.IPv6 {
		for k := range 3 {
			r.Write32(chip.FDIRSIPV6(k), 0)
		}
		r.Write32(chip.FDIRIPSA, wireAddress(rule.Src))
		r.Write32(chip.FDIRIPDA, wireAddress(rule.Dst))
	}
	r.Write32(chip.FDIRPORT, uint32(rule.SrcPort)|uint32(rule.DstPort)<<chip.FdirportDestShift)
	r.Write32(chip.FDIRVLAN, uint32(rule.VLAN))
	cmd := chip.FdircmdAdd | chip.FdircmdUPDATE | chip.FdircmdLAST | chip.FdircmdQUEUEEN | flowType(rule)<<chip.FdircmdL4Shift
	if rule.Queue == nic.Drop {
		cmd |= chip.FdircmdDROP | neverOn<<chip.FdircmdRXQShift
	} else {
		cmd |= uint32(rule.Queue) << chip.FdircmdRXQShift
	}
	return d.command(filterOf(rule, i), cmd)
}

// command has flow director do something to a filter (8.2.3.21, FDIRCMD).
func (d *Device) command(filter, cmd uint32) error {
	d.regs.Write32(chip.FDIRHASH, filter)
	d.regs.Write32(chip.FDIRCMD, cmd)
	ctx := context.Background()
	if !d.wait(ctx, queueLimit, func() bool { return d.regs.Read32(chip.FDIRCMD)&chip.FdircmdCMD == 0 }) {
		return d.late(ctx, "set rules", "flow director has not done a command after 1s (FDIRCMD.CMD, datasheet 8.2.3.21): close the port and open it again")
	}
	return nil
}

// flowType is the L4 protocol, and whether it is IPv6 (8.2.3.21, FDIRCMD).
func flowType(r nic.Rule) (kind uint32) {
	switch r.Protocol {
	case 6:
		kind = chip.FDIRL4TCP
	case 17:
		kind = chip.FDIRL4UDP
	case 132:
		kind = chip.FDIRL4SCTP
	}
	if r.IPv6 {
		kind |= chip.FdircmdIPV6 >> chip.FdircmdL4Shift
	}
	return kind
}

// filterOf is what FDIRHASH holds for rule i: its bucket, and its number, or its signature.
func filterOf(r nic.Rule, i int) uint32 {
	bits, index := chip.FDIRPerfectBits, uint32(i)
	if r.IPv6 {
		bits, index = chip.FDIRSignatureBits, flowHash(r, signatureKey)
	}
	return flowHash(r, directorKey)&(1<<bits-1) | index<<chip.FdirhashINDEXShift
}

// flowHash is the sum of 15 bits of the flow from each bit on that the key has, over and over. The flow is, from its last
// bits on, its VLAN and type, the flexible bytes, ports, addresses, and VLAN and type again, in words of 16 bits; its first
// bit counts for nothing (7.1.2.7; Linux's ixgbe_atr_compute_perfect_hash_82599).
func flowHash(r nic.Rule, key uint32) (hash uint32) {
	var w [24]uint32
	w[0], w[1] = uint32(r.VLAN), flowType(r)
	w[3], w[4] = uint32(r.DstPort), uint32(r.SrcPort)
	for first, p := range map[int]netip.Prefix{12: r.Dst, 20: r.Src} {
		if p.IsValid() {
			for i, a := 0, p.Addr().AsSlice(); i < len(a); i += 2 {
				w[first-i/2] = uint32(binary.BigEndian.Uint16(a[i:]))
			}
		}
	}
	w[21], w[22] = w[0], w[1]
	for i := 1; i < 352; i++ {
		if key>>(i%32)&1 != 0 {
			hash ^= (w[i/16] | w[i/16+1]<<16) >> (i % 16)
		}
	}
	return hash & chip.FdirhashHASH
}
