package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"glassnic/internal/traffic"
)

// Chance says which frames are hit: each with probability P (0–1), and every n-th (0 means none).
type Chance struct {
	P     float64
	Every uint64
}

// Faults says what happens to the frames of one direction. Each fault is drawn for each frame on its own.
type Faults struct {
	Lose      Chance // the frame disappears
	Bad       Chance // the FCS is made wrong
	Flip      Chance // one bit is flipped beyond the first two bytes, the FCS being right
	Duplicate Chance // the frame comes twice
	Reorder   Chance // the frame comes after the following one
}

// FaultCounts counts the frames that were hit.
type FaultCounts struct {
	Lost, Bad, Flipped, Duplicated, Reordered uint64
	LinkDown                                  uint64 // sent, or under way, while the link was down
}

// Impair is a faulty cable in front of another End. Equal seeds, configurations and calls give equal
// faults. The link can be taken down: then nothing is received (what the other End holds waits
// there), and what is sent or under way is lost. Lost frames count as Dropped too.
type Impair struct {
	counters
	end    End
	down   atomic.Bool
	rx, tx direction
	in     []Frame // scratch: what the other End hands out
	sent   []Frame // scratch: what is sent to the other End
}

// direction is one direction's faults, and the frames under way: copies that did not fit a batch.
type direction struct {
	faults  Faults
	rng     *rand.Rand
	turn    [5]uint64 // frames drawn for, per fault
	held    *Frame    // to be overtaken by the next frame
	idle    int       // calls without a next frame
	waiting []Frame
	counts  struct{ lost, bad, flipped, duplicated, reordered, linkDown atomic.Uint64 }
}

// NewImpair wraps an End, which it then owns. Rx are the faults of frames towards the port, tx those
// of frames from it. The error says which Chance is out of range.
func NewImpair(end End, seed uint64, rx, tx Faults) (*Impair, error) {
	for _, f := range []Faults{rx, tx} {
		for _, c := range []Chance{f.Lose, f.Bad, f.Flip, f.Duplicate, f.Reorder} {
			if !(c.P >= 0 && c.P <= 1) {
				return nil, fmt.Errorf("wire: impair: probability %g: use 0 to 1", c.P)
			}
		}
	}
	m := &Impair{end: end}
	m.rx.faults, m.rx.rng = rx, rand.New(rand.NewPCG(seed, 1))
	m.tx.faults, m.tx.rng = tx, rand.New(rand.NewPCG(seed, 2))
	return m, nil
}

// SetUp plugs the cable in or pulls it. It may be called concurrently; the next Receive or Send
// sees it.
func (m *Impair) SetUp(up bool) { m.down.Store(!up) }

// Up implements End.
func (m *Impair) Up() bool { return !m.down.Load() && m.end.Up() }

// Overruns is that of the other End.
func (m *Impair) Overruns() bool { return overruns(m.end) }

// patience is how many calls of Receive a sent frame waits to be overtaken.
const patience = 8

// Receive implements End. A received frame to be reordered waits for the next one only if other frames
// are handed out now, a sent one for a few calls; then it goes in its place, not counted as reordered.
func (m *Impair) Receive(frames []Frame) int {
	if m.pulled() {
		return 0
	}
	if m.tx.held != nil {
		if m.tx.idle++; m.tx.idle > patience {
			m.tx.waiting = append(m.tx.waiting, *m.tx.held)
			m.tx.held = nil
		}
	}
	m.flush()
	d := &m.rx
	n := copy(frames, d.waiting)
	d.waiting = d.waiting[n:]
	if n == len(frames) {
		return m.received(frames)
	}
	if len(m.in) < len(frames)-n {
		m.in = make([]Frame, len(frames)-n)
	}
	emit := func(f Frame) {
		if n == len(frames) {
			d.waiting = append(d.waiting, keep(f))
			return
		}
		frames[n] = f
		n++
	}
	pull := func() {
		for _, f := range m.in[:m.end.Receive(m.in[:len(frames)-n])] {
			m.apply(d, f, emit)
		}
		d.keepHeld()
	}
	pull()
	if d.held != nil && n == 0 {
		pull()
	}
	if d.held != nil && n == 0 {
		emit(*d.held)
		d.held = nil
	}
	return m.received(frames[:n])
}

func (m *Impair) received(frames []Frame) int {
	if len(frames) > 0 {
		m.counters.rx(len(frames), total(frames))
	}
	return len(frames)
}

// Send implements End. It takes all frames, or none while frames that the other End did not take wait.
func (m *Impair) Send(frames []Frame) int {
	if m.pulled() {
		m.lose(&m.tx.counts.linkDown, len(frames))
		return len(frames)
	}
	if !m.flush() {
		return 0
	}
	d := &m.tx
	m.sent = m.sent[:0]
	for _, f := range frames {
		m.apply(d, f, func(f Frame) { m.sent = append(m.sent, f) })
	}
	d.idle = 0
	d.keepHeld()
	n := m.end.Send(m.sent)
	m.counters.tx(n, total(m.sent[:n]))
	for _, f := range m.sent[n:] {
		d.waiting = append(d.waiting, keep(f))
	}
	return len(frames)
}

// flush sends what waits to be sent and tells whether nothing is left.
func (m *Impair) flush() bool {
	d := &m.tx
	if len(d.waiting) > 0 {
		n := m.end.Send(d.waiting)
		m.counters.tx(n, total(d.waiting[:n]))
		d.waiting = d.waiting[n:]
	}
	return len(d.waiting) == 0
}

// pulled tells whether the cable is pulled, and then loses what is under way.
func (m *Impair) pulled() bool {
	if !m.down.Load() {
		return false
	}
	for _, d := range []*direction{&m.rx, &m.tx} {
		n := len(d.waiting)
		if d.held != nil {
			n++
		}
		m.lose(&d.counts.linkDown, n)
		d.waiting, d.held = nil, nil
	}
	return true
}

func (m *Impair) lose(why *atomic.Uint64, n int) {
	if n > 0 {
		why.Add(uint64(n))
		m.dropped.Add(uint64(n))
	}
}

// apply draws the faults of one frame and emits what becomes of it. A frame that it holds may still
// lie in the other End's memory.
func (m *Impair) apply(d *direction, f Frame, emit func(Frame)) {
	if d.hit(0, d.faults.Lose) {
		m.lose(&d.counts.lost, 1)
		return
	}
	if d.hit(1, d.faults.Bad) {
		f.Bad = true
		d.counts.bad.Add(1)
	}
	if d.hit(2, d.faults.Flip) && len(f.Data) > 2 {
		f = keep(f)
		f.Data[2+d.rng.IntN(len(f.Data)-2)] ^= 1 << d.rng.IntN(8)
		d.counts.flipped.Add(1)
	}
	twice := d.hit(3, d.faults.Duplicate)
	overtaken := d.held
	d.held = nil
	if d.hit(4, d.faults.Reorder) && overtaken == nil && !twice {
		d.held = &f
		return
	}
	emit(f)
	if twice {
		emit(f)
		d.counts.duplicated.Add(1)
	}
	if overtaken != nil {
		emit(*overtaken)
		d.counts.reordered.Add(1)
	}
}

func (d *direction) hit(i int, c Chance) bool {
	d.turn[i]++
	every := c.Every > 0 && d.turn[i]%c.Every == 0
	return c.P > 0 && d.rng.Float64() < c.P || every
}

func (d *direction) keepHeld() {
	if d.held != nil {
		h := keep(*d.held)
		d.held = &h
	}
}

func keep(f Frame) Frame {
	f.Data = bytes.Clone(f.Data)
	return f
}

func total(frames []Frame) (n uint64) {
	for i := range frames {
		n += uint64(len(frames[i].Data))
	}
	return n
}

// FaultCounts returns what has happened to frames towards the port and from it. It is safe for
// concurrent use.
func (m *Impair) FaultCounts() (rx, tx FaultCounts) { return m.rx.count(), m.tx.count() }

func (d *direction) count() FaultCounts {
	c := &d.counts
	return FaultCounts{
		Lost: c.lost.Load(), Bad: c.bad.Load(), Flipped: c.flipped.Load(),
		Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(), LinkDown: c.linkDown.Load(),
	}
}

// Totals returns the counts of the other End's checker, zero if it has none.
func (m *Impair) Totals() traffic.Totals {
	if c, ok := m.end.(Checked); ok {
		return c.Totals()
	}
	return traffic.Totals{}
}

// Close sends what still waits to be sent, loses the rest and closes the other End.
func (m *Impair) Close() error {
	var err error
	if !m.pulled() {
		if m.tx.held != nil {
			m.tx.waiting = append(m.tx.waiting, *m.tx.held)
			m.tx.held = nil
		}
		if !m.flush() {
			err = errors.New("wire: impair: closed while the other end took no more frames")
		}
		m.down.Store(true)
		m.pulled()
	}
	return errors.Join(err, m.end.Close())
}
