package forward

import (
	"glassnic/app/internal/worker"
	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// forwarder is one worker: both directions of one queue.
type forwarder struct {
	dirs   [2]*direction    // A to B, B to A; nil where the port has fewer queues
	caches [2]*packet.Cache // of the ports' pools
	idle   worker.Idle
	adapt  bool

	loops     uint
	state     state
	published worker.Published[state]
}

// state is what a worker publishes.
type state struct {
	counts [2]counts // by direction
	sleeps worker.Sleeps
}

// counts of one direction. At any time between two passes rx = tx + txFull + noBuffer + unfit + held.
type counts struct {
	rxPackets, rxBytes uint64
	txPackets, txBytes uint64
	txFull, noBuffer   uint64 // dropped
	unfit              uint64 // dropped
	busy               uint64 // TSC ticks of the passes that received something
	heldPackets        uint64 // received, and refused by the transmit queue so far
	heldBytes          uint64
}

// loop is a worker's life.
func (w *forwarder) loop(stop *worker.Stop) {
	if w.adapt {
		w.idle.Adapt(stop, w.settle, w.queues()...)
	}
	last := tsc.Read()
	for !stop.Stopped() {
		last = w.step(last)
	}
	w.finish()
}

// finish sends or drops what is held and gives all buffers back.
func (w *forwarder) finish() {
	for _, d := range w.dirs {
		if d == nil {
			continue
		}
		for len(d.held) > 0 {
			d.retry()
		}
		d.endCut()
		worker.ShareCache(nil, d.rx, d.tx)
	}
	for _, c := range w.caches {
		c.Flush()
	}
	w.collect()
	w.published.Put(&w.state)
}

// queues returns what the worker receives from.
func (w *forwarder) queues() (all []nic.RxQueue) {
	for _, d := range w.dirs {
		if d != nil {
			all = append(all, d.rx)
		}
	}
	return all
}

// settle publishes the counters of a worker that is about to sleep. It may not while it holds frames.
func (w *forwarder) settle() bool {
	for _, d := range w.dirs {
		if d != nil && (len(d.held) > 0 || d.cutter != nil && !d.cutter.Flush()) {
			return false
		}
	}
	w.collect()
	w.published.Put(&w.state)
	return true
}

// step is one pass in each direction. It takes and returns the time of the end of a pass: the clock is
// read once per pass, so each pass lasts from the end of the one before.
func (w *forwarder) step(last uint64) uint64 {
	moved := false
	for _, d := range w.dirs {
		if d == nil {
			continue
		}
		received, progress := d.pass()
		now := tsc.Read()
		if received {
			d.c.busy += now - last
		}
		last = now
		moved = moved || progress
	}
	if w.loops++; w.loops%worker.PublishEvery == 0 {
		w.collect()
		if !w.published.Offer(&w.state) {
			w.loops--
		}
	}
	if moved {
		w.idle.Busy()
	} else if w.idle.Poll() {
		last = tsc.Read()
	}
	return last
}

func (w *forwarder) collect() {
	for i, d := range w.dirs {
		if d != nil {
			w.state.counts[i] = d.c
		}
	}
	if s := w.idle.Sleeps(); s != nil {
		w.state.sleeps = *s
	}
}

// direction is the way from a receive queue to a transmit queue.
type direction struct {
	rx       nic.RxQueue
	tx       nic.TxQueue
	batch    []*packet.Buf
	held     []*packet.Buf // a part of batch or of copies: what the transmit queue has not taken yet
	left     int           // offers until held is dropped
	patience int
	touch    bool
	drop     *packet.Cache // of the pool of what is held and sent
	copier   *copier       // nil where the port can send the other's frames
	cutter   *nic.Cutter   // which is tx then; nil where no large frames come
	probe    *probe        // nil: nobody asks how long frames stay
	c        counts
}

// newDirection joins queues i of two ports; in and out are the worker's caches of their pools.
func newDirection(cfg *Config, from, to nic.Device, i int, in, out *packet.Cache) *direction {
	d := &direction{
		rx: from.RxQueue(i), tx: to.TxQueue(i), batch: make([]*packet.Buf, cfg.Batch),
		patience: max(cfg.Patience, 0), touch: cfg.Touch, drop: in,
	}
	if from.Info().Domain != to.Info().Domain && !to.Info().SendsAny {
		d.copier = &copier{in: in, out: out, copies: make([]*packet.Buf, cfg.Batch)}
		d.drop = out
	}
	worker.ShareCache(in, d.rx)
	worker.ShareCache(d.drop, d.tx)
	if from.Info().Offloads&nic.RxSegment != 0 {
		d.cutter = nic.NewCutter(d.tx, d.drop)
		d.tx = d.cutter
	}
	return d
}

// pass takes one batch all the way, or offers what is held again. It tells whether frames were received,
// and whether anything moved.
func (d *direction) pass() (received, moved bool) {
	if len(d.held) > 0 {
		return false, d.retry()
	}
	n := d.rx.Receive(d.batch)
	if n == 0 {
		d.tx.Send(nil) // buffers that have been sent go back to their pools
		return false, false
	}
	frames := d.batch[:n]
	bytes := size(frames)
	d.c.rxPackets += uint64(n)
	d.c.rxBytes += bytes
	if d.probe != nil {
		d.probe.begin(frames)
	}
	if d.touch {
		touch(frames)
	}
	if d.copier != nil {
		frames = d.copier.copy(frames)
		d.c.noBuffer += uint64(n - len(frames))
		if d.probe != nil && len(frames) < n {
			d.probe.end(true)
		}
		bytes = size(frames)
	}
	d.held, d.left = frames, d.patience
	d.c.heldPackets, d.c.heldBytes = uint64(len(frames)), bytes
	d.send()
	return true, true
}

// retry offers what is held again.
func (d *direction) retry() bool {
	d.left--
	return d.send()
}

// send offers what is held, drops the rest if patience is at its end, and tells whether any frame went.
func (d *direction) send() bool {
	k := d.tx.Send(d.held)
	if k > 0 {
		d.left = d.patience
	}
	rest := d.held[k:]
	bytes := size(rest)
	d.c.txPackets += uint64(k)
	d.c.txBytes += d.c.heldBytes - bytes
	if d.cutter != nil {
		d.c.unfit += d.untake()
	}
	lost := len(rest) > 0 && d.left <= 0
	if lost {
		d.c.txFull += uint64(len(rest))
		free(d.drop, rest)
		rest, bytes = nil, 0
	}
	if d.probe != nil && len(rest) == 0 {
		d.probe.end(lost)
	}
	d.held = rest
	d.c.heldPackets, d.c.heldBytes = uint64(len(rest)), bytes
	return k > 0
}

// untake takes from what was sent those large frames that were not, and returns their number.
func (d *direction) untake() uint64 {
	n, bytes := d.cutter.Lost()
	d.c.txPackets -= n
	d.c.txBytes -= bytes
	return n
}

// endCut sends or drops what is left of a large frame.
func (d *direction) endCut() {
	if d.cutter == nil {
		return
	}
	for range d.patience + 1 {
		if d.cutter.Flush() {
			return
		}
	}
	d.cutter.GiveUp()
	d.c.txFull += d.untake()
}

// size returns the bytes of frames.
func size(frames []*packet.Buf) uint64 {
	n := uint64(0)
	for _, b := range frames {
		s := b.Span()
		if s&packet.ChainedSpan != 0 {
			n += uint64(b.TotalLen())
			continue
		}
		n += s.Len()
	}
	return n
}

// touch increments byte 1 of frames, part of the destination address: the least that an application does
// with a frame's data.
func touch(frames []*packet.Buf) {
	for _, b := range frames {
		if data := b.Bytes(); len(data) > 1 {
			data[1]++
		}
	}
}
