package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/internal/cpu"
	"glassnic/internal/tsc"
	"glassnic/sim/iommu"
	sim "glassnic/sim/ixgbe"
)

const (
	maxBatch = 256
	// supply is how many frames a card gets at a time in mode inline: what the receive ring
	// holds twice.
	supply = 256
	// settlePolls are enough for a card to notice all that a driver did and to move a ring.
	settlePolls = 100
	// part is how many frames are timed together in mode cross.
	part = 4096
	// memory that each rig reserves, in bytes: two pools of 4,096 buffers, rings, and reserve.
	memory = 64 << 20
)

// rig is a driver and the two cards that it forwards between, with memory of their own.
type rig struct {
	name   string
	shared *dma.Shared
	arena  *dma.Arena
	cards  [2]*sim.Card
	ends   [2]*end
	// engines replace the cards in mode cross.
	engines [2]*engine
	pair    pair
}

// newRig opens the driver on two new cards.
func newRig(ctx context.Context, name string) (_ *rig, err error) {
	kind, err := kindOf(name)
	if err != nil {
		return nil, err
	}
	r := &rig{name: name}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("bench: start %s: %w", name, err), r.close())
		}
	}()
	if r.shared, err = dma.NewShared(dma.SharedOptions{Size: memory}); err != nil {
		return nil, err
	}
	r.arena = dma.NewArena(r.shared)
	space := iommu.NewFlat(r.shared.Bytes())
	var fns [2]bus.Function
	for i := range r.cards {
		r.ends[i] = newEnd()
		r.cards[i], err = sim.New(sim.Config{Name: fmt.Sprintf("bench%d", i), Memory: space, Wire: r.ends[i]})
		if err != nil {
			return nil, err
		}
		r.engines[i] = &engine{regs: mmio.MapPolled(r.cards[i].Registers()), mem: r.shared.Bytes(), end: r.ends[i]}
		fns[i] = &function{name: fmt.Sprintf("bench:%d", i), card: r.cards[i], mem: r.arena}
	}
	r.pumped(func() { r.pair, err = kind.open(ctx, fns[0], fns[1]) })
	return r, err
}

// pumped calls f while the cards poll on another thread.
func (r *rig) pumped(f func()) {
	p, _ := startPoller(-1, func() { // only pinning can fail
		if r.cards[0].Poll(maxBatch)+r.cards[1].Poll(maxBatch) == 0 {
			runtime.Gosched()
		}
	})
	f()
	p.end()
}

// poller calls something over and over on a thread of its own.
type poller struct {
	stop   atomic.Bool
	rounds atomic.Uint64
	done   chan struct{}
}

// startPoller starts a poller, pinned if onCPU is not negative.
func startPoller(onCPU int, poll func()) (*poller, error) {
	p := &poller{done: make(chan struct{})}
	pinned := make(chan error)
	go func() {
		// The goroutine ends locked, and the pinned thread with it.
		runtime.LockOSThread()
		defer close(p.done)
		if onCPU >= 0 {
			if err := cpu.Pin(onCPU); err != nil {
				pinned <- err
				return
			}
		}
		pinned <- nil
		for n := uint64(1); !p.stop.Load(); n++ {
			poll()
			p.rounds.Store(n)
		}
	}()
	if err := <-pinned; err != nil {
		return nil, err
	}
	return p, nil
}

// pass waits for a call that began after pass did to end.
func (p *poller) pass() {
	for n := p.rounds.Load(); p.rounds.Load() < n+2; {
		runtime.Gosched()
	}
}

func (p *poller) end() {
	p.stop.Store(true)
	<-p.done
}

func (r *rig) close() error {
	var err error
	if r.pair != nil {
		r.pumped(func() { err = r.pair.close() })
	}
	if r.arena != nil {
		err = errors.Join(err, r.arena.Close())
	}
	if r.shared != nil {
		err = errors.Join(err, r.shared.Close())
	}
	return err
}

// errStuck is a driver that stops forwarding while frames wait.
var errStuck = errors.New("the driver stopped forwarding")

// inline lets the cards receive a supply of frames each and send what was forwarded, by turns with the
// driver, which alone is timed.
func (r *rig) inline(s *slice, batch int) error {
	before := r.counts()
	moved, drops := 0, 0
	s.start()
	for first := true; first || !s.over(); first = false {
		for i, c := range r.cards {
			r.ends[i].left = supply
			for tries := 0; r.ends[i].left > 0; tries++ {
				if tries == settlePolls {
					return fmt.Errorf("card %d has no room for %d of %d frames: %w", i, r.ends[i].left, supply, errStuck)
				}
				c.Poll(supply)
			}
		}
		t := tsc.Read()
		n, d := r.pair.run(batch, len(r.cards)*supply)
		t = tsc.Read() - t
		moved, drops = moved+n, drops+d
		if n != len(r.cards)*supply {
			return fmt.Errorf("%d of %d frames: %w", n, len(r.cards)*supply, errStuck)
		}
		if !first { // the first part finds another driver's data in the cache
			s.add(t, n-d, d)
		}
	}
	s.stop()
	return r.settle(before, moved, drops)
}

// cross runs the driver while the cards poll on another CPU with frames always waiting.
func (r *rig) cross(s *slice, batch, onCPU int) error {
	before := r.counts()
	for _, e := range r.ends {
		e.left = 1 << 62
	}
	for _, e := range r.engines {
		if err := e.takeOver(); err != nil {
			return err
		}
	}
	p, err := startPoller(onCPU, func() {
		r.engines[0].pass()
		r.engines[1].pass()
	})
	if err != nil {
		return err
	}
	defer p.end()
	moved, drops := 0, 0
	s.start()
	for first := true; first || !s.over(); first = false {
		t := tsc.Read()
		n, d := r.pair.run(batch, part)
		t = tsc.Read() - t
		moved, drops = moved+n, drops+d
		if n < part {
			return fmt.Errorf("%d of %d frames: %w", n, part, errStuck)
		}
		if !first {
			s.add(t, n-d, d)
		}
	}
	s.stop()
	for _, e := range r.ends {
		e.closed.Store(true)
	}
	p.pass()
	rest := int(r.counts().supplied-before.supplied) - moved
	n, d := r.pair.run(batch, rest)
	p.pass()
	p.end()
	for _, e := range r.engines {
		e.handBack()
	}
	for _, e := range r.ends {
		e.left = 0
		s.refused += e.refused
		e.refused = 0
		e.closed.Store(false)
	}
	if n != rest {
		return fmt.Errorf("%d of the last %d frames: %w", n, rest, errStuck)
	}
	return r.settle(before, moved+n, drops+d)
}

// settle lets the cards send the rest and holds what came out against what went in.
func (r *rig) settle(before counts, moved, drops int) error {
	for range settlePolls {
		for _, c := range r.cards {
			c.Poll(maxBatch)
		}
	}
	now := r.counts()
	supplied, sent, wrong := now.supplied-before.supplied, now.sent-before.sent, now.wrong-before.wrong
	if supplied != uint64(moved) || sent+uint64(drops) != uint64(moved) || wrong != 0 {
		return fmt.Errorf("%d frames went in, the driver received %d and dropped %d, %d came out, %d of them wrong", supplied, moved, drops, sent, wrong)
	}
	return nil
}

// function is one of the cards as a driver sees it.
type function struct {
	name string
	card *sim.Card
	mem  dma.Allocator
}

func (f *function) Address() string { return f.name }
func (f *function) ID() bus.ID {
	return bus.ID{Vendor: 0x8086, Device: f.card.Device(), Class: 0x020000}
}
func (f *function) NUMANode() int              { return -1 }
func (f *function) Config() bus.ConfigSpace    { return nil }
func (*function) Interrupts() (irq.Set, error) { return nil, nil }
func (f *function) DMA() dma.Allocator         { return f.mem }
func (f *function) Close() error               { return nil }

func (f *function) BAR(n int) (mmio.Region, error) {
	if n != 0 {
		return mmio.Region{}, fmt.Errorf("bench: %s has no BAR %d", f.name, n)
	}
	return mmio.MapPolled(f.card.Registers()), nil
}

// Reset asks for a reset as software does: the card belongs to another thread.
func (f *function) Reset() error {
	mmio.MapPolled(f.card.Registers()).Write32(chip.CTRL, chip.CtrlRST|chip.CtrlLRST)
	return nil
}
