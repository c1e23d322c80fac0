package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassnic/bus"
	_ "glassnic/driver/ixgbe" // the driver called glassnic
	"glassnic/driver/textbook"
	"glassnic/nic"
	"glassnic/packet"
)

const (
	ring    = 512  // descriptors
	buffers = 4096 // of each port's pool
	// patience is how long a driver may find nothing before it counts as stuck, however busy the machine.
	patience = 20 * time.Second
)

// pair is a driver that forwards between two ports.
type pair interface {
	// run forwards until it has received want frames, up to batch at a time, and returns how many it
	// received and how many of them it could not send.
	run(batch, want int) (received, dropped int)
	close() error
}

// kind is one of the drivers to choose from.
type kind struct {
	name, doc string
	open      func(ctx context.Context, a, b bus.Function) (pair, error)
	aside     bool // no step of the ladder
}

var kinds = []kind{
	{"textbook", "the plain way: buffers of 2,048 bytes behind their metadata, a stack as pool, a report for each frame", openTextbook(textbook.Config{}), false},
	{"stride", "the same with 2,176 bytes from buffer to buffer", openTextbook(textbook.Config{Stride: 2176}), false},
	{"report", "the same with a report for every 32nd frame", openTextbook(textbook.Config{Stride: 2176, ReportEvery: 32}), false},
	{"apart", "the same with the metadata side by side in a table", openTextbook(textbook.Config{Stride: 2176, ReportEvery: 32, Apart: true}), false},
	{"glassnic", "driver/ixgbe: metadata of half a line, buffers taken and given in bulk", openGlassnic(0), false},
	{Metadata, "the same with checksum status and hash of each frame that is received", openGlassnic(nic.RxChecksum | nic.RxHash), true},
	{"floor", "only the memory accesses that no driver can leave out", openFloor, false},
}

// Metadata is glassnic with what the card says of frames.
const Metadata = "metadata"

// Drivers names all there are.
func Drivers() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Ladder names the drivers from the textbook to the floor, each with one step more than the one before.
func Ladder() []string {
	return slices.DeleteFunc(Drivers(), func(name string) bool {
		k, _ := kindOf(name)
		return k.aside
	})
}

// Describe says in a line what a driver does, "" for an unknown one.
func Describe(driver string) string {
	k, _ := kindOf(driver)
	return k.doc
}

func kindOf(name string) (kind, error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, fmt.Errorf("bench: no driver %q: have %s", name, strings.Join(Drivers(), ", "))
	}
	return kinds[i], nil
}

// idle counts turns that found nothing, and looks at the clock only now and then.
type idle struct {
	turns int
	since time.Time
}

func (i *idle) over() bool {
	i.turns++
	return i.turns&(1<<20-1) == 0 && i.late()
}

func (i *idle) late() bool {
	if i.turns == 1<<20 {
		i.since = time.Now()
	}
	return time.Since(i.since) > patience
}

// linkWait is how long a link may take.
const linkWait = 10 * time.Second

func awaitLink(up func() bool) error {
	for end := time.Now().Add(linkWait); !up(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("after %v: %w", linkWait, nic.ErrLinkDown)
		}
	}
	return nil
}

type textbookPair struct {
	ports [2]*textbook.Device
	bufs  [maxBatch]*textbook.Buf
}

func openTextbook(cfg textbook.Config) func(context.Context, bus.Function, bus.Function) (pair, error) {
	cfg.Ring, cfg.Buffers = ring, buffers
	return func(_ context.Context, a, b bus.Function) (pair, error) {
		p := &textbookPair{}
		var err error
		if p.ports[0], err = textbook.Open(a, cfg); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		if p.ports[1], err = textbook.Open(b, cfg); err != nil {
			return nil, errors.Join(err, p.ports[0].Close())
		}
		if err := awaitLink(func() bool { return p.ports[0].LinkUp() && p.ports[1].LinkUp() }); err != nil {
			return nil, errors.Join(err, p.close())
		}
		return p, nil
	}
}

func (p *textbookPair) run(batch, want int) (received, dropped int) {
	for idle := (idle{}); received < want && !idle.over(); {
		for i := range p.ports {
			from, to := p.ports[i], p.ports[1-i]
			n := from.Receive(p.bufs[:batch])
			if n == 0 {
				continue
			}
			got := p.bufs[:n]
			for _, b := range got {
				b.Bytes()[touched]++
			}
			sent := to.Send(got)
			textbook.Free(got[sent:])
			received += n
			dropped += n - sent
			idle.turns = 0
		}
	}
	return received, dropped
}

func (p *textbookPair) close() error {
	return errors.Join(p.ports[0].Stop(), p.ports[1].Stop(), p.ports[0].Close(), p.ports[1].Close())
}

type glassnicPair struct {
	ports [2]nic.Device
	pools [2]*packet.Pool
	rx    [2]nic.RxQueue
	tx    [2]nic.TxQueue
	bufs  [maxBatch]*packet.Buf
}

func openGlassnic(ask nic.Offloads) func(context.Context, bus.Function, bus.Function) (pair, error) {
	return func(ctx context.Context, a, b bus.Function) (pair, error) { return newGlassnic(ctx, a, b, ask) }
}

func newGlassnic(ctx context.Context, a, b bus.Function, ask nic.Offloads) (pair, error) {
	p := &glassnicPair{}
	for i, fn := range []bus.Function{a, b} {
		var err error
		if p.pools[i], err = packet.NewPool(fn.DMA(), packet.PoolConfig{Buffers: buffers}); err == nil {
			p.ports[i], err = nic.OpenFunction(ctx, fn, nic.Config{
				RxRing: ring, TxRing: ring, Pool: p.pools[i], Port: uint8(i), Promiscuous: true, LinkWait: linkWait,
				Offloads: ask,
			})
		}
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.rx[i], p.tx[i] = p.ports[i].RxQueue(0), p.ports[i].TxQueue(0)
	}
	for i, pool := range p.pools {
		c := pool.NewCache()
		p.rx[i].(nic.CacheUser).UseCache(c)
		p.tx[1-i].(nic.CacheUser).UseCache(c)
	}
	if err := awaitLink(func() bool {
		l0, err0 := p.ports[0].Link()
		l1, err1 := p.ports[1].Link()
		return l0.Up && l1.Up && err0 == nil && err1 == nil
	}); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *glassnicPair) run(batch, want int) (received, dropped int) {
	for idle := (idle{}); received < want && !idle.over(); {
		for i := range p.rx {
			n := p.rx[i].Receive(p.bufs[:batch])
			if n == 0 {
				continue
			}
			got := p.bufs[:n]
			for _, b := range got {
				b.Bytes()[touched]++
			}
			sent := p.tx[1-i].Send(got)
			if sent < n {
				packet.Free(got[sent:])
			}
			received += n
			dropped += n - sent
			idle.turns = 0
		}
	}
	return received, dropped
}

func (p *glassnicPair) close() error {
	var errs []error
	for _, d := range p.ports {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	for _, pool := range p.pools {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

type floorPair struct{ *textbook.Floor }

func openFloor(_ context.Context, a, b bus.Function) (pair, error) {
	f, err := textbook.OpenFloor(a, b)
	if err != nil {
		return nil, err
	}
	if err := awaitLink(f.LinkUp); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return floorPair{f}, nil
}

func (p floorPair) run(batch, want int) (received, dropped int) {
	for idle := (idle{}); received < want && !idle.over(); {
		if n := p.Forward(batch); n > 0 {
			received += n
			idle.turns = 0
		}
	}
	return received, 0
}

func (p floorPair) close() error { return p.Close() }
