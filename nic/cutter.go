package nic

import "glassnic/packet"

// Segmenter is implemented by transmit queues that send large frames (packet.NeedsSegment).
type Segmenter interface {
	// Segments tells whether a large frame can be sent as it is, at present.
	Segments(b *packet.Buf) bool
}

// Cutter is a transmit queue that sends large frames in any case: those that the queue behind it does not take as they
// are it cuts in software. Like every queue it belongs to one worker, and with it the cache.
type Cutter struct {
	queue TxQueue
	takes Segmenter // nil where the queue takes no large frame
	cache *packet.Cache

	frame       *packet.Buf // that is being cut, nil: none
	cut         packet.Cut
	pieces      [32]*packet.Buf
	first, last int // pieces[first:last] are still to be sent

	lost, lostBytes uint64
}

// NewCutter returns a cutter before a queue. Segments are made in buffers of the cache, whose pool the port reaches.
func NewCutter(q TxQueue, cache *packet.Cache) *Cutter {
	s, _ := q.(Segmenter)
	return &Cutter{queue: q, takes: s, cache: cache}
}

// Send implements TxQueue. A large frame counts as taken when the first of its segments is made; the queue may take the
// others during later calls. One that cannot be cut is taken and dropped.
func (c *Cutter) Send(batch []*packet.Buf) int {
	if !c.Flush() {
		return 0
	}
	for sent := 0; ; sent++ {
		n := c.whole(batch[sent:])
		k := c.queue.Send(batch[sent : sent+n])
		if sent += k; k < n || sent == len(batch) {
			return sent
		}
		b := batch[sent]
		if !c.cut.Begin(b) {
			c.drop(b)
			continue
		}
		if c.frame = b; !c.Flush() {
			return sent + 1
		}
	}
}

// whole is how many frames of batch, from its begin, need not be cut.
func (c *Cutter) whole(batch []*packet.Buf) int {
	for i, b := range batch {
		if b.Flags()&packet.NeedsSegment != 0 && (c.takes == nil || !c.takes.Segments(b)) {
			return i
		}
	}
	return len(batch)
}

// Flush goes on with the frame that is being cut. It reports whether there is none any more.
func (c *Cutter) Flush() bool {
	for c.frame != nil {
		if c.first == c.last {
			c.make()
		}
		n := c.queue.Send(c.pieces[c.first:c.last])
		if c.first += n; n == 0 {
			return false
		}
		if c.first == c.last && !c.cut.Left() {
			c.end()
		}
	}
	return true
}

// make makes further segments, as many as there are buffers for.
func (c *Cutter) make() {
	c.first, c.last = 0, 0
	for c.last < len(c.pieces) {
		b := c.cut.Next(c.cache)
		if b == nil {
			return
		}
		c.pieces[c.last] = b
		c.last++
	}
}

func (c *Cutter) end() {
	packet.Free([]*packet.Buf{c.frame})
	c.frame = nil
}

func (c *Cutter) drop(b *packet.Buf) {
	c.lost++
	c.lostBytes += uint64(b.TotalLen())
	packet.Free([]*packet.Buf{b})
}

// UseCache implements CacheUser for the queue behind it.
func (c *Cutter) UseCache(cache *packet.Cache) bool {
	u, ok := c.queue.(CacheUser)
	return ok && u.UseCache(cache)
}

// Lost returns how many of the frames taken could not be cut, or not be sent to their end, and their bytes, since the
// last call.
func (c *Cutter) Lost() (frames, bytes uint64) {
	frames, bytes = c.lost, c.lostBytes
	c.lost, c.lostBytes = 0, 0
	return frames, bytes
}

// GiveUp drops what is left of the frame that is being cut, at the end.
func (c *Cutter) GiveUp() {
	packet.Free(c.pieces[c.first:c.last])
	c.first, c.last = 0, 0
	if c.frame != nil {
		c.drop(c.frame)
		c.frame = nil
	}
}
