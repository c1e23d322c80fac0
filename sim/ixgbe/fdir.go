package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// flowDirector leads single flows to queues (7.1.2.7). Its filters lie in the packet buffer, which no register shows: a
// card that goes on in another process (Config.Resume) has lost them. Perfect match is of IPv4 only.
type flowDirector struct {
	ctrl          uint32 // FDIRCTRL
	hashKey, sign uint32 // FDIRHKEY, FDIRSKEY
	buckets       map[uint32][]flowFilter
	count         int
	mask          flowFields // of what is compared, or hashed
	mask6         [32]byte   // of the addresses of IPv6, source first
	used          bool       // tables were made since the reset, or the last CLEARHT
	counter       uint32     // that the last frame adds to: FDIRMATCH, FDIRMISS, 0 for neither
}

// flowFields are what a filter compares. Addresses are those of IPv4, in the byte order of the wire.
type flowFields struct {
	kind             uint8 // L4 type, and 4 for IPv6
	vlan             uint16
	src, dst         uint32
	srcPort, dstPort uint16
	flex             uint16 // in the byte order of the wire, first byte lowest
}

type flowFilter struct {
	index uint32 // signature, or the driver's number
	flowFields
	cmd uint32 // FDIRCMD
}

func (f *flowDirector) on() bool { return f.ctrl&chip.FdirctrlINITDONE != 0 }

// load reads the settings.
func (f *flowDirector) load(c *Card) {
	f.ctrl, f.hashKey, f.sign = c.get(chip.FDIRCTRL), c.get(chip.FDIRHKEY), c.get(chip.FDIRSKEY)
	m := c.get(chip.FDIRM)
	for i, v6 := 0, c.get(chip.FDIRIP6M); i < len(f.mask6); i++ {
		f.mask6[i] = byte(v6>>i&1) - 1
	}
	f.mask = flowFields{kind: 7, flex: 0xFFFF, src: ^c.get(chip.FDIRSIP4M), dst: ^c.get(chip.FDIRDIP4M)}
	if m&chip.FdirmL4P != 0 {
		f.mask.kind = 4
	}
	if m&chip.FdirmFLEX != 0 {
		f.mask.flex = 0
	}
	if m&chip.FdirmVLANID == 0 {
		f.mask.vlan |= 0x0FFF
	}
	if m&chip.FdirmVLANP == 0 {
		f.mask.vlan |= 0xE000
	}
}

// ports are the masks of a L4 type, in registers with bit 0 for the highest bit of a port (8.2.3.21, FDIRTCPM).
func (c *Card) flowPorts(kind uint8) (src, dst uint16) {
	reg := chip.FDIRTCPM
	if kind&3 == chip.FDIRL4UDP {
		reg = chip.FDIRUDPM
	}
	v := ^c.get(reg)
	turn := func(v uint16) (r uint16) {
		for i := range 16 {
			r |= v >> i & 1 << (15 - i)
		}
		return r
	}
	return turn(uint16(v)), turn(uint16(v >> chip.FdirportDestShift))
}

// bucket cuts a hash down to the buckets that there are.
func (f *flowDirector) bucket(hash uint32) uint32 {
	return hash & (1<<f.bits() - 1)
}

// bits is the logarithm of the number of buckets, and of filters.
func (f *flowDirector) bits() int {
	n := int(f.ctrl&chip.FdirctrlPBALLOC) - 1
	if f.ctrl&chip.FdirctrlPERFECT != 0 {
		return chip.FDIRPerfectBits + n
	}
	return chip.FDIRSignatureBits + n
}

// queue returns the queue of a packet that a filter matches, else -1.
func (f *flowDirector) queue(c *Card, b []byte, h *headers, w0, w1 *uint64) int {
	perfect := f.ctrl&chip.FdirctrlPERFECT != 0
	if h.types&(chip.RxPktIPv4|chip.RxPktIPv6) == 0 || perfect && h.types&chip.RxPktIPv6 != 0 {
		return -1
	}
	if f.counter = chip.FDIRMISS; f.count == 0 {
		return -1
	}
	v := f.masked(c, flowOf(b, h, int(f.ctrl&chip.FdirctrlFLEX>>chip.FdirctrlFLEXShift)*2))
	var s stream
	s.fill(&v)
	if h.types&chip.RxPktIPv6 != 0 {
		for i, m := range f.mask6 {
			s[4+i] = b[h.l3+8+i] & m
		}
	}
	hash := s.hash(f.hashKey)
	index := uint32(0)
	if !perfect {
		index = s.hash(f.sign)
	}
	for _, e := range f.buckets[f.bucket(hash)] {
		if perfect && e.flowFields != v || !perfect && e.index != index {
			continue
		}
		f.counter = chip.FDIRMATCH
		*w1 |= chip.RxFLM
		if f.ctrl&(chip.FdirctrlREPORT|chip.FdirctrlREPORTALWAYS) != 0 {
			id := uint64(f.bucket(hash) | e.index<<chip.FdirhashINDEXShift)
			*w0 = *w0&^(0xFFFFFFFF<<chip.RxHashShift|chip.RxRSSTypeMask) | chip.RxRSSFDIR | id<<chip.RxHashShift
		}
		switch {
		case e.cmd&chip.FdircmdDROP != 0:
			return int(f.ctrl & chip.FdirctrlDROPQ >> chip.FdirctrlDROPQShift)
		case e.cmd&chip.FdircmdQUEUEEN != 0:
			return int(e.cmd & chip.FdircmdRXQ >> chip.FdircmdRXQShift)
		}
		return -1
	}
	return -1
}

// flowOf takes the fields out of a frame; flex is the offset of the flexible bytes.
func flowOf(b []byte, h *headers, flex int) (v flowFields) {
	switch {
	case h.types&chip.RxPktTCP != 0:
		v.kind = chip.FDIRL4TCP
	case h.types&chip.RxPktUDP != 0:
		v.kind = chip.FDIRL4UDP
	case h.types&chip.RxPktSCTP != 0:
		v.kind = chip.FDIRL4SCTP
	}
	if h.types&chip.RxPktIPv6 != 0 {
		v.kind |= 4
	} else {
		v.src, v.dst = binary.LittleEndian.Uint32(b[h.l3+12:]), binary.LittleEndian.Uint32(b[h.l3+16:])
	}
	if h.l4 != 0 {
		v.srcPort, v.dstPort = binary.BigEndian.Uint16(b[h.l4:]), binary.BigEndian.Uint16(b[h.l4+2:])
	}
	if binary.BigEndian.Uint16(b[12:]) == etherVLAN {
		v.vlan = binary.BigEndian.Uint16(b[14:])
	}
	if flex+2 <= len(b) {
		v.flex = binary.LittleEndian.Uint16(b[flex:])
	}
	return v
}

// masked leaves what is compared, or hashed: signatures are of what the masks leave as well (7.1.2.7).
func (f *flowDirector) masked(c *Card, v flowFields) flowFields {
	src, dst := c.flowPorts(v.kind)
	m := &f.mask
	v.kind &= m.kind
	v.vlan &= m.vlan
	v.src &= m.src
	v.dst &= m.dst
	v.srcPort &= src
	v.dstPort &= dst
	v.flex &= m.flex
	return v
}

// fdirControl does what a write of FDIRCTRL asks for: with memory, and INIT_DONE not written as it reads, the tables are
// made anew (8.2.3.21.1). A second time that takes CLEARHT before it, set and cleared, by the practice of Linux's driver
// (ixgbe_reinit_fdir_tables_82599). A polled card does not see that.
func (c *Card) fdirControl() {
	v := c.get(chip.FDIRCTRL)
	if v&chip.FdirctrlPBALLOC == 0 || v&chip.FdirctrlINITDONE != 0 || c.steering.fdir.used && !c.polled {
		return
	}
	c.steering.fdir.used = true
	c.steering.fdir.ctrl = v
	c.fdirClear()
	c.put(chip.FDIRCTRL, v|chip.FdirctrlINITDONE)
	c.dirty = true
}

// fdirClear forgets all filters.
func (c *Card) fdirClear() {
	f := &c.steering.fdir
	f.buckets, f.count = map[uint32][]flowFilter{}, 0
	c.fdirFree()
	c.dirty = true
}

// fdirFree shows how many filters there is room for: two less than buckets (7.1.2.7.1).
func (c *Card) fdirFree() {
	f := &c.steering.fdir
	if f.ctrl&chip.FdirctrlPBALLOC != 0 {
		c.put(chip.FDIRFREE, uint32(1<<f.bits()-2-f.count))
	}
}

// fdirCommand does what FDIRCMD asks for (8.2.3.21, FDIRCMD).
func (c *Card) fdirCommand() {
	v := c.get(chip.FDIRCMD)
	if v&chip.FdircmdCLEARHT != 0 {
		if c.steering.fdir.used = false; c.steering.fdir.count > 0 {
			c.fdirClear()
		}
	}
	if v&chip.FdircmdCMD == 0 {
		return
	}
	f := &c.steering.fdir
	f.ctrl = c.get(chip.FDIRCTRL)
	hash := c.get(chip.FDIRHASH)
	bucket, index := f.bucket(hash&chip.FdirhashHASH), hash&chip.FdirhashINDEX>>chip.FdirhashINDEXShift
	at := -1
	for i, e := range f.buckets[bucket] {
		if e.index == index {
			at = i
		}
	}
	answer := v &^ (chip.FdircmdCMD | chip.FdircmdVALID)
	switch v & chip.FdircmdCMD {
	case chip.FdircmdAdd:
		c.fdirAdd(bucket, at, index, v)
	case chip.FdircmdRemove:
		if at < 0 {
			c.put(chip.FDIRFSTAT, c.get(chip.FDIRFSTAT)+1<<8)
			break
		}
		f.buckets[bucket] = append(f.buckets[bucket][:at], f.buckets[bucket][at+1:]...)
		f.count--
		c.put(chip.FDIRUSTAT, c.get(chip.FDIRUSTAT)+1<<16)
	case chip.FdircmdQuery:
		if answer = 0; at >= 0 {
			answer = f.buckets[bucket][at].cmd&^chip.FdircmdCMD | chip.FdircmdVALID
		}
	}
	c.fdirFree()
	c.dirty = true
	c.put(chip.FDIRCMD, answer) // last: whoever sees CMD cleared sees all the rest
}

// fdirAdd adds a filter, or replaces the one at a place of its bucket, where there is room.
func (c *Card) fdirAdd(bucket uint32, at int, index, cmd uint32) {
	f := &c.steering.fdir
	if f.ctrl&chip.FdirctrlINITDONE == 0 || at < 0 && f.count >= 1<<f.bits()-2 || at >= 0 && cmd&chip.FdircmdUPDATE == 0 {
		c.put(chip.FDIRFSTAT, c.get(chip.FDIRFSTAT)+1)
		return
	}
	f.load(c)
	e := flowFilter{index: index, cmd: cmd}
	if f.ctrl&chip.FdirctrlPERFECT != 0 {
		ports, vlan := c.get(chip.FDIRPORT), c.get(chip.FDIRVLAN)
		e.flowFields = f.masked(c, flowFields{
			kind: uint8(cmd >> chip.FdircmdL4Shift & 7), vlan: uint16(vlan), flex: uint16(vlan >> chip.FdirvlanFLEXShift),
			src: c.get(chip.FDIRIPSA), dst: c.get(chip.FDIRIPDA), srcPort: uint16(ports), dstPort: uint16(ports >> chip.FdirportDestShift),
		})
	}
	if at >= 0 {
		f.buckets[bucket][at] = e
	} else {
		f.buckets[bucket] = append(f.buckets[bucket], e)
		f.count++
	}
	c.put(chip.FDIRUSTAT, c.get(chip.FDIRUSTAT)+1)
}
