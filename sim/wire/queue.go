package wire

import (
	"encoding/binary"
	"sync/atomic"
)

// queueBytes bounds a queue: some 170 frames of 1514 bytes, or 3,600 of 60. It is small enough to
// stay in a core's second-level cache.
const queueBytes = 256 << 10

const (
	queueHeader = 8
	queueBad    = 1 << 31 // in a record's length word: the frame's FCS is wrong
	queueSkip   = 1 << 30 // the rest of the buffer is unused
)

// queue is a bounded queue of copied frames between one sending and one receiving goroutine. Records
// (length word, frame) lie one after the other in a ring of bytes, each contiguous and 8-aligned.
type queue struct {
	buf  []byte
	tail atomic.Uint64 // bytes ever written
	_    [56]byte      // each side's variables on a cache line of their own
	head atomic.Uint64 // bytes ever released
	_    [56]byte

	sent, headSeen uint64 // the sender's
	_              [48]byte
	read, tailSeen uint64 // the receiver's
}

func newQueue() *queue { return &queue{buf: make([]byte, queueBytes)} }

// push copies a prefix of frames that fits and returns its length. Frames have 1 to MaxFrame bytes.
func (q *queue) push(frames []Frame) int {
	for i := range frames {
		f := &frames[i]
		need := uint64(queueHeader+len(f.Data)+7) &^ 7
		at := q.sent % queueBytes
		skip := uint64(0)
		if at+need > queueBytes {
			skip = queueBytes - at
		}
		if q.sent+skip+need-q.headSeen > queueBytes {
			q.headSeen = q.head.Load()
			if q.sent+skip+need-q.headSeen > queueBytes {
				q.tail.Store(q.sent)
				return i
			}
		}
		if skip > 0 {
			binary.LittleEndian.PutUint32(q.buf[at:], queueSkip)
			at = 0
		}
		length := uint32(len(f.Data))
		if f.Bad {
			length |= queueBad
		}
		binary.LittleEndian.PutUint32(q.buf[at:], length)
		copy(q.buf[at+queueHeader:], f.Data)
		q.sent += skip + need
	}
	q.tail.Store(q.sent)
	return len(frames)
}

// pop releases what the last pop returned and sets frames to what comes next, without copying.
func (q *queue) pop(frames []Frame) (n int, bytes uint64) {
	if q.head.Load() != q.read {
		q.head.Store(q.read)
	}
	if q.read == q.tailSeen {
		q.tailSeen = q.tail.Load()
	}
	for n < len(frames) && q.read != q.tailSeen {
		at := q.read % queueBytes
		word := binary.LittleEndian.Uint32(q.buf[at:])
		if word == queueSkip {
			q.read += queueBytes - at
			continue
		}
		length := uint64(word &^ queueBad)
		start := at + queueHeader
		frames[n] = Frame{Data: q.buf[start : start+length : start+length], Bad: word&queueBad != 0}
		n++
		bytes += length
		q.read += (queueHeader + length + 7) &^ 7
	}
	return n, bytes
}
