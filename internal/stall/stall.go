// Package stall finds queues of a card that stand still although they have something to do, from their head and tail
// registers and what stands in their rings.
package stall

import (
	"fmt"
	"time"
)

// Watch is what was seen of a queue when it last moved. The zero Watch has seen nothing. All its methods belong to
// whoever looks, not to the queue's worker, who may write to ring and tail meanwhile.
type Watch struct {
	head, tail uint32
	missed     uint64
	at         time.Time
	suspect    bool // it looked wrong the last time
}

// Tx looks at a transmit queue with its link up, and says what is wrong with one that has not moved for a time; "" for
// nothing. Owes tells whether the ring, while it stands still, has a descriptor that asks for a report and has none.
func (w *Watch) Tx(after time.Duration, head, tail uint32, owes func() bool) string {
	if still := w.still(after, head, tail, 0); !w.sure(still && (head != tail || owes())) {
		return ""
	}
	if head != tail {
		return w.text(after, "the card has descriptors and a link (TDH %d, TDT %d)", head, tail)
	}
	return w.text(after, "the card has taken all descriptors (TDH = TDT = %d) and does not say that they are sent", head)
}

// Rx looks at a receive queue, and says what is wrong with one that has not moved for a time; "" for nothing. Missed
// counts frames that the card had no room for in this queue. Filled tells whether the last descriptor before the tail
// holds a frame.
func (w *Watch) Rx(after time.Duration, head, tail uint32, missed uint64, filled func() bool) string {
	still := w.still(after, head, tail, missed)
	misses := head != tail && missed > w.missed
	if !w.sure(still && (misses || head == tail && !filled())) {
		return ""
	}
	if misses {
		return w.text(after, "the card has descriptors (RDH %d, RDT %d) and misses frames all the same", head, tail)
	}
	return w.text(after, "the card has used all descriptors (RDH = RDT = %d) and does not say that they are filled", head)
}

// Owes looks at a transmit queue, with its link up, whose device has no head register, and says what is wrong with one
// that has not moved for a time; "" for nothing. Given and back change with each buffer that the device was given, and
// that it gave back; owes tells whether it has some.
func (w *Watch) Owes(after time.Duration, given, back uint32, owes bool) string {
	if still := w.still(after, given, back, 0); !w.sure(still && owes) {
		return ""
	}
	return w.text(after, "the device has buffers and a link, and gives none back")
}

// still tells whether the queue has stood still for long. What missed counts is no movement.
func (w *Watch) still(after time.Duration, head, tail uint32, missed uint64) bool {
	if w.at.IsZero() || head != w.head || tail != w.tail {
		*w = Watch{head: head, tail: tail, missed: missed, at: time.Now()}
	}
	return time.Since(w.at) >= after
}

// sure tells whether the queue looked wrong twice: one look may fall between a worker's writes to ring and tail.
func (w *Watch) sure(wrong bool) bool {
	was := w.suspect
	w.suspect = wrong
	return wrong && was
}

func (w *Watch) text(after time.Duration, format string, args ...any) string {
	return fmt.Sprintf("for %v: %s: did its DMA fail? Root sees in the kernel's log (`dmesg`) what an IOMMU refused; "+
		"close the port and open it again, which resets the card", after, fmt.Sprintf(format, args...))
}
