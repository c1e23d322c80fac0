package ixgbe

import (
	"context"
	"math/bits"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

const (
	// directorRules is how many rules flow director has room for, in the smallest memory that it can be given: two less
	// than buckets (7.1.2.7.1).
	directorRules = 1<<chip.FDIRPerfectBits - 2
	// directorKey chooses the bits of a flow that make its bucket. The register's reset value leaves most out; this is
	// the one that Linux's driver uses.
	directorKey = 0x3DAD14E2
	// neverOn is a queue that is not enabled: where dropped packets are led by convention of drivers.
	neverOn = chip.MaxQueues - 1
)

// flowMask is which fields rules say: lengths of the prefixes in bits.
type flowMask struct {
	src, dst                         int
	srcPort, dstPort, vlan, protocol bool
}

func maskOf(r nic.Rule) (m flowMask) {
	if r.Src.IsValid() {
		m.src = r.Src.Bits()
	}
	if r.Dst.IsValid() {
		m.dst = r.Dst.Bits()
	}
	m.srcPort, m.dstPort, m.vlan, m.protocol = r.SrcPort != 0, r.DstPort != 0, r.VLAN != 0, r.Protocol != 0
	return m
}

// fillDirector adds the rules that flow director serves (7.1.2.7).
func (d *Device) fillDirector(s steering) error {
	first := true
	for i, rule := range s.rules {
		if s.places[i] != byDirector {
			continue
		}
		if first {
			if err := d.startDirector(); err != nil {
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
			if err := d.command(bucketOf(rule), i, chip.FdircmdRemove); err != nil {
				return err
			}
		}
	}
	return nil
}

// startDirector gives flow director a part of the packet buffer, for which nothing may be received meanwhile, and makes
// its tables (4.6.7, 7.1.2.7.1).
func (d *Device) startDirector() error {
	if d.directing {
		return nil
	}
	r, ctx := d.regs, context.Background()
	r.Set(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	d.wait(ctx, flushLimit, func() bool { return r.Read32(chip.SECRXSTAT)&chip.SecrxstatRDY != 0 })
	r.Clear(chip.RXCTRL, chip.RxctrlRXEN)
	buffer := uint32(d.model.Facts().RxBufferKiB-chip.FDIRKiB) << chip.RxpbsizeSIZEShift
	r.Write32(chip.FCRTH(0), buffer-0x6000)
	r.Write32(chip.RXPBSIZE(0), buffer)
	r.Write32(chip.FDIRHKEY, directorKey)
	r.Write32(chip.FDIRCTRL, chip.FdirctrlPBALLOC64K|chip.FdirctrlPERFECT|neverOn<<chip.FdirctrlDROPQShift|0xA<<chip.FdirctrlMAXLENShift)
	d.directing = d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.FDIRCTRL)&chip.FdirctrlINITDONE != 0 })
	r.Set(chip.RXCTRL, chip.RxctrlRXEN)
	r.Clear(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	if !d.directing {
		return d.late(ctx, "set rules", "flow director not ready after 1s (FDIRCTRL.INIT_DONE, datasheet 8.2.3.21.1): close the port and open it again")
	}
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
	for k := range 3 {
		r.Write32(chip.FDIRSIPV6(k), 0)
	}
	r.Write32(chip.FDIRIPSA, wireAddress(rule.Src))
	r.Write32(chip.FDIRIPDA, wireAddress(rule.Dst))
	r.Write32(chip.FDIRPORT, uint32(rule.SrcPort)|uint32(rule.DstPort)<<chip.FdirportDestShift)
	r.Write32(chip.FDIRVLAN, uint32(rule.VLAN))
	cmd := chip.FdircmdAdd | chip.FdircmdUPDATE | chip.FdircmdLAST | chip.FdircmdQUEUEEN | flowType(rule)<<chip.FdircmdL4Shift
	if rule.Queue == nic.Drop {
		cmd |= chip.FdircmdDROP | neverOn<<chip.FdircmdRXQShift
	} else {
		cmd |= uint32(rule.Queue) << chip.FdircmdRXQShift
	}
	return d.command(bucketOf(rule), i, cmd)
}

// command has flow director do something to filter i, which lies in a bucket (8.2.3.21, FDIRCMD).
func (d *Device) command(bucket uint32, i int, cmd uint32) error {
	d.regs.Write32(chip.FDIRHASH, bucket|uint32(i)<<chip.FdirhashINDEXShift)
	d.regs.Write32(chip.FDIRCMD, cmd)
	ctx := context.Background()
	if !d.wait(ctx, queueLimit, func() bool { return d.regs.Read32(chip.FDIRCMD)&chip.FdircmdCMD == 0 }) {
		return d.late(ctx, "set rules", "flow director has not done a command after 1s (FDIRCMD.CMD, datasheet 8.2.3.21): close the port and open it again")
	}
	return nil
}

func flowType(r nic.Rule) uint32 {
	switch r.Protocol {
	case 6:
		return chip.FDIRL4TCP
	case 17:
		return chip.FDIRL4UDP
	case 132:
		return chip.FDIRL4SCTP
	}
	return chip.FDIRL4None
}

// bucketOf is the bucket of a rule: the sum of 15 bits of the flow from each bit on that the key has, over and over. The
// flow is, from its last bits on, its VLAN and type, the flexible bytes, ports, addresses, and VLAN and type again, in
// words of 16 bits; its first bit counts for nothing (7.1.2.7; Linux's ixgbe_atr_compute_perfect_hash_82599).
func bucketOf(r nic.Rule) uint32 {
	var w [24]uint32
	src, dst := bits.ReverseBytes32(wireAddress(r.Src)), bits.ReverseBytes32(wireAddress(r.Dst))
	w[0], w[1] = uint32(r.VLAN), flowType(r)
	w[3], w[4] = uint32(r.DstPort), uint32(r.SrcPort)
	w[11], w[12] = dst&0xFFFF, dst>>16
	w[19], w[20] = src&0xFFFF, src>>16
	w[21], w[22] = w[0], w[1]
	hash := uint32(0)
	for i := 1; i < 352; i++ {
		if directorKey>>(i%32)&1 != 0 {
			hash ^= (w[i/16] | w[i/16+1]<<16) >> (i % 16)
		}
	}
	return hash & (1<<chip.FDIRPerfectBits - 1)
}
