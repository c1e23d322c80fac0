package e1000

import (
	"encoding/binary"

	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// hashFields are the bits of MRQC by protocol (82576 8.10.10).
var hashFields = []struct {
	protocol nic.HashProtocols
	field    uint32
}{
	{nic.HashIPv4, chip.MrqcIPv4}, {nic.HashTCP4, chip.MrqcTCPIPv4}, {nic.HashUDP4, chip.MrqcUDPIPv4},
	{nic.HashIPv6, chip.MrqcIPv6}, {nic.HashTCP6, chip.MrqcTCPIPv6}, {nic.HashUDP6, chip.MrqcUDPIPv6},
}

// initRSS spreads flows over the receive queues by a hash of their addresses and ports (82576 7.1, 8.10).
func (d *Device) initRSS() {
	d.hashing = nic.DefaultHashing(len(d.rx))
	if len(d.rx) > 1 {
		d.setRSS(d.hashing)
	}
}

func (d *Device) setRSS(h nic.Hashing) {
	for i := range len(h.Key) / 4 {
		d.regs.Write32(chip.RSSRK(i), binary.LittleEndian.Uint32(h.Key[4*i:]))
	}
	for i := range chip.RETAEntries / 4 {
		d.regs.Write32(chip.RETA(i), binary.LittleEndian.Uint32(h.Table[4*i:])<<d.facts.RETAShift)
	}
	// Without the packet checksum, which shares its field with the hash.
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

// Hashable implements nic.Hasher: cards of which one queue is used have no hash here.
func (d *Device) Hashable() nic.HashProtocols {
	if d.family.single {
		return 0
	}
	return nic.HashAll
}

// Hash implements nic.Hasher.
func (d *Device) Hash() nic.Hashing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hashing
}

// SetHash implements nic.Hasher. On a port of one queue it changes nothing for the frames.
func (d *Device) SetHash(h nic.Hashing) error {
	const step = "set hash"
	if err := h.Check(len(d.rx), d.Hashable()); err != nil {
		return d.fail(step, "%w", err)
	}
	return d.change(step, func() { d.setRSS(h) })
}
