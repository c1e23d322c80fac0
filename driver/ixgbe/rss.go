package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// hashFields are the bits of MRQC by protocol (8.2.3.7.12).
var hashFields = []struct {
	protocol nic.HashProtocols
	field    uint32
}{
	{nic.HashIPv4, chip.MrqcIPv4}, {nic.HashTCP4, chip.MrqcTCPIPv4}, {nic.HashUDP4, chip.MrqcUDPIPv4},
	{nic.HashIPv6, chip.MrqcIPv6}, {nic.HashTCP6, chip.MrqcTCPIPv6}, {nic.HashUDP6, chip.MrqcUDPIPv6},
}

// initRSS spreads flows over the receive queues by a hash of their addresses and ports (7.1.2.8).
func (d *Device) initRSS() {
	d.hashing = nic.DefaultHashing(len(d.rx))
	if len(d.rx) == 1 && d.cfg.Offloads&nic.RxHash == 0 {
		return
	}
	d.setRSS(d.hashing)
}

// setRSS writes key, table and protocols, which may change while frames arrive (7.1.2.8.2).
func (d *Device) setRSS(h nic.Hashing) {
	for i := range len(h.Key) / 4 {
		d.regs.Write32(chip.RSSRK(i), binary.LittleEndian.Uint32(h.Key[4*i:]))
	}
	// Entries are bytes, four to a register (8.2.3.7.15). The X550 has more of them, by more bits of the hash: there
	// the table comes several times.
	const first = 128
	for i := 0; i < d.model.Facts().RETAEntries; i += 4 {
		v := binary.LittleEndian.Uint32(h.Table[i%len(h.Table):])
		if i < first {
			d.regs.Write32(chip.RETA(i/4), v)
		} else {
			d.regs.Write32(chip.ERETA((i-first)/4), v)
		}
	}
	// Without the fragment checksum, which shares its field with the hash (8.2.3.7.5).
	d.regs.Set(chip.RXCSUM, chip.RxcsumPCSD)
	v := chip.MrqcRSS
	for _, f := range hashFields {
		if h.Protocols&f.protocol != 0 {
			v |= f.field
		}
	}
	d.regs.Write32(chip.MRQC, v)
	d.hashing = h
}

// Hashable implements nic.Hasher.
func (d *Device) Hashable() nic.HashProtocols { return nic.HashAll }

// Hash implements nic.Hasher.
func (d *Device) Hash() nic.Hashing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hashing
}

// SetHash implements nic.Hasher. On a port of one queue it changes what nic.RxHash tells, and nothing else.
func (d *Device) SetHash(h nic.Hashing) error {
	const step = "set hash"
	if err := h.Check(len(d.rx), d.Hashable()); err != nil {
		return d.fail(step, "%w", err)
	}
	return d.change(step, func() { d.setRSS(h) })
}
