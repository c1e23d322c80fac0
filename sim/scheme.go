package sim

import (
	"context"
	"fmt"
	"sync"

	"glassnic/bus"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func init() { bus.Register("sim", open) }

// own is the world of the cards that this process opened by the address sim:WIRE. It exists while
// one is open.
var own struct {
	sync.Mutex
	world *World
	ports int
	stop  context.CancelFunc
	done  chan struct{}
	n     int // cards so far, for their names
}

// open makes a card that is plugged into the wire that rest describes (wire.Parse), and polls it from
// a goroutine. The function's Close unplugs it.
func open(_ context.Context, rest string, _ bus.Options) (bus.Function, error) {
	end, err := wire.Parse(rest)
	if err != nil {
		return nil, fmt.Errorf("sim:%s: %w", rest, err)
	}
	own.Lock()
	defer own.Unlock()
	if err := enter(); err != nil {
		end.Close()
		return nil, fmt.Errorf("sim:%s: %w", rest, err)
	}
	own.n++
	p, err := own.world.Add(fmt.Sprintf("sim%d:%s", own.n-1, rest), ixgbe.Config{Wire: end})
	if err != nil {
		end.Close()
		leave()
		return nil, fmt.Errorf("sim:%s: %w", rest, err)
	}
	fn, err := p.Function()
	if err != nil {
		_ = own.world.Remove(p)
		leave()
		return nil, fmt.Errorf("sim:%s: %w", rest, err)
	}
	f := fn.(*function)
	f.address = "sim:" + rest
	stop := f.close
	f.close = func() error {
		own.Lock()
		defer own.Unlock()
		if err := stop(); err != nil {
			return err
		}
		err := own.world.Remove(p)
		leave()
		return err
	}
	return f, nil
}

// enter starts the world for its first card.
func enter() error {
	if own.ports == 0 {
		w, err := NewWorld(0)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		own.world, own.stop, own.done = w, cancel, make(chan struct{})
		go func(done chan struct{}) {
			defer close(done)
			w.Run(ctx)
		}(own.done)
	}
	own.ports++
	return nil
}

// leave ends the world after its last card. It is in use while the wires of others hold it.
func leave() {
	if own.ports--; own.ports > 0 {
		return
	}
	own.stop()
	<-own.done
	_ = own.world.Close()
	own.world = nil
}
