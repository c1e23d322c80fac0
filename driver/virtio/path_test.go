package virtio_test

import (
	"slices"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/iommu"
)

// variants are ways in which a device may work.
var variants = map[string]func(c *card){
	"plain":               func(*card) {},
	"event index":         func(c *card) { c.offered |= fEventIdx },
	"late":                func(c *card) { c.late = true },
	"silent":              func(c *card) { c.silent = true },
	"packed":              func(c *card) { c.offered |= fPacked },
	"packed, event index": func(c *card) { c.offered |= fPacked | fEventIdx },
	"packed, late":        func(c *card) { c.offered |= fPacked; c.late = true },
	"packed, silent":      func(c *card) { c.offered |= fPacked; c.silent = true },
	"in order":            func(c *card) { c.offered |= fInOrder },
	"in batches":          func(c *card) { c.offered |= fInOrder; c.batches = true },
	"packed, in order":    func(c *card) { c.offered |= fInOrder | fPacked },
	"packed, in batches":  func(c *card) { c.offered |= fInOrder | fPacked; c.batches = true },
}

func forVariants(t *testing.T, f func(t *testing.T, c *card)) {
	t.Helper()
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			c := newCard()
			set(c)
			f(t, c)
		})
	}
}

// Thousands of frames go each way, in batches of all sizes, around the rings many times.
func TestBatches(t *testing.T) {
	forVariants(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 1024})
		var want, got, sent [][]byte
		seed := 0
		for _, size := range []int{1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 100, 256} {
			for range 9 {
				var batch []*packet.Buf
				for range size {
					f := frame(14+seed*13%1500, byte(seed))
					seed++
					want = append(want, f)
					r.put(f)
					batch = append(batch, r.buf(f, 2048))
				}
				for len(batch) > 0 {
					n := r.dev.TxQueue(0).Send(batch)
					batch = batch[n:]
					r.wakeStep()
				}
				got = append(got, r.receive(0, size)...)
			}
		}
		sent = c.out
		if c.late { // then the order is another, too
			same(t, "sent", sorted(sent), sorted(want))
			same(t, "received", sorted(got), sorted(want))
		} else {
			same(t, "sent", sent, want)
			same(t, "received", got, want)
		}
		s := r.stats()
		bytes := uint64(0)
		for _, f := range want {
			bytes += uint64(len(f))
		}
		if n := uint64(len(want)); s.RxPackets != n || s.TxPackets != n || s.RxBytes != bytes || s.TxBytes != bytes || s.RxErrors+s.RxDropped+s.TxDropped+s.RxNoBuffer != 0 {
			t.Errorf("%d frames of %d bytes: %s", n, bytes, brief(s))
		}
		r.dev.TxQueue(0).Send(nil)
		if n := r.dev.TxHeld(0); n != 0 {
			t.Errorf("%d descriptors still with the device", n)
		}
	})
}

func sorted(frames [][]byte) [][]byte {
	s := slices.Clone(frames)
	slices.SortFunc(s, slices.Compare)
	return s
}

// wakeStep steps a device that may not wait for doorbells.
func (r *rig) wakeStep() {
	if r.card.silent {
		for _, q := range r.card.vqs {
			q.awake = true
		}
	}
	r.step()
}

// A device that asks for no notifications gets none; one that does gets one each time it has run out.
func TestDoorbells(t *testing.T) {
	for name, c := range map[string]struct {
		offered uint64
		silent  bool
		want    int
	}{
		"each time": {0, false, 100}, "event index": {fEventIdx, false, 100}, "silent": {0, true, 1}, "silent, event index": {fEventIdx, true, 1},
		"packed": {fPacked, false, 100}, "packed, event index": {fPacked | fEventIdx, false, 100}, "packed, silent": {fPacked, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			card := newCard()
			card.offered |= c.offered
			r := open(t, card, small)
			card.silent = c.silent
			for i := range 100 {
				r.send(0, frame(60, byte(i)), 2048)
				r.wakeStep()
			}
			if n := card.vqs[1].bells; n != c.want {
				t.Errorf("%d doorbells, want %d", n, c.want)
			}
			if len(card.out) != 100 {
				t.Errorf("%d sent", len(card.out))
			}
		})
	}
}

// Between notifications that the device wants there are none with the event index.
func TestEventIndex(t *testing.T) {
	c := newCard()
	c.offered |= fEventIdx
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640})
	for range 3 { // the device does not look meanwhile
		r.send(0, frame(60, 1), 2048)
	}
	if n := c.vqs[1].bells; n != 1 {
		t.Errorf("%d doorbells", n)
	}
	r.step()
}

// Frames in several buffers, without headroom, or of other pools go out as they are, between others.
func TestOddFrames(t *testing.T) {
	forVariants(t, func(t *testing.T, c *card) {
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 1024})
		other, err := packet.NewPool(c.space, packet.PoolConfig{Buffers: 256})
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for i := range 600 {
			f := frame(60+i%1400, byte(i))
			want = append(want, f)
			var b *packet.Buf
			switch i % 7 {
			case 0:
				b = r.buf(f, 100)
			case 1:
				b = r.buf(f, 2048)
				b.SetOffsetLen(packet.Headroom-120, len(f))
				copy(b.Bytes(), f)
			case 2:
				var one [1]*packet.Buf
				if other.Alloc(one[:]) == 0 {
					t.Fatal("pool empty")
				}
				b = one[0]
				b.SetBytes(f)
			default:
				b = r.buf(f, 2048)
			}
			batch := []*packet.Buf{b}
			for r.dev.TxQueue(0).Send(batch) == 0 {
				r.wakeStep()
			}
			if i%13 == 0 {
				r.wakeStep()
			}
		}
		r.wakeStep()
		same(t, "sent", c.out, want)
		if !r.dev.Tangled(0) {
			t.Error("chains do not tangle the queue")
		}
		r.dev.TxQueue(0).Send(nil)
		if n := r.dev.TxHeld(0); n != 0 {
			t.Errorf("%d descriptors still with the device", n)
		}
		// Plain frames for a while straighten it again.
		c.late, c.out, want = false, nil, nil
		for i := range 300 {
			want = append(want, frame(70, byte(i)))
			r.send(0, want[i], 2048)
			r.wakeStep()
		}
		r.dev.TxQueue(0).Send(nil)
		if r.dev.Tangled(0) {
			t.Error("the queue stays tangled")
		}
		same(t, "then", c.out, want)
		r.dev.TxQueue(0).(nic.CacheUser).UseCache(nil)
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A frame without headroom gets its header from elsewhere: what lies before its buffer stays as it is.
func TestNoHeadroom(t *testing.T) {
	for off := range 14 {
		c := newCard()
		r := open(t, c, small)
		b := r.buf(nil, 2048)
		b.SetOffsetLen(0, 200)
		for i := range b.Bytes() {
			b.Bytes()[i] = 0xee
		}
		b.SetOffsetLen(off, 100)
		copy(b.Bytes(), frame(100, 3))
		if r.dev.TxQueue(0).Send([]*packet.Buf{b}) != 1 {
			t.Fatal("not taken")
		}
		r.step()
		same(t, "sent", c.out, [][]byte{frame(100, 3)})
		if r.dev.Tangled(0) != (off < 12) {
			t.Errorf("offset %d: tangled %v", off, r.dev.Tangled(0))
		}
	}
}

// What cannot be sent is dropped and counted.
func TestUnfit(t *testing.T) {
	c := newCard()
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640})
	far := iommu.New()
	foreign, err := packet.NewPool(far, packet.PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	var one [1]*packet.Buf
	foreign.Alloc(one[:])
	one[0].SetBytes(frame(60, 0))
	for i, b := range []*packet.Buf{
		r.buf(nil, 2048), r.buf(frame(13, 0), 2048), r.buf(frame(1523, 0), 2048), r.buf(frame(1523, 0), 1000),
		r.buf(frame(60, 0), 1), one[0],
	} {
		if n := r.dev.TxQueue(0).Send([]*packet.Buf{b}); n != 1 {
			t.Errorf("frame %d is not taken", i)
		}
		if n := r.stats().TxDropped; n != uint64(i+1) {
			t.Errorf("frame %d: %d dropped", i, n)
		}
	}
	r.step()
	if len(c.out) != 0 {
		t.Errorf("%d frames were sent", len(c.out))
	}
	if err := foreign.Close(); err != nil {
		t.Error(err)
	}
}

// Frames in several buffers come in as one.
func TestMerged(t *testing.T) {
	for _, buffers := range []int{1, 2, 3, 10, 11, 12} {
		c := newCard()
		c.offered |= fMrg
		if c.buffers = buffers; buffers > 10 {
			c.offered |= fPacked
			c.buffers -= 10
		}
		r := open(t, c, nic.Config{MTU: 9000, RxRing: 64, TxRing: 64, Buffers: 1024})
		var want, got [][]byte
		for i := range 400 {
			f := frame(60+i*31%8900, byte(i))
			want = append(want, f)
			r.put(f)
			if i%5 == 4 {
				r.step()
				got = append(got, r.receive(0, 1+i%40)...)
			}
		}
		r.step()
		got = append(got, r.receive(0, 32)...)
		same(t, "received", got, want)
		if s := r.stats(); s.RxPackets != 400 || s.RxErrors+s.RxDropped != 0 {
			t.Error(brief(s))
		}
	}
}

// A queue whose pool is empty waits, loses nothing and goes on.
func TestStarved(t *testing.T) {
	c := newCard()
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 128})
	pool := r.dev.Info().Pool
	held := make([]*packet.Buf, 1024)
	held = held[:pool.Alloc(held)]
	var want [][]byte
	for i := range 200 {
		want = append(want, frame(60, byte(i)))
		r.put(want[i])
	}
	r.step()
	got := r.receive(0, 32)
	if len(got) > 0 || r.stats().RxNoBuffer != 1 {
		t.Errorf("%d received, %d times no buffer", len(got), r.stats().RxNoBuffer)
	}
	packet.Free(held)
	got = r.receive(0, 32)
	same(t, "received", got, want)
}

// Nothing is allocated for a packet.
func TestNoAllocations(t *testing.T) {
	c := newCard()
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 1024})
	batch := make([]*packet.Buf, 32)
	f := frame(60, 1)
	// Only the driver is measured: the device works in between.
	n := testing.AllocsPerRun(1, func() {})
	for range 50 {
		for range 32 {
			r.put(f)
		}
		r.step()
		var k int
		n += testing.AllocsPerRun(1, func() {
			k += r.dev.RxQueue(0).Receive(batch[k:])
			r.dev.TxQueue(0).Send(nil)
		})
		out := batch[:k]
		if k != 32 {
			t.Fatalf("%d received", k)
		}
		n += testing.AllocsPerRun(1, func() { out = out[r.dev.TxQueue(0).Send(out):] })
		r.step()
	}
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A worker's cache goes around between the queues.
func TestSharedCache(t *testing.T) {
	c := newCard()
	r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 256})
	pool := r.dev.Info().Pool
	cache := pool.NewCache()
	rx, tx := r.dev.RxQueue(0).(nic.CacheUser), r.dev.TxQueue(0).(nic.CacheUser)
	if !rx.UseCache(cache) || !tx.UseCache(cache) {
		t.Fatal("refused")
	}
	strange, err := packet.NewPool(c.space, packet.PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	if rx.UseCache(strange.NewCache()) {
		t.Error("a receive queue takes buffers of another pool")
	}
	batch := make([]*packet.Buf, 32)
	for i := range 100 {
		for k := range 32 {
			r.put(frame(60+k, byte(i)))
		}
		r.step()
		n := r.dev.RxQueue(0).Receive(batch)
		if n != 32 || r.dev.TxQueue(0).Send(batch[:n]) != n {
			t.Fatalf("%d received", n)
		}
		r.step()
	}
	if len(c.out) != 3200 {
		t.Errorf("%d sent", len(c.out))
	}
	rx.UseCache(nil)
	tx.UseCache(nil)
	cache.Flush()
	if err := strange.Close(); err != nil {
		t.Error(err)
	}
}

// A device that wants to hear of frames only after they were posted, as where the driver saw an old wish, hears of
// them from an idle queue, and once.
func TestRemind(t *testing.T) {
	for name, offered := range map[string]uint64{"plain": 0, "event index": fEventIdx, "packed": fPacked, "packed, event index": fPacked | fEventIdx} {
		t.Run(name, func(t *testing.T) {
			c := newCard()
			c.offered |= offered
			r := open(t, c, small)
			c.silent = true
			r.send(0, frame(60, 1), 2048)
			r.step() // the device asks for silence
			q := c.vqs[1]
			bells := q.bells
			r.send(0, frame(60, 2), 2048) // that the device waits for this one shows late
			r.send(0, frame(60, 3), 2048)
			if q.bells != bells {
				t.Fatal("it rings all the same")
			}
			c.silent = false
			c.wish(q)
			for range 3 {
				r.dev.TxQueue(0).Send(nil)
			}
			if q.bells != bells+1 {
				t.Errorf("%d doorbells", q.bells-bells)
			}
			r.step()
			if len(c.out) != 3 {
				t.Errorf("%d sent", len(c.out))
			}
		})
	}
}
