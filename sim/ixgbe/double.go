package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// Where tags lie in a frame, in bytes from its beginning.
const (
	firstTag  = 12
	secondTag = 16
)

// loadDouble reads whether frames carry an outer tag (7.4.5, CTRL_EXT.EXTENDED_VLAN), and its type (8.2.3.1.7).
func (m *macConfig) loadDouble(c *Card) {
	m.double = c.get(chip.CTRL_EXT)&chip.CtrlExtEXTVLAN != 0
	m.outerType = uint16(c.get(chip.EXVET) >> chip.ExvetVETEXTShift)
	if m.double {
		m.longest += 8 // both tags, whether a frame has them or not (8.2.3.22.13)
	}
}

// tagAt is where the tag lies that is filtered and stripped, if there is one: behind the outer one, if there has to be
// one. It is 0 for a frame without an outer tag then, of which nothing is filtered, stripped or told (7.4.5).
func (m *macConfig) tagAt(data []byte) int {
	switch {
	case !m.double:
		return firstTag
	case len(data) >= minFrame && binary.BigEndian.Uint16(data[firstTag:]) == m.outerType:
		return secondTag
	}
	return 0
}

// inner returns a frame as filters and checksums see it, which is without the outer tag, and what a write-back says of
// that. It is nil where they see nothing. It is valid until the next call.
func (c *Card) inner(data []byte) (inner []byte, w1 uint64) {
	switch c.mac.tagAt(data) {
	case firstTag:
		return data, 0
	case 0:
		return nil, 0
	}
	c.rxInner = append(append(c.rxInner[:0], data[:firstTag]...), data[secondTag:]...)
	for len(c.rxInner) < minFrame {
		c.rxInner = append(c.rxInner, 0)
	}
	return c.rxInner, chip.RxVEXT
}

// insertAt is where a tag is inserted into a frame that is sent: behind the outer one where DMATXCTL.GDV says that there is
// one. It is 0 where that is missing: checksums are not inserted then, as the datasheet warns (7.4.5.1). It leaves open what
// becomes of tags and segments; such a frame is dropped here.
func (c *Card) insertAt(f []byte) int {
	switch {
	case c.get(chip.DMATXCTL)&chip.DmatxctlGDV == 0:
		return firstTag
	case len(f) >= secondTag+2 && uint32(binary.BigEndian.Uint16(f[firstTag:])) == c.get(chip.EXVET)>>chip.ExvetVETEXTShift:
		return secondTag
	}
	return 0
}
