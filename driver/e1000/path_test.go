package e1000_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/iommu"
)

// Several times round the ring, with all sizes of the standard MTU and batches of all sizes.
func TestReceive(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		bytes := 0
		var all uint64
		for _, batch := range []int{1, 2, 3, 16, 17, 63, 64, 65, 100} {
			var want [][]byte
			for i := range 300 {
				f := frame(60+(i*37)%1455, byte(i))
				want = append(want, f)
				r.put(f)
				bytes += len(f)
			}
			r.step()
			same(t, fmt.Sprint("batches of ", batch), r.receive(0, batch), want)
			all += uint64(len(want))
		}
		if s := r.stats(); s.RxPackets != all || s.RxBytes != uint64(bytes) || s.RxDropped+s.RxMissed+s.RxNoBuffer+s.RxErrors != 0 {
			t.Errorf("%s, want %d packets of %d bytes", brief(s), all, bytes)
		}
	})
}

func TestSend(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		var want [][]byte
		bytes := 0
		for i := range 1000 {
			f := frame(17+(i*37)%1500, byte(i))
			part := len(f)
			if i%3 == 0 {
				part = len(f)/3 + 1
			}
			r.send(0, f, part)
			want = append(want, padded(f))
			bytes += len(want[i])
		}
		r.step()
		same(t, "sent", c.out, want)
		if s := r.stats(); s.TxPackets != 1000 || s.TxBytes != uint64(bytes) || s.TxDropped != 0 {
			t.Errorf("%s, want 1000 packets of %d bytes", brief(s), bytes)
		}
	})
}

// Whatever the batches, frames go through in order, none twice and none lost.
func TestForward(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 72, MTU: 9000, Buffers: 1024})
		rnd := rand.New(rand.NewPCG(1, uint64(c.device)))
		rx, tx := r.dev.RxQueue(0), r.dev.TxQueue(0)
		var want [][]byte
		var held []*packet.Buf
		check := 0
		for range 3000 {
			for range rnd.IntN(20) {
				size := 60 + rnd.IntN(100)
				if rnd.IntN(20) == 0 {
					size = 60 + rnd.IntN(8900)
				}
				want = append(want, frame(size, byte(len(want))))
				r.put(want[len(want)-1])
			}
			c.full = rnd.IntN(4) == 0
			if rnd.IntN(4) > 0 {
				c.step()
			}
			batch := make([]*packet.Buf, rnd.IntN(70))
			held = append(held, batch[:rx.Receive(batch)]...)
			n := tx.Send(held[:rnd.IntN(len(held)+1)])
			held = held[n:]
			if n := len(c.out); n > 0 {
				same(t, fmt.Sprint("after frame ", check), c.out, want[:n])
				want, c.out = want[n:], nil
				check += n
			}
		}
		c.full = false
		for range 10000 {
			if r.step(); len(want) == len(c.out) {
				break
			}
			batch := make([]*packet.Buf, 64)
			held = append(held, batch[:rx.Receive(batch)]...)
			held = held[tx.Send(held):]
		}
		same(t, "the rest", c.out, want)
		if s := r.stats(); s.RxDropped+s.TxDropped+s.RxMissed != 0 {
			t.Error(brief(s))
		}
	})
}

// Long frames come in several buffers of any size, and leave as they came.
func TestJumbo(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		for _, room := range []int{1024, 1500, 2048, 4000, 9000, 16384} {
			c = newCard(c.device)
			r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, MTU: 9000, Room: room, Buffers: 640})
			var want [][]byte
			for i := range 200 {
				want = append(want, frame([]int{60, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 8192, 9014, 9022}[i%11], byte(i)))
				r.put(want[i])
			}
			var got [][]byte
			batch := make([]*packet.Buf, 8)
			for range 1000 {
				c.step()
				n := r.dev.RxQueue(0).Receive(batch)
				for _, b := range batch[:n] {
					got = append(got, b.AppendTo(nil))
				}
				if k := r.dev.TxQueue(0).Send(batch[:n]); k < n {
					r.step()
					if r.dev.TxQueue(0).Send(batch[k:n]) != n-k {
						t.Fatal("the ring stays full")
					}
				}
			}
			same(t, fmt.Sprintf("received in buffers of %d", room), got, want)
			r.step()
			same(t, "sent", c.out, want)
			r.put(frame(9027, 0))
			r.step()
			if got := r.receive(0, 4); len(got) != 0 {
				t.Errorf("a frame of %d bytes with an MTU of 9000", len(got[0]))
			}
		}
	})
}

// Each queue sends, and receives what is for it.
func TestQueues(t *testing.T) {
	for device, queues := range map[uint16]int{0x10c9: 16, 0x1521: 8, 0x1533: 4, 0x1539: 2, 0x10a7: 4} {
		c := newCard(device)
		c.queue = func(f []byte) int { return int(f[14]) % queues }
		r := open(t, c, nic.Config{RxQueues: queues, TxQueues: queues, RxRing: 64, TxRing: 64})
		want := make([][][]byte, queues)
		for i := range 30 * queues {
			f := frame(100, byte(i))
			f[14] = byte(i)
			want[i%queues] = append(want[i%queues], f)
			r.put(f)
		}
		r.step()
		for q := range queues {
			same(t, fmt.Sprintf("%04x queue %d", device, q), r.receive(q, 5), want[q])
			c.out = nil
			for _, f := range want[q] {
				r.send(q, f, 60)
			}
			r.step()
			same(t, fmt.Sprintf("%04x queue %d sent", device, q), c.out, want[q])
		}
	}
}

// The whole way of a packet allocates nothing.
func TestNoAllocations(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{RxRing: 128, TxRing: 128, MTU: 9000})
		rx, tx := r.dev.RxQueue(0), r.dev.TxQueue(0)
		batch := make([]*packet.Buf, 32)
		moved := 0
		for range 200 {
			for i := range 32 {
				r.put(frame(60, byte(i)))
			}
			c.in[20] = frame(5000, 0)
			c.step()
			var n, m int
			if a := testing.AllocsPerRun(1, func() {
				// It runs twice: the second finds nothing.
				if n == 0 {
					n = rx.Receive(batch)
					m = tx.Send(batch[:n])
				}
			}); a != 0 {
				t.Fatalf("%v allocations per batch", a)
			}
			if m != n {
				t.Fatalf("sent %d of %d", m, n)
			}
			moved += n
			c.trace, c.out = nil, nil
			c.step()
		}
		if moved != 200*32 {
			t.Errorf("%d frames went through, want %d", moved, 200*32)
		}
	})
}

// A full ring takes a prefix; the caller keeps the rest and loses nothing.
func TestSendFull(t *testing.T) {
	for _, part := range []int{100, 30} { // one buffer and four
		c := newCard(0x10d3)
		r := open(t, c, nic.Config{TxRing: 64, Buffers: 1024})
		c.full = true
		var want [][]byte
		var batch []*packet.Buf
		for i := range 100 {
			want = append(want, frame(100, byte(i)))
			batch = append(batch, r.buf(want[i], part))
		}
		q := r.dev.TxQueue(0)
		n := q.Send(batch)
		if most := 63 / batch[0].Segments(); n != most {
			t.Fatalf("an empty ring took %d frames, want %d", n, most)
		}
		r.step()
		if m := q.Send(batch[n:]); m != 0 || len(c.out) != 0 {
			t.Fatalf("a full ring took %d frames, %d were sent", m, len(c.out))
		}
		c.full = false
		for try := 0; n < len(batch); try++ {
			if try > 20 {
				t.Fatalf("stuck after %d frames", n)
			}
			r.step()
			n += q.Send(batch[n:])
		}
		r.step()
		same(t, "sent", c.out, want)
	}
}

// Frames that no card could send are taken, dropped and counted, and those around them are sent.
func TestSendUnfit(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{TxRing: 64, Buffers: 1024})
		other, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 64})
		if err != nil {
			t.Fatal(err)
		}
		foreign := func(data []byte) *packet.Buf {
			var b [1]*packet.Buf
			other.Alloc(b[:])
			b[0].SetBytes(data)
			return b[0]
		}
		with := func(b, part *packet.Buf) *packet.Buf {
			part.SetNext(b.Next())
			b.SetNext(part)
			return b
		}
		good := frame(100, 1)
		for i, b := range []*packet.Buf{
			r.buf(nil, 1),
			r.buf(frame(16, 0), 16),
			r.buf(frame(16, 0), 8),
			r.buf(frame(1523, 0), 2048),
			r.buf(frame(1523, 0), 1000),
			r.buf(frame(33, 0), 1),
			with(r.buf(good, 50), r.buf(nil, 1)),  // an empty part in the middle
			with(r.buf(good, 100), r.buf(nil, 1)), // and at the end
			foreign(good),
			with(r.buf(good, 50), foreign(good)),
			with(foreign(good), r.buf(good, 100)),
		} {
			batch := []*packet.Buf{r.buf(good, 100), b, r.buf(good, 50)}
			if n := r.dev.TxQueue(0).Send(batch); n != 3 {
				t.Fatalf("unfit frame %d: took %d of 3", i, n)
			}
			r.step()
			if s := r.stats(); s.TxDropped != uint64(i+1) || len(c.out) != 2*(i+1) {
				t.Fatalf("unfit frame %d: %d dropped, %d sent", i, s.TxDropped, len(c.out))
			}
		}
		r.send(0, frame(32, 0), 1) // the most buffers
		r.step()
		if len(c.out) != 23 {
			t.Error("a frame of 32 buffers was not sent")
		}
		if err := other.Close(); err != nil {
			t.Errorf("the foreign pool: %v", err)
		}
	})
}

// Frames that lack their tag or their checksum get it before the card sends them; the one whose checksum cannot be is
// dropped.
func TestSendIncomplete(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{TxRing: 64, Buffers: 1024})
		whole := frame(200, 1)
		tagged := slices.Concat(whole[:12], []byte{0x81, 0, 0x20, 5}, whole[12:])
		summed := slices.Clone(tagged)
		copy(summed[54:], []byte{0x41, 0xfb}) // RFC 1071, worked out apart
		batch := []*packet.Buf{r.buf(whole, 200), r.buf(whole, 40), r.buf(whole, 200), r.buf(whole, 40)}
		batch[1].SetVLAN(0x2005)
		batch[2].SetVLAN(0x2005)
		batch[2].SetChecksum(34, 16)
		batch[3].SetChecksum(34, 165)
		if n := r.dev.TxQueue(0).Send(batch); n != 4 {
			t.Fatalf("took %d of 4", n)
		}
		r.step()
		same(t, "sent", c.out, [][]byte{whole, tagged, summed})
		if n := r.stats().TxDropped; n != 1 {
			t.Errorf("%d dropped, want 1", n)
		}
	})
}

// Reports are asked for as often as settings say, at the end of frames, and all buffers come back after them.
func TestReports(t *testing.T) {
	for _, report := range []int{0, 1, 3, 8, 32} {
		c := newCard(0x10c9)
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, ReportEvery: report, Buffers: 1024})
		if report == 0 {
			report = 16 // a quarter of the ring
		}
		c.full = true
		for i := range 12 {
			r.send(0, frame(60, 0), []int{60, 20, 12}[i%3])
		}
		since, asked := 0, 0
		for i, w1 := range r.dev.TxCommands(0) {
			if w1 == 0 {
				break
			}
			since++
			if w1&(1<<27) != 0 {
				if w1&(1<<24) == 0 || since < report || since > report+4 {
					t.Errorf("report every %d: descriptor %d %#x has RS, %d after the last", report, i, w1, since)
				}
				since = 0
				asked++
			}
		}
		if asked == 0 || since > report+4 {
			t.Errorf("report every %d: asked %d times, %d descriptors at the end without", report, asked, since)
		}
		c.full = false
		r.step()
		r.dev.TxQueue(0).Send(nil)
		if held := r.dev.TxHeld(0); held >= report {
			t.Errorf("report every %d: the ring holds %d descriptors of frames that are sent", report, held)
		}
	}
}

// A worker's queues share its cache: what one gets back the other takes.
func TestUseCache(t *testing.T) {
	r := open(t, newCard(0x10d3), nic.Config{RxRing: 64, TxRing: 64, Buffers: 512, ReportEvery: 1})
	rx, tx, pool := r.dev.RxQueue(0), r.dev.TxQueue(0), r.dev.Info().Pool
	foreign, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	c := pool.NewCache()
	for _, q := range []any{rx, tx} {
		if q.(nic.CacheUser).UseCache(foreign.NewCache()) {
			t.Errorf("%T takes a cache of memory that the card does not reach", q)
		}
		if !q.(nic.CacheUser).UseCache(c) {
			t.Fatalf("%T refuses the cache", q)
		}
	}
	before := pool.Available()
	batch := make([]*packet.Buf, 16)
	for i := range 1000 {
		r.put(frame(60+i%1000, byte(i)))
		r.step()
		if n := rx.Receive(batch); n != 1 || tx.Send(batch[:n]) != 1 {
			t.Fatalf("frame %d: %d received", i, n)
		}
		r.step()
	}
	if out := before - pool.Available(); out > 64 {
		t.Errorf("%d buffers left the pool", out)
	}
	tx.Send(nil)
	for _, q := range []any{rx, tx} {
		q.(nic.CacheUser).UseCache(nil)
	}
	// The ring's 64, and the fresh ones of its stretch.
	if out := pool.Len() - pool.Available(); out < 64 || out > 64+16 {
		t.Errorf("%d buffers are not in the pool, want 64 to 80", out)
	}
}

// Where the pool is empty frames wait, and it is counted once; the 82576 drops what finds no descriptor.
func TestPoolEmpty(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		c.hurried = true
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 128})
		var held []*packet.Buf
		batch := make([]*packet.Buf, 32)
		for i := range 200 {
			r.put(frame(60, byte(i)))
			c.step()
			n := r.dev.RxQueue(0).Receive(batch)
			held = append(held, batch[:n]...)
		}
		if s := r.stats(); s.RxNoBuffer != 1 || len(held) >= 200 || s.RxDropped != 0 {
			t.Errorf("%d received, %s", len(held), brief(s))
		}
		packet.Free(held)
		got := len(held)
		for range 10 {
			r.step()
			got += len(r.receive(0, 32))
		}
		s := r.stats()
		if uint64(got)+s.RxMissed != 200 || s.RxPackets != uint64(got) || (s.RxMissed > 0) != c.drops() {
			t.Errorf("%d of 200 received: %s", got, brief(s))
		}
	})
}
