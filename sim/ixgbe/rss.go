package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// rssConfig is receive side scaling (7.1.2.8).
type rssConfig struct {
	on     bool
	fields uint32 // MRQC bits 31:16
	key    [40]byte
	mask   uint32 // of the hash, for an entry of reta
	reta   [512]uint8
	// table is the Toeplitz hash by nibble: the part of the hash that each value of each nibble of the
	// input contributes.
	table [72][16]uint32
}

// load reads the registers.
func (r *rssConfig) load(c *Card) {
	mrqc := c.get(chip.MRQC)
	r.on = mrqc&chip.MrqcMRQE == chip.MrqcRSS
	if !r.on {
		return
	}
	r.fields = mrqc
	var key [40]byte
	for i := range 10 {
		binary.LittleEndian.PutUint32(key[4*i:], c.get(chip.RSSRK(i)))
	}
	// 128 entries, with four bits for a queue; on the X550 512 with six (8.2.3.7.15; ERETA).
	r.mask = uint32(c.facts.RETAEntries - 1)
	for i := range c.facts.RETAEntries / 4 {
		off := chip.RETA(i)
		if i >= 32 {
			off = chip.ERETA(i - 32)
		}
		v := c.get(off)
		for j := range 4 {
			r.reta[4*i+j] = uint8(v>>(8*j)) & uint8(c.facts.RSSQueues-1)
		}
	}
	if key != r.key || r.table[0][8] != keyWindow(&key, 0) {
		r.key = key
		r.build()
	}
}

func (r *rssConfig) build() {
	for n := range r.table {
		for v := range 16 {
			var h uint32
			for bit := range 4 {
				if v>>(3-bit)&1 != 0 {
					h ^= keyWindow(&r.key, 4*n+bit)
				}
			}
			r.table[n][v] = h
		}
	}
}

// keyWindow returns the 32 bits of the key from bit i on, most significant first.
func keyWindow(key *[40]byte, i int) uint32 {
	var w uint64
	for b := range 5 {
		if i/8+b < len(key) {
			w |= uint64(key[i/8+b]) << (32 - 8*b)
		}
	}
	return uint32(w >> (8 - i%8))
}

func (r *rssConfig) hash(seed uint32, at int, b []byte) uint32 {
	for i, v := range b {
		seed ^= r.table[2*(at+i)][v>>4] ^ r.table[2*(at+i)+1][v&15]
	}
	return seed
}

// of returns the RSS type of a frame and its hash; type 0 is a frame without.
func (r *rssConfig) of(b []byte) (kind uint64, hash uint32) {
	var h headers
	h.parse(b)
	switch {
	case h.types&chip.RxPktIPv4 != 0:
		addrs, ports := b[h.l3+12:h.l3+20], uint32(0)
		switch {
		case h.types&chip.RxPktTCP != 0 && r.fields&chip.MrqcTCPIPv4 != 0:
			kind, ports = chip.RxRSSTCPIPv4, 4
		case h.types&chip.RxPktUDP != 0 && r.fields&chip.MrqcUDPIPv4 != 0:
			kind, ports = chip.RxRSSUDPIPv4, 4
		case r.fields&chip.MrqcIPv4 != 0:
			kind = chip.RxRSSIPv4
		default:
			return 0, 0
		}
		hash = r.hash(0, 0, addrs)
		return kind, r.hash(hash, 8, b[h.l4:h.l4+int(ports)])
	case h.types&chip.RxPktIPv6 != 0:
		addrs, ports := b[h.l3+8:h.l3+40], uint32(0)
		switch {
		case h.types&chip.RxPktTCP != 0 && r.fields&chip.MrqcTCPIPv6 != 0:
			kind, ports = chip.RxRSSTCPIPv6, 4
		case h.types&chip.RxPktUDP != 0 && r.fields&chip.MrqcUDPIPv6 != 0:
			kind, ports = chip.RxRSSUDPIPv6, 4
		case r.fields&chip.MrqcIPv6 != 0:
			kind = chip.RxRSSIPv6
		default:
			return 0, 0
		}
		hash = r.hash(0, 0, addrs)
		return kind, r.hash(hash, 32, b[h.l4:h.l4+int(ports)])
	}
	return 0, 0
}
