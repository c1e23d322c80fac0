package e1000

import (
	"encoding/binary"

	chip "glassnic/chip/e1000"
)

// rssKey is the secret of the Toeplitz hash: 0x6d5a over and over, with which both directions of a
// connection hash to the same value and so meet on one worker.
var rssKey = func() (k [chip.RSSKeyLength]byte) {
	for i := range k {
		k[i] = [2]byte{0x6d, 0x5a}[i%2]
	}
	return k
}()

// initRSS spreads flows over the receive queues by a hash of their addresses and ports (82576 7.1, 8.10).
func (d *Device) initRSS() {
	if len(d.rx) == 1 {
		return
	}
	for i := range len(rssKey) / 4 {
		d.regs.Write32(chip.RSSRK(i), binary.LittleEndian.Uint32(rssKey[4*i:]))
	}
	for i := range chip.RETAEntries / 4 {
		var v uint32
		for k := range 4 {
			v |= uint32((4*i+k)%len(d.rx)) << (8*k + d.facts.RETAShift)
		}
		d.regs.Write32(chip.RETA(i), v)
	}
	// Without the packet checksum, which shares its field with the hash.
	d.regs.Set(chip.RXCSUM, chip.RxcsumPCSD)
	d.regs.Write32(chip.MRQC, chip.MrqcRSS|chip.MrqcTCPIPv4|chip.MrqcIPv4|chip.MrqcIPv6|chip.MrqcTCPIPv6|chip.MrqcUDPIPv4|chip.MrqcUDPIPv6)
}
