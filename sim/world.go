package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// World is a set of polled cards that one goroutine watches. They share their memory, so a frame
// that came in on one can leave by another without a copy.
type World struct {
	shared *dma.Shared
	arena  *dma.Arena
	space  *iommu.Space
	start  time.Time

	mu    sync.Mutex // held while the cards are polled
	ports []*Port
	added int // ports so far, for their MAC addresses
}

// Port is a card of a World.
type Port struct {
	Card *ixgbe.Card
	Wire wire.End

	world *World
	name  string
	open  bool // a driver has it; guarded by world.mu
}

// worldMemory is enough for a few ports with large rings, and small enough for the huge page pool of a
// small machine.
const worldMemory = 256 << 20

// NewWorld makes a world of size bytes of memory; 0 means 256 MiB.
func NewWorld(size int) (*World, error) {
	if size == 0 {
		size = worldMemory
	}
	shared, err := dma.NewShared(dma.SharedOptions{Size: size})
	if err != nil {
		return nil, err
	}
	return &World{
		shared: shared, arena: dma.NewArena(shared), space: iommu.NewFlat(shared.Bytes()), start: time.Now(),
	}, nil
}

// Add puts a card with its wire into the world, which closes the wire at the end. Name, Memory and
// Clock of cfg are set.
func (w *World) Add(name string, cfg ixgbe.Config) (*Port, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cfg.Name, cfg.Memory = name, w.space
	cfg.Clock = func() time.Duration { return time.Since(w.start) }
	if n := 0x5990 + w.added; cfg.MAC == [6]byte{} {
		cfg.MAC = [6]byte{0x02, 0x00, 0x00, 0x82, byte(n >> 8), byte(n)}
	}
	c, err := ixgbe.New(cfg)
	if err != nil {
		return nil, err
	}
	p := &Port{Card: c, Wire: cfg.Wire, world: w, name: name}
	w.ports = append(w.ports, p)
	w.added++
	return p, nil
}

// Function returns the card as a driver sees it, for one driver at a time.
func (p *Port) Function() (bus.Function, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.ports, p) {
		return nil, fmt.Errorf("%s: the port was taken out of its world: add another", p.name)
	}
	if p.open {
		return nil, fmt.Errorf("%s: another driver has the port open: close it first: %w", p.name, bus.ErrInUse)
	}
	p.open = true
	p.Card.Reset()
	return &function{
		address: p.name, device: p.Card.Device(), dma: w.arena,
		region: mmio.MapPolled(p.Card.Registers()), reset: p.reset, irqs: newInterrupts(p.name, p.Card, irq.MSIX),
		close: func() error {
			p.reset()
			w.mu.Lock()
			p.open = false
			w.mu.Unlock()
			return nil
		},
	}, nil
}

func (p *Port) reset() {
	p.world.mu.Lock()
	p.Card.Reset()
	p.world.mu.Unlock()
}

// Remove takes a card out of the world and closes its wire.
func (w *World) Remove(p *Port) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.ports, p)
	if i < 0 {
		return nil
	}
	w.ports = slices.Delete(w.ports, i, i+1)
	if p.Wire == nil {
		return nil
	}
	return p.Wire.Close()
}

// budget is how many frames a card moves in each direction before the next has its turn.
const budget = 256

// Poll has every card look at its registers and move frames once. It returns the number of frames.
func (w *World) Poll() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, p := range w.ports {
		n += p.Card.Poll(budget)
	}
	return n
}

// Run polls until ctx ends. The more polls in a row find nothing to do, the more it leaves the
// processor to others.
func (w *World) Run(ctx context.Context) {
	for idle := 0; ctx.Err() == nil; {
		if w.Poll() == 0 {
			rest(&idle)
			continue
		}
		idle = 0
		if oneThread {
			runtime.Gosched()
		}
	}
}

// oneThread: in WebAssembly a goroutine that never waits keeps all others from running.
const oneThread = runtime.GOARCH == "wasm"

// rest gives way after an idle poll: to other goroutines at first, to the whole machine later.
func rest(idle *int) {
	switch *idle++; {
	case *idle < 100:
	case *idle < 2000:
		runtime.Gosched()
	default:
		time.Sleep(50 * time.Microsecond)
	}
}

// Close closes all wires and gives the memory back. Nobody may run the world or use its functions any
// more.
func (w *World) Close() error {
	var all []error
	for len(w.ports) > 0 {
		all = append(all, w.Remove(w.ports[0]))
	}
	return errors.Join(append(all, w.shared.Close())...)
}
