package pcapfile

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"

	"glassnic/internal/capfile"
	"glassnic/nic/soft"
	"glassnic/packet"
)

// minFrame is what a MAC pads frames to, in bytes without FCS (IEEE 802.3, 4.2.3.3).
const minFrame = 60

// rxQueue reads a file.
type rxQueue struct {
	*soft.Rx
	dev    *Device
	cfg    Config
	file   *os.File
	reader *capfile.Reader
	take   func([]byte, gopacket.CaptureInfo) bool
	loops  int // passes left after this one; negative means without end
	done   atomic.Bool
	clock  func() time.Time

	batch []*packet.Buf // of the Receive that goes on
	n     int           // frames in it
	bytes int
	now   time.Time // with Config.Pace

	// A frame that was read and is not due yet, or for which there was no buffer, is held; empty is none.
	held []byte
	due  time.Duration // of it, after the pass started

	start  time.Time     // of this pass
	first  time.Time     // time of its first frame in the file
	last   time.Duration // of the latest frame after it
	frames int           // of this pass
}

// begin begins a pass.
func (q *rxQueue) begin() error {
	if _, err := q.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := capfile.NewReader(q.file)
	if err != nil {
		return fmt.Errorf("%s: %w", q.file.Name(), err)
	}
	q.reader, q.frames, q.last, q.first = r, 0, 0, time.Time{}
	if q.take == nil {
		q.take = q.frame
		if q.loops == 0 {
			q.loops = 1
		}
		if q.loops > 0 {
			q.loops--
		}
	}
	return nil
}

// Receive implements nic.RxQueue. The file is read from its place in the page cache, or from the disk.
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	if q.done.Load() || len(batch) == 0 {
		return 0
	}
	q.batch, q.n, q.bytes = batch, 0, 0
	if q.cfg.Pace {
		q.now = q.clock()
	}
	if len(q.held) == 0 || q.release() {
		for again := q.reader != nil; again && q.n < len(batch); {
			again = q.read()
		}
	}
	if q.reader == nil && len(q.held) == 0 {
		q.done.Store(true)
	}
	q.batch = nil
	q.Count(q.n, q.bytes)
	return q.n
}

// read reads frames until the batch is full or one is not due. It reports whether another pass has begun.
func (q *rxQueue) read() bool {
	err := q.reader.Each(q.take)
	switch {
	case err == nil:
		return false
	case err != io.EOF:
		q.dev.fail(fmt.Errorf("%s: %w", q.file.Name(), err))
		q.reader = nil
		return false
	}
	if q.loops == 0 || q.frames == 0 { // an empty file would be read for ever
		q.reader = nil
		return false
	}
	if q.loops > 0 {
		q.loops--
	}
	pass := time.Second
	if q.frames > 1 {
		pass = q.last + q.last/time.Duration(q.frames-1)
	}
	q.start = q.start.Add(pass)
	if err := q.begin(); err != nil {
		q.dev.fail(err)
		q.reader = nil
		return false
	}
	return true
}

// frame takes a frame of the file. It reports whether there is room for another.
func (q *rxQueue) frame(data []byte, info gopacket.CaptureInfo) bool {
	q.frames++
	if q.cfg.Pace {
		if q.first.IsZero() {
			q.first = info.Timestamp
			if q.start.IsZero() {
				q.start = q.now
			}
		}
		// Times that go back do not.
		q.last = max(q.last, info.Timestamp.Sub(q.first))
	}
	if len(data) == 0 || len(data) > q.Longest() {
		q.Errors.Add(1)
		return true
	}
	var pad []byte
	if q.cfg.Pad && len(data) < minFrame {
		pad = zeros[:minFrame-len(data)]
	}
	if q.cfg.Pace && q.now.Sub(q.start) < q.last || !q.deliver(data, pad) {
		q.held = append(append(q.held[:0], data...), pad...)
		q.due = q.last
		return false
	}
	return q.n < len(q.batch)
}

var zeros [minFrame]byte

// deliver puts a frame into the batch. It reports whether the pool had buffers for it.
func (q *rxQueue) deliver(parts ...[]byte) bool {
	b := q.Copy(parts...)
	if b == nil {
		return false
	}
	q.batch[q.n] = b
	q.n++
	for _, p := range parts {
		q.bytes += len(p)
	}
	return true
}

// release delivers the frame that is held, if it is due.
func (q *rxQueue) release() bool {
	if q.cfg.Pace && q.now.Sub(q.start) < q.due || !q.deliver(q.held) {
		return false
	}
	q.held = q.held[:0]
	return true
}
