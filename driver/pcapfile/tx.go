package pcapfile

import (
	"errors"
	"time"

	"glassnic/internal/capfile"
	"glassnic/nic/soft"
	"glassnic/packet"
)

// flushEvery is how long frames are kept before they are written where there is a pause.
const flushEvery = 100 * time.Millisecond

// txQueue writes files.
type txQueue struct {
	*soft.Tx
	dev     *Device
	out     *capfile.Files // nil: frames are dropped
	scratch []byte         // for frames of several buffers
	failed  bool
	dirty   bool
	flushed time.Time
}

// Send implements nic.TxQueue: all frames are taken. Those that cannot be written are dropped and counted. Each has the
// time at which its batch was sent.
func (q *txQueue) Send(batch []*packet.Buf) int {
	if len(batch) == 0 {
		if q.dirty {
			q.flush(time.Now())
		}
		return 0
	}
	now := time.Now()
	sent, bytes := 0, 0
	for _, b := range batch {
		if q.out == nil || q.failed || !q.Fit(b) {
			continue
		}
		data := b.Bytes()
		if b.Flags()&packet.Chained != 0 {
			q.scratch = b.AppendTo(q.scratch[:0])
			data = q.scratch
		}
		if err := q.out.Add(now, data, len(data)); err != nil {
			q.fail(err)
			continue
		}
		sent++
		bytes += len(data)
	}
	q.Count(sent, bytes)
	if sent < len(batch) {
		q.Dropped.Add(uint64(len(batch) - sent))
	}
	q.dirty = true
	q.Done(batch)
	return len(batch)
}

// flush lets who reads along see what there is, now and then.
func (q *txQueue) flush(now time.Time) {
	if now.Sub(q.flushed) < flushEvery || q.failed {
		return
	}
	q.dirty, q.flushed = false, now
	if err := q.out.Flush(); err != nil {
		q.fail(err)
	}
}

func (q *txQueue) fail(err error) {
	q.failed = true
	if !errors.Is(err, capfile.ErrEnough) {
		q.dev.fail(err)
	}
}
