package ixgbe

import chip "glassnic/chip/ixgbe"

// The EEPROM map (6.2, 6.3) as far as drivers read it.
const (
	eepromWords     = 0x100
	eepromChecksum  = 0x3F   // word of the checksum (6.3)
	eepromSum       = 0xBABA // of words 0 to 0x3F and the sections
	eepromFirst     = 0x03   // pointers to sections
	eepromLast      = 0x0E
	eepromPCIe0     = 0x07
	eepromCore0     = 0x09
	eepromSerial    = 0x11 // three words
	eepromNone      = 0xFFFF
	eepromPCIeAt    = 0x60
	eepromCoreAt    = 0x50
	eepromMACOffset = 1
)

// buildEEPROM writes the image: the permanent address, the device id, and a checksum that is right.
func (c *Card) buildEEPROM() {
	e := &c.eeprom
	for i := eepromFirst; i <= eepromLast; i++ {
		e[i] = eepromNone
	}
	e[0] = 0x0040 // signature 01b in bits 7:6: the EEPROM is valid (6.3)
	m := c.cfg.MAC
	words := [3]uint16{uint16(m[0]) | uint16(m[1])<<8, uint16(m[2]) | uint16(m[3])<<8, uint16(m[4]) | uint16(m[5])<<8}
	copy(e[eepromSerial:], words[:])
	e[eepromCore0], e[eepromCoreAt] = eepromCoreAt, 3
	copy(e[eepromCoreAt+eepromMACOffset:], words[:])
	e[eepromPCIe0], e[eepromPCIeAt] = eepromPCIeAt, 2
	e[eepromPCIeAt+1], e[eepromPCIeAt+2] = 0x8086, c.cfg.Device
	if c.cfg.Module {
		moduleSequences(e)
	}
	e[eepromChecksum] = eepromSum - eepromTotal(e)
}

// eepromTotal sums words 0 to 0x3E and the sections that they point to.
func eepromTotal(e *[eepromWords]uint16) (sum uint16) {
	for _, w := range e[:eepromChecksum] {
		sum += w
	}
	for _, p := range e[eepromFirst : eepromLast+1] {
		if p == eepromNone || p == 0 {
			continue
		}
		n := e[p]
		for _, w := range e[p+1 : p+1+n] {
			sum += w
		}
	}
	return sum
}

// readEEPROM answers EERD (8.2.3.2.2). Words beyond the image read as erased.
func (c *Card) readEEPROM() {
	v := c.get(chip.EERD)
	if v&chip.EerdSTART == 0 || v&chip.EerdDONE != 0 || Faults(c.faults.Load())&EEPROMNeverReady != 0 {
		return
	}
	at := v >> chip.EerdADDRShift & 0x3FFF
	word := uint32(eepromNone)
	if at < eepromWords {
		word = uint32(c.eeprom[at])
	}
	c.put(chip.EERD, word<<chip.EerdDATAShift|at<<chip.EerdADDRShift|chip.EerdDONE)
}
