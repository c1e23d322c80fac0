package ladder

import (
	"context"
	"errors"
	"time"

	"glassnic/bench"
)

// ixgbe is our driver of the 82599 between two modelled cards, as `glassnic bench driver` measures it in mode cross: the
// cards' data path polls on the other core.
type ixgbe struct{ cpus [2]int }

func openIxgbe(_ context.Context, b *bed) (runner, error) { return ixgbe{b.cpus}, nil }

func (x ixgbe) slice(d time.Duration) (s sample, err error) {
	opt := bench.Options{Modes: []string{bench.Cross}, Batches: []int{ixgbeBatch}, Drivers: []string{"glassnic"}, Slice: d, Rounds: 1, CPUs: x.cpus[:]}
	err = bench.Driver(context.Background(), opt, func(r bench.Result) {
		s.packets, s.ticks = r.Packets, r.TicksP50*float64(r.Packets)
		s.wall = s.ticks // the driver polls from the first frame to the last, and all of that is counted
		s.sent, s.dropped, s.missed = r.Packets, r.Drops, r.Refused
		s.received, s.arrived = s.sent+s.dropped, s.sent // which bench has checked, and that they were touched
		s.offered = s.received + s.missed
	})
	if err == nil && s.packets == 0 {
		err = errors.New("no frame came through")
	}
	return s, err
}

func (ixgbe) close() error { return nil }

// ixgbeBatch is how many frames it receives at a time at most.
const ixgbeBatch = 32
