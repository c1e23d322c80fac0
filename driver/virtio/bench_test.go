package virtio_test

import (
	"context"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// BenchmarkForward is what a frame costs that is received and sent again, with a device that only says that it is
// done.
func BenchmarkForward(b *testing.B) {
	for name, c := range map[string]*card{"split": newCard(), "packed": packedCard()} {
		b.Run(name, func(b *testing.B) {
			d, err := nic.OpenFunction(context.Background(), c, nic.Config{RxRing: 256, TxRing: 256})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			rx, tx := d.RxQueue(0), d.TxQueue(0)
			cache := d.Info().Pool.NewCache()
			defer func() {
				rx.(nic.CacheUser).UseCache(nil)
				tx.(nic.CacheUser).UseCache(nil)
				cache.Flush()
			}()
			rx.(nic.CacheUser).UseCache(cache)
			tx.(nic.CacheUser).UseCache(cache)
			const batch = 32
			var done [2]func()
			for i := range done {
				done[i] = c.doneWith(i, batch)
			}
			bufs := make([]*packet.Buf, batch)
			for b.Loop() {
				done[0]()
				n := rx.Receive(bufs)
				if n != batch || tx.Send(bufs) != batch {
					b.Fatalf("%d frames", n)
				}
				done[1]()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/frame")
		})
	}
}

// doneWith returns what has the device use n buffers of a queue, in order.
func (c *card) doneWith(queue, n int) func() {
	q := c.vqs[queue]
	at := 0
	if c.has(fPacked) {
		ring := c.at("bench", q.desc, 16*q.size, true)
		flags := uint64(0x8080) << 48
		return func() {
			for range n {
				le.PutUint64(ring[16*at+8:], flags|uint64(at)<<32|72)
				if at++; at == q.size {
					at, flags = 0, flags^0x8080<<48
				}
			}
		}
	}
	used := c.at("bench", q.dev, 4+8*q.size, true)
	return func() {
		for range n {
			le.PutUint64(used[4+8*(at%q.size):], uint64(at%q.size)|72<<32)
			at++
		}
		le.PutUint16(used[2:], uint16(at))
	}
}
