//go:build linux

package afpacket

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is exported here to the rest of the package is safe to call: the ring's memory is never unmapped while its queue
// is in use, and indexes are checked.

// block is a part of the ring that the kernel hands over as a whole (linux/if_packet.h, struct tpacket_block_desc).
type block []byte

// Offsets in a block's header (struct tpacket_hdr_v1 behind version and offset_to_priv).
const (
	blockStatus = 8
	blockCount  = 12
	blockFirst  = 16
	blockHeader = 48
)

// status reads who has the block. What the kernel wrote before it handed it over is visible then.
func (b block) status() uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&b[blockStatus])))
}

// release gives the block back to the kernel after all reads of it.
func (b block) release() {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&b[blockStatus])), unix.TP_STATUS_KERNEL)
}

func (b block) frames() int { return int(binary.NativeEndian.Uint32(b[blockCount:])) }
func (b block) first() int  { return int(binary.NativeEndian.Uint32(b[blockFirst:])) }

// messages are those of a call of sendmmsg(2).
type messages struct {
	hdrs []unix.Mmsghdr
	iovs []unix.Iovec
	n    int // messages
	used int // iovs
}

func newMessages(n, parts int) *messages {
	return &messages{hdrs: make([]unix.Mmsghdr, n), iovs: make([]unix.Iovec, parts)}
}

// begin begins a message.
func (m *messages) begin() {
	h := &m.hdrs[m.n].Hdr
	h.Iov, h.Iovlen = nil, 0
	m.n++
}

// add adds bytes, at least one, to the message that was begun.
func (m *messages) add(b []byte) {
	h := &m.hdrs[m.n-1].Hdr
	v := &m.iovs[m.used]
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
	if h.Iov == nil {
		h.Iov = v
	}
	h.Iovlen++
	m.used++
}

// send sends messages from the one of number from on and returns how many it has sent. With an error it is none.
func (m *messages) send(fd, from int) (int, unix.Errno) {
	if from >= m.n {
		return 0, 0
	}
	n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdrs[from])), uintptr(m.n-from), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
