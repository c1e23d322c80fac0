package textbook

import (
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
)

// txRing is the transmit ring (7.2.3.3). Descriptors from clean to next hold frames that are sent or
// about to be; at least one is always free, since a full ring would look empty.
type txRing struct {
	ring   []descriptor
	bufs   []*Buf
	clean  int // the oldest descriptor whose buffer has not been freed
	next   int // the first free descriptor
	report int // ask for a report on every how many descriptors
	tail   mmio.Doorbell
}

// cleanBatch is how many buffers are freed at once: looking at the last descriptor of 32 instead of
// at each is much cheaper.
const cleanBatch = 32

// command asks for one whole frame to be sent, with the CRC appended (7.2.3.2.4).
const command = chip.TxDTYPData | chip.TxDCMDDEXT | chip.TxDCMDEOP | chip.TxDCMDIFCS

// Send takes over a prefix of batch and returns its length; the rest did not fit in the ring and
// stays the caller's. The buffers go back to their pools when later calls find them sent.
func (d *Device) Send(batch []*Buf) int {
	t := &d.tx
	t.free()
	sent := 0
	for sent < len(batch) {
		after := (t.next + 1) & (len(t.ring) - 1)
		if after == t.clean {
			break // full
		}
		buf := batch[sent]
		t.bufs[t.next] = buf
		size := uint64(buf.size)
		word1 := size<<chip.TxPaylenShift | command | size
		if after&(t.report-1) == 0 {
			word1 |= chip.TxDCMDRS // set DD when done
		}
		desc := &t.ring[t.next]
		desc.word0 = buf.iova
		desc.word1 = word1
		t.next = after
		sent++
	}
	// One register write for the whole batch: it is the expensive part.
	t.tail.Ring(uint32(t.next))
	return sent
}

// free gives back the buffers of frames that were sent, 32 at a time.
func (t *txRing) free() {
	for (t.next-t.clean)&(len(t.ring)-1) >= cleanBatch {
		last := (t.clean + cleanBatch - 1) & (len(t.ring) - 1)
		if t.ring[last].done()&chip.TxDD == 0 {
			return
		}
		for range cleanBatch {
			buf := t.bufs[t.clean]
			buf.pool.put(buf)
			t.clean = (t.clean + 1) & (len(t.ring) - 1)
		}
	}
}
