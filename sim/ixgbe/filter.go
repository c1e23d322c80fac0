package ixgbe

import (
	"encoding/binary"
	"hash/crc32"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

const (
	fcs       = 4
	minFrame  = chip.MinFrame - fcs
	broadcast = macMask
	// macMask takes an address out of the first eight bytes of a frame, first byte lowest.
	macMask = 1<<48 - 1
)

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// macConfig is what the receive MAC and the L2 filters (7.1.1) are set to.
type macConfig struct {
	longest     int // bytes without CRC and VLAN tag
	strip       bool
	storeBad    bool
	promiscuous bool // all unicast
	loopback    bool // what is sent comes back
	allMulti    bool
	broadcast   bool
	hashed      bool // use mta
	shift       uint // of the address for the hash
	first       uint64
	exact       []uint64 // further unicast and multicast addresses
	mta         [128]uint32
	exactBuf    [128]uint64
	byVLAN      bool // by tags of the type, in vfta (8.2.3.7.2)
	tagType     uint16
	vfta        [128]uint32
	double      bool // frames carry an outer tag (7.4.5)
	outerType   uint16
}

// load reads the registers.
func (m *macConfig) load(c *Card) {
	hlreg0, fctrl := c.get(chip.HLREG0), c.get(chip.FCTRL)
	m.longest = 1518 - fcs
	if hlreg0&chip.Hlreg0JUMBOEN != 0 {
		m.longest = max(int(c.get(chip.MAXFRS)>>chip.MaxfrsMFSShift), chip.MinFrame) - fcs
	}
	m.loadDouble(c)
	m.longest = min(m.longest, wire.MaxFrame)
	m.strip = hlreg0&chip.Hlreg0RXCRCSTRP != 0
	m.storeBad = fctrl&chip.FctrlSBP != 0
	m.loopback = hlreg0&chip.Hlreg0LPBK != 0
	m.promiscuous = fctrl&chip.FctrlUPE != 0
	m.allMulti = fctrl&chip.FctrlMPE != 0
	m.broadcast = fctrl&chip.FctrlBAM != 0
	mc := c.get(chip.MCSTCTRL)
	m.hashed = mc&chip.McstctrlMFE != 0
	m.shift = [...]uint{36, 35, 34, 32}[mc&chip.McstctrlMO]
	m.exact = m.exactBuf[:0]
	for i := range 128 {
		if h := c.get(chip.RAH(i)); h&chip.RahAV != 0 {
			m.exact = append(m.exact, uint64(h&chip.RahRAH)<<32|uint64(c.get(chip.RAL(i))))
		}
	}
	m.first = macMask // never a unicast address
	if len(m.exact) > 0 {
		m.first = m.exact[0]
	}
	if m.hashed {
		for i := range m.mta {
			m.mta[i] = c.get(chip.MTA(i))
		}
	}
	vlan := c.get(chip.VLNCTRL)
	m.byVLAN, m.tagType = vlan&chip.VlnctrlVFE != 0, uint16(vlan&chip.VlnctrlVET)
	if m.byVLAN {
		for i := range m.vfta {
			m.vfta[i] = c.get(chip.VFTA(i))
		}
	}
}

// pass tells whether the address filters (7.1.1.1) and the VLAN filter (8.2.3.7.2) let a frame of at least 18 bytes in.
func (m *macConfig) pass(data []byte) bool {
	if at := m.tagAt(data); m.byVLAN && at > 0 && binary.BigEndian.Uint16(data[at:]) == m.tagType {
		if id := binary.BigEndian.Uint16(data[at+2:]) & 0xfff; m.vfta[id>>5]>>(id&31)&1 == 0 {
			return false
		}
	}
	return m.passAddress(address(data))
}

// passAddress is pass for the address alone.
func (m *macConfig) passAddress(dst uint64) bool {
	group := dst&1 != 0
	switch {
	case dst == broadcast:
		return m.broadcast
	case group && m.allMulti, !group && m.promiscuous:
		return true
	}
	for _, a := range m.exact {
		if a == dst {
			return true
		}
	}
	if group && m.hashed {
		h := uint32(dst>>m.shift) & 0xFFF
		return m.mta[h>>5]>>(h&31)&1 != 0
	}
	return false
}

// filter is pass, counting the frames that are refused.
func (c *Card) filter(data []byte, errors uint64) bool {
	if c.mac.pass(data) {
		return true
	}
	dst, size := address(data), len(data)
	s := &c.stats
	s.total.RxFrames++
	s.total.RxFiltered++
	s.n[statTPR]++
	if errors == 0 {
		s.n[statRXNFGPC]++
		s.n[statRXNFGBC] += uint64(size) + fcs
	}
	if dst == broadcast {
		s.n[statTOR] += uint64(size) + fcs
	}
	return false
}

// irregular deals with frames whose length or CRC is wrong: they are counted and dropped, but for
// those that FCTRL.SBP stores (8.2.3.7.1). It returns their error bits.
func (c *Card) irregular(f *wire.Frame) (errors uint64, ok bool) {
	s := &c.stats
	n := len(f.Data)
	longest := c.mac.longest
	if !c.mac.double && n >= 14 && binary.BigEndian.Uint16(f.Data[12:]) == 0x8100 {
		longest += 4 // a VLAN tag does not count (8.2.3.22.13)
	}
	switch {
	case !f.Bad && n >= minFrame && n <= longest:
		return 0, true
	case f.Bad && c.mac.storeBad && n >= minFrame && n <= longest:
		return chip.RxRXE, true
	}
	s.total.RxFrames++
	s.n[statTPR]++
	if n < 6 || !c.mac.passAddress(address(f.Data)) {
		s.total.RxFiltered++
		return 0, false
	}
	s.n[statTOR] += uint64(n) + fcs
	switch {
	case n < minFrame && f.Bad:
		s.n[statRFC]++
		s.total.RxShort++
	case n < minFrame:
		s.n[statRUC]++
		s.total.RxShort++
	case n > longest && f.Bad:
		s.n[statRJC]++
		s.total.RxLong++
	case n > longest:
		s.n[statROC]++
		s.total.RxLong++
	default:
		s.n[statCRCERRS]++
		s.total.RxBadCRC++
	}
	return 0, false
}

// address is the destination of a frame of at least six bytes.
func address(b []byte) uint64 {
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40
}

// scratch is room for frames that the card has to change.
type scratch struct {
	rxTag      []byte
	rxInner    []byte
	rxWork     []byte
	txWork     []byte
	txSegments []byte
}

// withFCS returns a copy of a frame with the CRC that was on the wire (IEEE 802.3, 3.2.9).
func (c *Card) withFCS(data []byte, bad bool) []byte {
	sum := crc32.ChecksumIEEE(data)
	if bad {
		sum = ^sum
	}
	c.rxWork = binary.LittleEndian.AppendUint32(append(c.rxWork[:0], data...), sum)
	return c.rxWork
}
