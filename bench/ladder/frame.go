package ladder

import "encoding/binary"

// touched is the byte that each frame's forwarder increments; the kernel's own forwarding changes it where it routes.
const touched = 1

// headers is how many bytes of a frame the source writes anew each time: Ethernet and IPv4.
const headers = 40

// The address that frames are sent to, and the one that routed ones have afterwards: that of the next hop.
var (
	inMAC  = []byte{0x02, 0x10, 0, 0, 0, 1}
	hopMAC = []byte{0x02, 0x11, 0, 0, 0, 1}
)

// Addresses for measurements (RFC 2544, C.2.2).
var (
	srcIP = [4]byte{198, 18, 0, 2}
	inIP  = [4]byte{198, 18, 0, 1}
	outIP = [4]byte{198, 19, 0, 1}
	dstIP = [4]byte{198, 19, 0, 2}
)

// frame makes 60 bytes, as short as Ethernet allows without the FCS: of an EtherType for experiments (IEEE 802, 9.2.4),
// which nobody in the kernel waits for, or an IPv4 packet of UDP.
func frame(ip bool) []byte {
	f := make([]byte, 60)
	copy(f, inMAC)
	copy(f[6:], []byte{0x02, 0, 0, 0, 0, 2})
	binary.BigEndian.PutUint16(f[12:], 0x88b5)
	if !ip {
		return f
	}
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	h := f[14:34] // RFC 791, 3.1
	h[0] = 0x45
	binary.BigEndian.PutUint16(h[2:], uint16(len(f)-14))
	h[8], h[9] = 64, 17
	copy(h[12:], srcIP[:])
	copy(h[16:], dstIP[:])
	sum := uint32(0)
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(h[10:], ^uint16(sum+sum>>16))
	u := f[34:] // RFC 768
	binary.BigEndian.PutUint16(u, 1024)
	binary.BigEndian.PutUint16(u[2:], 9) // discard
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	return f
}
