package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// The clock goes by the card's DMA clock, of 6.4 ns at 10 Gbit/s (7.9, 8.2.3.26, TIMINCA): 32 fifths of a nanosecond.
const (
	fifths   = 5 // in a nanosecond
	dmaClock = 32
)

// ptpClock is SYSTIM, and whether packets that come in are stamped (7.9). A polled card, whose driver's reads nobody sees,
// stamps nothing.
type ptpClock struct {
	value   uint64
	at      int64 // when it was value, in fifths of a nanosecond of model time
	every   int64 // fifths between increments; 0: it stands
	add     uint64
	latched uint32 // SYSTIMH as of the last read of SYSTIML
	stamps  bool
}

// systim lets SYSTIM go on to now.
func (c *Card) systim() uint64 {
	k, now := &c.clock, int64(c.now())*fifths
	if k.every == 0 {
		k.at = now
	} else if n := (now - k.at) / k.every; n > 0 {
		k.value += uint64(n) * k.add
		k.at += n * k.every
	}
	return k.value
}

// readClock is a read of the clock, of which the low half keeps the high half for the next read, or of the half of a
// stamp that makes room for the next.
func (c *Card) readClock(off, v uint32) uint32 {
	switch off {
	case chip.SYSTIML:
		now := c.systim()
		c.clock.latched = uint32(now >> 32)
		return uint32(now)
	case chip.SYSTIMH:
		return c.clock.latched
	case chip.RXSTMPH:
		c.put(chip.TSYNCRXCTL, c.get(chip.TSYNCRXCTL)&^chip.TsyncrxctlRXTT)
		c.loadClock()
	case chip.TXSTMPH:
		c.put(chip.TSYNCTXCTL, c.get(chip.TSYNCTXCTL)&^chip.TsynctxctlTXTT)
	}
	return v
}

// writeClock sets the clock, its pace, or moves it by TIMADJ, whose high half does it.
func (c *Card) writeClock(off, v uint32) {
	k := &c.clock
	c.systim()
	switch off {
	case chip.SYSTIML:
		k.value = k.value&^0xffff_ffff | uint64(v)
	case chip.SYSTIMH:
		k.value = k.value&0xffff_ffff | uint64(v)<<32
	case chip.TIMINCA:
		k.every = int64(v>>chip.TimincaINCPShift) * dmaClock
		k.add = uint64(v & chip.TimincaINCVALUE)
	case chip.TIMADJH:
		by := uint64(v&^chip.TimadjhSIGN)<<32 | uint64(c.get(chip.TIMADJL))
		if v&chip.TimadjhSIGN != 0 {
			by = -by
		}
		k.value += by
	}
}

// loadClock finds out whether the next packet that matches is stamped: only one is, until its time has been read.
func (c *Card) loadClock() {
	c.clock.stamps = c.get(chip.TSYNCRXCTL)&(chip.TsyncrxctlEN|chip.TsyncrxctlRXTT) == chip.TsyncrxctlEN && !c.polled
}

// Messages of PTP (IEEE 1588-2008, 13.3.2; of version 1 IEEE 1588-2002, 8.3): the version is in the low half of byte 1,
// the type of version 2 in the low half of byte 0, the source from byte 22 on, the sequence number at 30, the control
// field of version 1 at 32.
const (
	ptpLeast   = 34 // bytes that a header has
	ptpSource  = 22
	ptpSeq     = 30
	ptpControl = 32
)

// stampRx notes the time of a packet that matches, and returns what the descriptor's second word says of it.
func (c *Card) stampRx(data []byte) uint64 {
	message, byUDP := c.findPTP(data)
	if len(message) < ptpLeast {
		return 0
	}
	version, kind := message[1]&15, uint32(message[0]&15)
	match := c.get(chip.RXMTRL)
	wanted := kind == match&chip.RxmtrlMSGT>>chip.RxmtrlMSGTShift || kind == 2 || kind == 3
	switch c.get(chip.TSYNCRXCTL) & chip.TsyncrxctlTYPE {
	case chip.TsyncrxctlTYPEL2V2:
		wanted = wanted && version == 2 && !byUDP
	case chip.TsyncrxctlTYPEL4V1:
		wanted = version == 1 && byUDP && uint32(message[ptpControl]) == match&chip.RxmtrlCTRLT
	case chip.TsyncrxctlTYPEV2:
		wanted = wanted && version == 2
	case chip.TsyncrxctlTYPEEvents:
		wanted = version == 2 && kind&8 == 0
	default:
		return 0
	}
	if !wanted {
		return 0
	}
	now := c.systim()
	c.put(chip.RXSTMPL, uint32(now))
	c.put(chip.RXSTMPH, uint32(now>>32))
	// The order of the source's bytes is taken to be that of the wire.
	c.put(chip.RXSATRL, binary.BigEndian.Uint32(message[ptpSource+2:]))
	c.put(chip.RXSATRH, uint32(binary.BigEndian.Uint16(message[ptpSource:]))|uint32(binary.BigEndian.Uint16(message[ptpSeq:]))<<16)
	c.put(chip.TSYNCRXCTL, c.get(chip.TSYNCRXCTL)|chip.TsyncrxctlRXTT)
	c.loadClock()
	return chip.RxTS
}

// findPTP returns the message in a frame of at least 60 bytes: by an EtherType for which the first filter that matches
// says so (7.1.2.3, 8.2.3.7.21), or by the UDP port of RXMTRL.
func (c *Card) findPTP(data []byte) (message []byte, byUDP bool) {
	kind := binary.BigEndian.Uint16(data[12:])
	for i := range 8 {
		if f := c.get(chip.ETQF(i)); f&chip.EtqfFILTEREN != 0 && uint16(f) == kind {
			if f&chip.Etqf1588 == chip.Etqf1588 {
				return data[14:], false
			}
			return nil, false
		}
	}
	var h headers
	if h.parse(data); h.proto != protoUDP || uint32(binary.BigEndian.Uint16(data[h.l4+2:])) != c.get(chip.RXMTRL)>>chip.RxmtrlUDPTShift {
		return nil, false
	}
	return data[h.l4+8 : h.end], true
}

// stampTx notes the time of a frame that was sent and asked for it.
func (c *Card) stampTx() {
	v := c.get(chip.TSYNCTXCTL)
	if v&(chip.TsynctxctlEN|chip.TsynctxctlTXTT) != chip.TsynctxctlEN || c.polled {
		return
	}
	now := c.systim()
	c.put(chip.TXSTMPL, uint32(now))
	c.put(chip.TXSTMPH, uint32(now>>32))
	c.put(chip.TSYNCTXCTL, v|chip.TsynctxctlTXTT)
}
