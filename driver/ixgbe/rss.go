package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// rssKey is the secret of the Toeplitz hash: 0x6d5a over and over, with which both directions of a
// connection hash to the same value and so meet on one worker.
var rssKey = func() (k [40]byte) {
	for i := range k {
		k[i] = [2]byte{0x6d, 0x5a}[i%2]
	}
	return k
}()

// initRSS spreads flows over the receive queues by a hash of their addresses and ports (7.1.2.8).
func (d *Device) initRSS() {
	if len(d.rx) == 1 && d.cfg.Offloads&nic.RxHash == 0 {
		return
	}
	for i := range len(rssKey) / 4 {
		d.regs.Write32(chip.RSSRK(i), binary.LittleEndian.Uint32(rssKey[4*i:]))
	}
	const entries = 128 // of 4 bits in bytes, four to a register (8.2.3.7.15)
	for i := range entries / 4 {
		var v uint32
		for k := range 4 {
			v |= uint32((4*i+k)%len(d.rx)) << (8 * k)
		}
		d.regs.Write32(chip.RETA(i), v)
	}
	// Without the fragment checksum, which shares its field with the hash (8.2.3.7.5).
	d.regs.Set(chip.RXCSUM, chip.RxcsumPCSD)
	d.regs.Write32(chip.MRQC, chip.MrqcRSS|chip.MrqcTCPIPv4|chip.MrqcIPv4|chip.MrqcIPv6|chip.MrqcTCPIPv6|chip.MrqcUDPIPv4|chip.MrqcUDPIPv6)
}
