package ixgbe_test

import (
	"context"
	"testing"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	"glassnic/sim/iommu"
	model "glassnic/sim/ixgbe"
)

// Buffers of other pools that the card reaches return to where they came from.
func TestSendPools(t *testing.T) {
	for name, choose := range map[string]func(i int) (head, next int){
		"one after the other": func(i int) (int, int) { return i / 200 % 3, -1 },
		"by turns":            func(i int) (int, int) { return i * 7 % 3, -1 },
		"in one frame":        func(i int) (int, int) { return i % 3, i / 3 % 3 },
		"only a second part":  func(i int) (int, int) { return 0, 1 },
		"only the first part": func(i int) (int, int) { return 1, 0 },
	} {
		t.Run(name, func(t *testing.T) { testPools(t, choose, 0, 40) })
		t.Run(name+", ring empty", func(t *testing.T) { testPools(t, choose, 1, 1) })
	}
}

// testPools sends frames whose one or two buffers are of the pools that choose names, -1 for none, and
// steps the card every so often.
func testPools(t *testing.T, choose func(i int) (head, next int), report, every int) {
	const frames = 1000
	space := iommu.New()
	s, w := card(t, model.Config{Memory: space})
	var pools [3]*packet.Pool
	for i := range pools {
		p, err := packet.NewPool(space, packet.PoolConfig{Buffers: 256})
		if err != nil {
			t.Fatal(err)
		}
		pools[i] = p
	}
	d, err := nic.OpenFunction(t.Context(), s.Function("sim:test"), nic.Config{TxRing: 64, RxRing: 64, Pool: pools[0], ReportEvery: report})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, sim: s, wire: w}
	q := d.TxQueue(0)
	get := func(p *packet.Pool) *packet.Buf {
		var b [1]*packet.Buf
		if p.Alloc(b[:]) == 0 {
			t.Fatal("a pool has run dry: its buffers do not come back")
		}
		b[0].SetBytes(frame(60, byte(p.ID()>>24)))
		return b[0]
	}
	sent := 0
	for i := range frames {
		head, next := choose(i)
		b := get(pools[head])
		if next >= 0 {
			b.SetNext(get(pools[next]))
		}
		for range 3 {
			if q.Send([]*packet.Buf{b}) == 1 {
				sent++
				break
			}
			r.step()
		}
		if i%every == 0 {
			r.step()
		}
	}
	r.step()
	if sent != frames || len(w.out) != frames {
		t.Errorf("%d accepted, %d sent, want %d", sent, len(w.out), frames)
	}
	// Close has unreported frames of all pools to give back.
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for i, p := range pools {
		if err := p.Close(); err != nil {
			t.Errorf("pool %d: %v", i, err)
		}
	}
	if n := space.InUse(); n != 0 {
		t.Errorf("%d bytes of DMA memory still allocated", n)
	}
}

// Ports whose buffers lie in each other's transmit rings are closed together.
func TestCloseAll(t *testing.T) {
	space := iommu.New()
	var rigs [2]*rig
	for i := range rigs {
		w := &script{full: true}
		s, err := sim.NewTrapped(model.Config{Wire: w, Memory: space})
		if err != nil {
			t.Fatal(err)
		}
		d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), nic.Config{RxRing: 64, TxRing: 64, Buffers: 256})
		if err != nil {
			t.Fatal(err)
		}
		rigs[i] = &rig{t: t, sim: s, wire: w, dev: d.(*ixgbe.Device)}
	}
	for i, r := range rigs {
		b := r.buf(frame(60, byte(i)), 60)
		if rigs[1-i].dev.TxQueue(0).Send([]*packet.Buf{b}) != 1 {
			t.Fatal("not sent")
		}
	}
	if err := nic.CloseAll(rigs[0].dev, nil, rigs[1].dev); err != nil {
		t.Error(err)
	}
	if n := space.InUse(); n != 0 {
		t.Errorf("%d bytes still allocated", n)
	}
}
