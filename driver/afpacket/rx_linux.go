package afpacket

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"glassnic/nic"
	"glassnic/nic/soft"
	"glassnic/packet"
)

const (
	// blockSize holds the longest that the kernel hands over in one piece, 64 KiB of several segments, and more.
	blockSize = 128 << 10
	minBlocks = 32
	// retire is how long a block that is not full waits for more, in milliseconds.
	retire = 1
	// minRoom is the least that a frame takes in a ring.
	minRoom = 2048
)

// rxQueue receives from a ring of blocks.
type rxQueue struct {
	*soft.Rx
	dev  *Device
	fd   int
	wait int // what WaitFD returns
	ring []byte

	next  int   // number of the block that comes next
	block block // being read, nil: none
	left  int   // frames in it that have not been read
	off   int   // where the first of those is

	stamps bool  // frames get the time at which they came
	frame  frame // the first of those, once it was looked at
	begun  bool
}

// open opens a queue that lets nothing pass yet.
func (q *rxQueue) open(cfg nic.Config, index int) (err error) {
	q.wait = -1
	if q.fd, err = socket(); err != nil {
		return err
	}
	if cfg.Interrupts {
		q.wait = q.fd
	}
	type option = struct {
		name  string
		opt   int
		value int
	}
	err = set(q.fd, option{"PACKET_VERSION", unix.PACKET_VERSION, unix.TPACKET_V3}, option{"PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1},
		option{"PACKET_IGNORE_OUTGOING", unix.PACKET_IGNORE_OUTGOING, 1})
	if err != nil {
		return err
	}
	if q.stamps = cfg.Offloads&nic.Timestamps != 0; q.stamps {
		if err := stamp(q.fd); err != nil {
			return err
		}
	}
	blocks := uint32(max(minBlocks, cfg.RxRing*minRoom/blockSize))
	req := unix.TpacketReq3{
		Block_size: blockSize, Block_nr: blocks, Frame_size: minRoom, Frame_nr: blocks * blockSize / minRoom, Retire_blk_tov: retire,
	}
	if err := unix.SetsockoptTpacketReq3(q.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("PACKET_RX_RING: %w", err)
	}
	if q.ring, err = unix.Mmap(q.fd, 0, int(blocks)*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("mmap of the ring: %w", err)
	}
	if err := attach(q.fd, nothing); err != nil {
		return err
	}
	if err := unix.Bind(q.fd, &unix.SockaddrLinklayer{Protocol: allProtocols, Ifindex: index}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// stamp has the kernel take the time of frames when they come into its stack, rather than when they come into the ring
// (networking/timestamping.rst, 1.1). What comes before it has begun with that, a moment later (net/core/dev.c:
// net_enable_timestamp), has the latter.
func stamp(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("SO_TIMESTAMPNS: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, unix.SOF_TIMESTAMPING_SOFTWARE); err != nil {
		return fmt.Errorf("PACKET_TIMESTAMP: %w", err)
	}
	return nil
}

func (q *rxQueue) close() (err error) {
	if q.ring != nil {
		err = unix.Munmap(q.ring)
		q.ring, q.block, q.left = nil, nil, 0
	}
	if q.fd >= 0 {
		if e := unix.Close(q.fd); err == nil {
			err = e
		}
		q.fd = -1
	}
	return err
}

// Receive implements nic.RxQueue. No system call is made.
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	n, bytes := 0, 0
	for n < len(batch) && q.peek() {
		if !q.begun {
			if !q.frame.parse(q.block, q.off) {
				q.Dropped.Add(1)
				q.advance()
				continue
			}
			q.begun = true
		}
		b, more := q.frame.take(q.Rx)
		if b != nil {
			if q.stamps {
				b.SetTimestamp(q.frame.at)
			}
			batch[n] = b
			n++
			bytes += b.TotalLen()
		} else if more {
			break // it waits for a buffer
		}
		if !more {
			q.advance()
		}
	}
	q.Count(n, bytes)
	return n
}

// peek tells whether there is a frame.
func (q *rxQueue) peek() bool {
	for q.left == 0 {
		if q.block != nil {
			q.block.release()
			q.block = nil
		}
		b := block(q.ring[q.next*blockSize:][:blockSize])
		if b.status()&unix.TP_STATUS_USER == 0 {
			return false
		}
		q.block, q.left, q.off = b, b.frames(), b.first()
		if q.next++; q.next == len(q.ring)/blockSize {
			q.next = 0
		}
	}
	return true
}

// advance goes on to the next frame.
func (q *rxQueue) advance() {
	q.begun = false
	q.left--
	if q.left > 0 {
		step := int(binary.NativeEndian.Uint32(q.block[min(q.off, blockSize-4):]))
		if q.off += step; step == 0 || q.off > blockSize-headerSize {
			q.Dropped.Add(uint64(q.left)) // makes no sense
			q.left = 0
		}
	}
	if q.left == 0 {
		q.block.release()
		q.block = nil
	}
}

// WaitFD implements nic.Waiter: the socket is readable when the kernel has handed over a block.
func (q *rxQueue) WaitFD() int { return q.wait }

// Arm implements nic.Waiter.
func (q *rxQueue) Arm() bool {
	if q.wait < 0 || q.peek() {
		return false
	}
	// An interface that went down leaves an error, which would keep the socket readable.
	_, _ = unix.GetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return true
}

// Disarm implements nic.Waiter.
func (*rxQueue) Disarm() {}
