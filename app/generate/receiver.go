package generate

import (
	"glassnic/app/internal/worker"
	"glassnic/internal/traffic"
	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// receiver checks what arrives at all receive queues of a port. One worker owns it, since only one
// checker can tell whether a stream is complete.
type receiver struct {
	queues  []nic.RxQueue
	batch   []*packet.Buf
	cache   *packet.Cache
	pool    uint32
	scratch []byte // for frames of several buffers
	check   traffic.Checker
	probes  *prober                     // nil: none
	others  []*worker.Published[counts] // of the other workers
	wait    uint64                      // ticks to wait for the next frame at the end
}

func newReceiver(cfg *Config) *receiver {
	info := cfg.Port.Info()
	r := &receiver{
		batch: make([]*packet.Buf, cfg.Batch), cache: info.Pool.NewCache(), pool: info.Pool.ID(),
		scratch: make([]byte, 0, 64<<10), wait: ticks(cfg.Linger),
	}
	for i := range info.RxQueues {
		r.queues = append(r.queues, cfg.Port.RxQueue(i))
	}
	return r
}

// poll receives a batch from each queue and returns how many frames there were.
func (r *receiver) poll(c *counts) int {
	total := 0
	for _, q := range r.queues {
		n := q.Receive(r.batch)
		for i, b := range r.batch[:n] {
			if r.probes != nil && r.probes.take(b) {
				r.free(r.batch[i : i+1])
				total--
				continue
			}
			data := b.Bytes()
			if b.Flags()&packet.Chained != 0 {
				r.scratch = b.AppendTo(r.scratch[:0])
				data = r.scratch
			}
			c.rxBytes += uint64(len(data))
			r.check.Check(data)
			r.free(r.batch[i : i+1])
		}
		total += n
	}
	if total > 0 {
		c.rxPackets += uint64(total)
		c.checked = r.check.Totals()
	}
	return total
}

func (r *receiver) free(one []*packet.Buf) {
	if b := one[0]; b.PoolID() == r.pool && b.Flags()&packet.Chained == 0 {
		r.cache.Put(one)
		return
	}
	packet.Free(one)
}

// linger receives until every frame of every worker is back, or none of them has come for the time to
// wait.
func (w *sender) linger() {
	r, last, back := w.check, tsc.Read(), uint64(0)
	for {
		w.tx.Send(nil)
		if r.poll(&w.c) > 0 {
			w.published.Offer(&w.c)
			w.idle.Busy()
		} else {
			w.idle.Poll()
		}
		sent, done := r.sent(w.c.txPackets)
		now, n := tsc.Read(), w.c.checked.OK+w.c.checked.Reordered
		if done && n >= sent || now-last > r.wait {
			break
		}
		if n > back {
			last, back = now, n
		}
	}
	r.cache.Flush()
}

// sent returns how many frames all workers have sent, and whether that is all.
func (r *receiver) sent(own uint64) (n uint64, done bool) {
	n, done = own, true
	for _, p := range r.others {
		c := p.Get()
		n += c.txPackets
		done = done && c.done
	}
	return n, done
}
