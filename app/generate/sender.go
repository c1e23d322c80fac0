package generate

import (
	"glassnic/app/internal/worker"
	"glassnic/internal/traffic"
	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// counts are what a worker publishes.
type counts struct {
	txPackets, txBytes uint64
	rxPackets, rxBytes uint64
	checked            traffic.Totals
	busy               uint64 // TSC ticks of the steps that sent something
	done               bool   // this worker sends no more
}

// sender is one worker: a transmit queue and the stream on it.
type sender struct {
	tx    nic.TxQueue
	t     *traffic.Templates
	cache *packet.Cache
	room  int
	batch []*packet.Buf
	held  []*packet.Buf // part of batch: rendered, not yet taken by the port
	next  uint64        // number of the next frame to render
	count uint64        // 0: no limit
	spare []byte        // for frames longer than a buffer
	pace  *pacer        // nil: as fast as the port takes
	check *receiver     // nil: nothing is received
	idle  worker.Idle

	loops     uint
	c         counts
	published worker.Published[counts]
}

func newSender(cfg *Config, i int) (*sender, error) {
	spec := cfg.Spec
	spec.Stream += uint16(i)
	t, err := traffic.New(spec)
	if err != nil {
		return nil, err
	}
	pool := cfg.Port.Info().Pool
	w := &sender{
		tx: cfg.Port.TxQueue(i), t: t, cache: pool.NewCache(), room: pool.Room(),
		batch: make([]*packet.Buf, cfg.Batch), count: share(cfg.Count, i, cfg.Workers), idle: worker.Idle{Sleep: cfg.IdleSleep},
	}
	worker.ShareCache(w.cache, w.tx)
	w.spare = make([]byte, w.longest())
	w.c.done = cfg.Count > 0 && w.count == 0
	if cfg.Rate > 0 && !cfg.ByCard {
		w.pace = newPacer(cfg.Rate/float64(cfg.Workers), cfg.Burst)
	}
	return w, nil
}

// longest returns the size of the longest frame in bytes.
func (w *sender) longest() int {
	n := 0
	for seq := range w.t.Period() {
		n = max(n, w.t.Size(uint64(seq)))
	}
	return n
}

// bits returns how many bits a frame has with its FCS, on average.
func (w *sender) bits() float64 {
	const fcs, least = 4, 60 // bytes (IEEE 802.3, 3.2.7 to 3.2.9)
	sum := 0
	for seq := range w.t.Period() {
		sum += max(w.t.Size(uint64(seq)), least) + fcs
	}
	return 8 * float64(sum) / float64(w.t.Period())
}

func (w *sender) loop(stop *worker.Stop) {
	last := tsc.Read()
	if w.pace != nil {
		w.pace.start(last)
	}
	for !w.c.done && !stop.Stopped() {
		last = w.step(last)
	}
	w.free()
	w.c.done = true
	w.published.Put(&w.c)
	if w.check != nil {
		w.linger()
		w.published.Put(&w.c)
	}
	worker.ShareCache(nil, w.tx)
	w.cache.Flush()
}

// step sends and receives one batch. It takes and returns the time of the end of a step.
func (w *sender) step(last uint64) uint64 {
	sent := w.send(last)
	if w.check != nil {
		w.check.poll(&w.c)
		if w.check.probes != nil {
			w.check.probes.step(w, last)
		}
	}
	now := tsc.Read()
	if sent {
		w.c.busy += now - last
		w.idle.Busy()
	} else if w.idle.Poll() {
		now = tsc.Read()
	}
	if w.loops++; w.loops%worker.PublishEvery == 0 && !w.published.Offer(&w.c) {
		w.loops--
	}
	return now
}

// send renders frames, as many as are due and fit a batch, offers them to the port and tells whether any
// went.
func (w *sender) send(now uint64) bool {
	if len(w.held) == 0 {
		n := w.due(now)
		w.held = w.batch[:w.render(n)]
		if w.pace != nil {
			w.pace.tokens += float64(n - len(w.held))
		}
	}
	k := w.tx.Send(w.held)
	if k == 0 {
		return false
	}
	for range k {
		w.c.txBytes += uint64(w.t.Size(w.c.txPackets))
		w.c.txPackets++
	}
	w.held = w.held[k:]
	w.c.done = w.count > 0 && w.c.txPackets == w.count
	return true
}

// due returns how many frames may be rendered now.
func (w *sender) due(now uint64) int {
	n := len(w.batch)
	if w.count > 0 {
		n = int(min(uint64(n), w.count-w.next))
	}
	if w.pace != nil {
		n = w.pace.take(now, n)
	}
	return n
}

// render makes the next n frames, or fewer if the pool is empty, and returns their number.
func (w *sender) render(n int) int {
	got := w.cache.Fill(w.batch[:n])
	for i, b := range w.batch[:got] {
		if !w.fill(b) {
			w.cache.Put(w.batch[i:got])
			return i
		}
		w.next++
	}
	return got
}

// fill makes b the next frame. It tells whether there were enough buffers for it.
func (w *sender) fill(b *packet.Buf) bool {
	size := w.t.Size(w.next)
	b.Reset()
	if size <= w.room {
		return w.t.Render(b.Append(size), w.next) > 0
	}
	data := w.spare[:w.t.Render(w.spare, w.next)]
	b.SetBytes(data[:w.room])
	for last := b; ; {
		data = data[last.Len():]
		if len(data) == 0 {
			return true
		}
		more := w.cache.Take(1)
		if len(more) == 0 {
			packet.Free([]*packet.Buf{b.Next()})
			b.Reset()
			return false
		}
		more[0].SetBytes(data[:min(len(data), w.room)])
		last.SetNext(more[0])
		last = more[0]
	}
}

// free gives back what was rendered and not sent.
func (w *sender) free() {
	packet.Free(w.held)
	w.held = nil
}
