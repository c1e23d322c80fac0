package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// moduleAddress is the module's address on the bus, in the upper seven bits of the first byte (SFF-8472 section 4).
const moduleAddress = 0xA0

// moduleBytes is page A0 of an SFP+ module for 10GBASE-SR (SFF-8472 chapters 5 to 8).
var moduleBytes = func() (b [256]byte) {
	copy(b[:], []byte{
		0x03, 0x04, 0x07, // an SFP, known by this page, with an LC connector
		0x10, 0, 0, 0, 0, 0, 0, 0, // 10GBASE-SR, and nothing else
		0x06, 103, 0, // 64B/66B, at 10.3 GBd
		0, 0, 8, 3, 0, 30, // 80, 30 and 300 m by OM2, OM1 and OM3
	})
	copy(b[20:], "glassnic        ")
	copy(b[37:], []byte{0x00, 0x1b, 0x21}) // of Intel: Linux's driver refuses others (practice)
	copy(b[40:], "modelled SR     1.0 ")
	binary.BigEndian.PutUint16(b[60:], 850) // nm
	copy(b[68:], "1               261126  ")
	for _, v := range b[:63] {
		b[63] += v
	}
	for _, v := range b[64:95] {
		b[95] += v
	}
	return b
}()

// Where the EEPROM tells what to write to the card for which kind of module: a list of pairs of kind and pointer, and what
// they point to. Each begins with a word that drivers skip (practice of Linux's driver; 6.3).
const (
	eepromModules   = 0x2B
	eepromModulesAt = 0x70
	eepromModuleAt  = 0x80
	shortRange0     = 5 // kinds: short or long range, in port 0
	shortRange1     = 6 // and 1
)

// moduleSequences has nothing written for this kind of module.
func moduleSequences(e *[eepromWords]uint16) {
	e[eepromModules] = eepromModulesAt
	copy(e[eepromModulesAt:], []uint16{5, shortRange0, eepromModuleAt, shortRange1, eepromModuleAt, eepromNone})
	copy(e[eepromModuleAt:], []uint16{1, eepromNone})
}

// plugModule gives a card with a cage what its registers are after a reset: the EEPROM chooses SFI (8.2.3.22.19 and 24), and
// there is a module.
func (c *Card) plugModule() {
	c.i2c = i2cBus{scl: true, sda: true, present: c.cfg.Module}
	if c.cfg.Module {
		c.put(chip.AUTOC, c.get(chip.AUTOC)&^chip.AutocLMS|chip.AutocLMS10GSerial)
		c.put(chip.AUTOC2, c.get(chip.AUTOC2)&^chip.Autoc2SerialPMD|chip.Autoc2SerialSFI)
	}
	c.put(chip.ESDP, c.pins(c.get(chip.ESDP)))
}

// pins returns ESDP as it reads after it was written: what an input shows is not the driver's.
func (c *Card) pins(v uint32) uint32 {
	const input = chip.EsdpSDP2 << 8 // SDP_IODIR, 0
	if c.cfg.Module && v&input == 0 {
		v |= chip.EsdpSDP2
	}
	return v
}

// i2cBus is the bus to the module, which answers (NXP UM10204, 3.1).
type i2cBus struct {
	present  bool
	scl, sda bool // as the card drives them
	pull     bool // the module pulls SDA down
	state    i2cState
	bits     int  // rising edges of SCL in this byte
	shift    byte // that comes in, or goes out
	ack      bool // of the card, for the byte that went out
	at       byte // the module's place in its page
	pointed  bool // the next byte is not the place
}

type i2cState uint8

const (
	i2cIdle i2cState = iota
	i2cAddress
	i2cWrite
	i2cRead
)

// lines returns I2CCTL as it reads.
func (b *i2cBus) lines(v uint32) uint32 {
	v &^= chip.I2cctlClkIn | chip.I2cctlDataIn
	if b.scl {
		v |= chip.I2cctlClkIn
	}
	if b.sda && !b.pull {
		v |= chip.I2cctlDataIn
	}
	return v
}

// drive is a write to I2CCTL. Data changes before the clock where both do.
func (b *i2cBus) drive(v uint32) {
	scl, sda := v&chip.I2cctlClk != 0, v&chip.I2cctlDataOut != 0
	if sda != b.sda {
		if b.sda = sda; b.scl && b.present && scl {
			b.pull, b.bits, b.shift = false, 0, 0
			if b.state = i2cAddress; sda { // a stop, else a start
				b.state = i2cIdle
			}
		}
	}
	if scl == b.scl {
		return
	}
	if b.scl = scl; b.state == i2cIdle {
		return
	}
	if scl {
		b.rise()
	} else {
		b.fall()
	}
}

// rise takes a bit.
func (b *i2cBus) rise() {
	b.bits++
	switch {
	case b.bits == 9:
		b.ack = !b.sda
	case b.state != i2cRead:
		b.shift <<= 1
		if b.sda {
			b.shift |= 1
		}
	}
}

// fall changes what the module drives.
func (b *i2cBus) fall() {
	switch {
	case b.bits == 8 && b.state == i2cRead:
		b.pull = false // for the card to answer
	case b.bits == 8:
		if b.pull = b.accept(); !b.pull {
			b.state = i2cIdle
		}
	case b.bits == 9 && b.state == i2cRead && !b.ack:
		b.state, b.pull = i2cIdle, false
	case b.bits == 9:
		b.bits, b.pull = 0, false
		if b.state == i2cAddress {
			b.state = i2cWrite
			if b.shift&1 != 0 {
				b.state = i2cRead
			}
			b.pointed = false
		}
		if b.shift = 0; b.state == i2cRead {
			b.shift = moduleBytes[b.at]
			b.at++
			b.next()
		}
	case b.state == i2cRead:
		b.next()
	}
}

// next puts out the next bit of a byte.
func (b *i2cBus) next() { b.pull = b.shift>>(7-b.bits)&1 == 0 }

// accept takes a byte, and tells whether the module answers. It keeps nothing that is written behind the place.
func (b *i2cBus) accept() bool {
	switch {
	case b.state == i2cAddress:
		return b.shift&^1 == moduleAddress
	case !b.pointed:
		b.at, b.pointed = b.shift, true
	}
	return true
}
