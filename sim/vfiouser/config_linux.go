package vfiouser

import chip "glassnic/chip/ixgbe"

// configSize is the size of an extended configuration space in bytes (PCI Express Base 2.0, 7.2).
const configSize = 4096

// configSpace is the PCI configuration space (82599 datasheet 9.3), of which mask says what can be written.
type configSpace struct {
	data, mask [configSize]byte
}

// Where things are in it (9.3.2).
const (
	cfgCommand   = 0x04
	cfgBAR0      = 0x10
	cfgBAR4      = 0x20
	cfgPowerCap  = 0x40
	cfgMSIXCap   = 0x70
	cfgPCIeCap   = 0xa0
	cfgMaster    = 1 << 2 // of the command register
	cfgAddress64 = 0x0c   // of a BAR: 64 bits, prefetchable
)

func newConfigSpace(device uint16) *configSpace {
	c := &configSpace{}
	set := func(at, bytes int, v, writable uint32) {
		for i := range bytes {
			c.data[at+i], c.mask[at+i] = byte(v>>(8*i)), byte(writable>>(8*i))
		}
	}
	set(0x00, 2, uint32(chip.VendorIntel), 0)
	set(0x02, 2, uint32(device), 0)
	set(cfgCommand, 2, 0, 0x547)
	set(0x06, 2, 0x10, 0)        // a list of capabilities
	set(0x08, 4, 0x020000_01, 0) // revision 1, Ethernet
	set(0x0c, 1, 0, 0xff)        // cache line size
	set(cfgBAR0, 4, cfgAddress64, 0xffff_ffff&^(chip.BARSize-1))
	set(cfgBAR0+4, 4, 0, 0xffff_ffff)
	set(cfgBAR4, 4, cfgAddress64, 0xffff_ffff&^(msixSize-1))
	set(cfgBAR4+4, 4, 0, 0xffff_ffff)
	set(0x2c, 2, uint32(chip.VendorIntel), 0)
	set(0x2e, 2, 0x0003, 0)
	set(0x34, 1, cfgPowerCap, 0)
	set(0x3c, 1, 0, 0xff) // interrupt line
	set(0x3d, 1, 1, 0)    // INTA

	// Power management (9.3.5): version 3, only D0 and D3; a move from D3 does not reset.
	set(cfgPowerCap, 4, 0x0003<<16|cfgMSIXCap<<8|0x01, 0)
	set(cfgPowerCap+4, 4, 1<<3, 0x0103)
	// MSI-X (9.3.8), table and pending bits in BAR 4.
	set(cfgMSIXCap, 4, (chip.MSIXVectors-1)<<16|cfgPCIeCap<<8|0x11, 0xc000<<16)
	set(cfgMSIXCap+4, 4, chip.MSIXT|chip.MSIXBAR, 0)
	set(cfgMSIXCap+8, 4, chip.MSIXPBA|chip.MSIXBAR, 0)
	// PCI Express (9.3.10): version 2, an endpoint; 512 bytes of payload, function level reset; 5 GT/s on 8 lanes.
	set(cfgPCIeCap, 4, 0x0002<<16|0x10, 0)
	set(cfgPCIeCap+0x04, 4, 1<<28|1<<15|2, 0)
	set(cfgPCIeCap+0x08, 2, 0x2810, 0xffff)
	set(cfgPCIeCap+0x0c, 4, 8<<4|2, 0)
	set(cfgPCIeCap+0x10, 2, 0, 0x01fb)
	set(cfgPCIeCap+0x12, 2, 8<<4|2, 0)
	set(cfgPCIeCap+0x24, 4, 0x1f, 0)
	set(cfgPCIeCap+0x28, 2, 0, 0x1f)
	set(cfgPCIeCap+0x2c, 4, 0x6, 0)
	set(cfgPCIeCap+0x30, 2, 2, 0xf)
	return c
}

// write writes what can be written, from at on.
func (c *configSpace) write(at int, b []byte) {
	for i, v := range b {
		m := c.mask[at+i]
		c.data[at+i] = c.data[at+i]&^m | v&m
	}
}

func (c *configSpace) master() bool { return c.data[cfgCommand]&cfgMaster != 0 }
