package ixgbe_test

import (
	"bytes"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/iommu"
)

// A worker's queues share its cache: what one gets back the other takes, and after UseCache(nil) all
// buffers that are not in a ring are in the pool.
func TestUseCache(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64, TxRing: 64, Buffers: 512, ReportEvery: 1})
	rx, tx, pool := r.dev.RxQueue(0), r.dev.TxQueue(0), r.dev.Info().Pool
	foreign, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	for _, q := range []any{rx, tx} {
		if q.(nic.CacheUser).UseCache(foreign.NewCache()) {
			t.Errorf("%T takes a cache of memory that the card does not reach", q)
		}
	}
	c := pool.NewCache()
	for _, q := range []any{rx, tx} {
		if !q.(nic.CacheUser).UseCache(c) {
			t.Fatalf("%T refuses the cache", q)
		}
	}
	before := pool.Available()
	batch := make([]*packet.Buf, 16)
	for i := range 1000 {
		f := frame(60+i%1000, byte(i))
		r.wire.put(f)
		r.step()
		n := rx.Receive(batch)
		if n != 1 || tx.Send(batch[:n]) != 1 {
			t.Fatalf("frame %d: %d received", i, n)
		}
		r.step()
		if got := r.wire.out[len(r.wire.out)-1]; !bytes.Equal(got, f) {
			t.Fatalf("frame %d: %x, want %x", i, got, f)
		}
	}
	// One block is enough for a frame at a time, however many there are.
	if out := before - pool.Available(); out > 64 {
		t.Errorf("%d buffers left the pool", out)
	}
	tx.Send(nil)
	for _, q := range []any{rx, tx} {
		q.(nic.CacheUser).UseCache(nil)
	}
	// The ring's 64, less those of its stretch that are out.
	if out := pool.Len() - pool.Available(); out <= 64-16 || out > 64 {
		t.Errorf("%d buffers are not in the pool, want 49 to 64", out)
	}
}
