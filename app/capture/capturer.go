package capture

import (
	"time"

	"glassnic/app/internal/worker"
	"glassnic/internal/capfile"
	"glassnic/internal/filter"
	"glassnic/nic"
	"glassnic/packet"
)

// counts are what the worker publishes: received = written + filtered + failed + buffered.
type counts struct {
	received, bytes uint64
	written         capfile.Tally
	filtered        uint64
	failed          uint64
	stamped         uint64 // of those received, by the card or the kernel
	sleeps          worker.Sleeps
}

// capturer is the worker.
type capturer struct {
	port    nic.Device
	queues  []nic.RxQueue
	batch   []*packet.Buf
	cache   *packet.Cache
	scratch []byte // for frames of several buffers
	file    sink
	count   uint64 // 0: no limit
	snap    int
	filter  *filter.Program // nil: all frames
	stamps  bool            // times are those of the card or the kernel where there are any
	idle    worker.Idle
	adapt   bool
	missed  uint64 // by the card, before Run
	err     error  // of the output; the loop ends with it
	// finished says that the port has no more frames.
	finished   bool
	unbuffered bool

	loops     uint
	c         counts
	published worker.Published[counts]
}

func (c *capturer) loop(stop *worker.Stop) {
	c.err = c.file.Flush() // the header, for readers that wait for it
	if c.adapt {
		c.idle.Adapt(stop, c.settle, c.queues...)
	}
	for c.err == nil && !stop.Stopped() && !c.enough() && !c.finished {
		c.step()
	}
	for _, q := range c.queues {
		worker.ShareCache(nil, q)
	}
	c.cache.Flush()
	if c.err == nil {
		now, err := c.port.Stats()
		if err != nil {
			now.RxMissed = c.missed
		}
		c.err = c.file.Finish(now.RxMissed - c.missed)
	}
	c.collect()
	c.c.failed = c.c.received - c.c.filtered - c.c.written.Frames
	c.published.Put(&c.c)
}

// settle has readers and counters up to date before the worker sleeps.
func (c *capturer) settle() bool {
	if c.err == nil {
		c.err = c.file.Flush()
	}
	c.collect()
	c.published.Put(&c.c)
	return c.err == nil
}

// collect brings the counts up to date that are kept elsewhere.
func (c *capturer) collect() {
	c.c.written = c.file.Written()
	if s := c.idle.Sleeps(); s != nil {
		c.c.sleeps = *s
	}
}

// left is how many frames may still be captured where there is a limit.
func (c *capturer) left() uint64 { return c.count - (c.c.received - c.c.filtered) }

func (c *capturer) enough() bool { return c.count > 0 && c.left() == 0 }

// step takes a batch from each queue.
func (c *capturer) step() {
	found := false
	for _, q := range c.queues {
		batch := c.batch
		if c.count > 0 {
			batch = batch[:min(uint64(len(batch)), c.left())]
		}
		if n := q.Receive(batch); n > 0 {
			found = true
			c.store(time.Now(), batch[:n])
			if c.unbuffered && c.err == nil {
				c.err = c.file.Flush()
			}
		}
	}
	if found {
		c.idle.Busy()
	} else if f, ok := c.port.(nic.Finite); ok && f.Finished() {
		c.finished = true
	} else if c.idle.Poll() && c.err == nil {
		c.err = c.file.Flush() // a lull: let whoever reads along see what there is
	}
	if c.loops++; c.loops%worker.PublishEvery == 0 {
		c.collect()
		if !c.published.Offer(&c.c) {
			c.loops--
		}
	}
}

// store writes frames until the output fails, and frees all.
func (c *capturer) store(at time.Time, frames []*packet.Buf) {
	pool := c.cache.Pool().ID()
	for i, b := range frames {
		b.Complete(packet.TxMask) // as it would be on a wire, where that can be
		data := b.Bytes()
		if b.Flags()&packet.Chained != 0 {
			c.scratch = b.AppendTo(c.scratch[:0])
			data = c.scratch
		}
		when := at
		if ns, ok := b.Timestamp(); ok && c.stamps {
			when = time.Unix(0, ns)
			c.c.stamped++
		}
		c.c.received++
		c.c.bytes += uint64(len(data))
		if c.filter != nil && c.filter.Match(data, len(data)) == 0 {
			c.c.filtered++
		} else if c.err == nil {
			c.err = c.file.Add(when, data[:min(len(data), c.snap)], len(data))
		}
		if b.PoolID() == pool && b.Flags()&packet.Chained == 0 {
			c.cache.Put(frames[i : i+1])
		} else {
			packet.Free(frames[i : i+1])
		}
	}
}
