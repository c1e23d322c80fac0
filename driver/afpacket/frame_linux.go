package afpacket

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"glassnic/nic/soft"
	"glassnic/packet"
)

// headerSize is what the kernel writes before a frame at least (linux/if_packet.h, struct tpacket3_hdr).
const headerSize = 48

// Fields of a virtio_net_hdr (virtio 1.2, 5.1.6), which stands before the frame.
const (
	vnetSize      = 10
	vnetNeedsSum  = 1
	vnetTCP4      = 1
	vnetTCP6      = 4
	vnetGSO       = 0x7f // without the bit for ECN
	tagSize       = 4
	addressesSize = 12
	ethernetSize  = 14
)

// frame is a frame in a ring. The kernel may have put several segments of a connection together, or not have taken them
// apart yet: these are made again.
type frame struct {
	data []byte
	at   int64  // when it came, in nanoseconds since 1970
	tag  []byte // VLAN tag, nil: none
	sum  bool   // the checksum at sumAt+sumOff is to be completed, from sumAt on
	tags [tagSize]byte

	sumAt, sumOff int
	segment       segment
}

// parse looks at the frame at an offset. It reports false where what is there makes no sense.
func (f *frame) parse(b block, off int) bool {
	if off < blockHeader || off > len(b)-headerSize {
		return false
	}
	h := b[off:]
	ne := binary.NativeEndian
	snap, whole, status := int(ne.Uint32(h[12:])), int(ne.Uint32(h[16:])), ne.Uint32(h[20:])
	mac := int(ne.Uint16(h[24:]))
	if mac < headerSize+vnetSize || snap > len(h)-mac || snap != whole || snap < 14 {
		return false
	}
	v := h[mac-vnetSize : mac]
	f.data = h[mac : mac+snap]
	f.at = int64(ne.Uint32(h[4:]))*1e9 + int64(ne.Uint32(h[8:]))
	f.tag = nil
	if status&unix.TP_STATUS_VLAN_VALID != 0 {
		tpid := uint16(unix.ETH_P_8021Q)
		if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			tpid = ne.Uint16(h[36:])
		}
		f.tag = f.tags[:]
		binary.BigEndian.PutUint16(f.tag, tpid)
		binary.BigEndian.PutUint16(f.tag[2:], uint16(ne.Uint32(h[32:])))
	}
	f.sum = v[0]&vnetNeedsSum != 0
	f.sumAt, f.sumOff = int(ne.Uint16(v[6:])), int(ne.Uint16(v[8:]))
	f.segment.size = 0
	switch kind := v[1] & vnetGSO; kind {
	case 0:
		return true
	case vnetTCP4, vnetTCP6:
		return f.segment.begin(f.data, kind == vnetTCP6, f.sumAt, int(ne.Uint16(v[4:])))
	}
	return false
}

// take makes the frame, or the next of its segments. more says that there is something left, which is also so where the
// pool has no buffer. Frames that are too long are dropped and counted.
func (f *frame) take(q *soft.Rx) (b *packet.Buf, more bool) {
	head, payload := f.data, []byte(nil)
	if f.segment.size > 0 {
		head, payload = f.segment.part()
	}
	if len(head)+len(payload)+len(f.tag) > q.Longest() {
		q.Errors.Add(1)
		return nil, f.segment.next()
	}
	if f.tag == nil {
		b = q.Copy(head, payload)
	} else {
		b = q.Copy(head[:addressesSize], f.tag, head[addressesSize:], payload)
	}
	if b == nil {
		return nil, true
	}
	if f.sum {
		b.SetChecksum(f.sumAt+len(f.tag), f.sumOff)
		if !b.Complete(packet.NeedsChecksum) {
			q.Dropped.Add(1)
			packet.Free([]*packet.Buf{b})
			b = nil
		}
	}
	return b, f.segment.next()
}
