package traffic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"glassnic/app/forward"
	"glassnic/nic"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// TestAdaptiveServed forwards between two processes, with pauses in which the driver sleeps until the card, whose
// process is killed and started again meanwhile, wakes it. Nothing is lost.
func TestAdaptiveServed(t *testing.T) {
	const count, kills = 300, 2
	ports := newPorts(t)
	fwd := (*process)(nil)
	for round := range kills + 1 {
		wire := fmt.Sprintf("peer,rate=1000,count=%d,wait,stream=", count)
		server := ports.serve(t, wire+fmt.Sprint(2*round+1), wire+fmt.Sprint(2*round+2))
		if fwd == nil {
			fwd = run(t, "fwd", ports.address(0), ports.address(1), "--adaptive")
		}
		want := uint64(2 * count * (round + 1))
		fwd.wait(t, patience, "forward and fall asleep", func() error {
			server.running(t)
			all := fwd.all("interval")
			if n := fwd.received(); n < want || all[len(all)-1].Sleeps.Asleep < 900_000_000 {
				return fmt.Errorf("%d frames of %d", n, want)
			}
			return nil
		})
		if round < kills {
			server.kill(t)
			continue
		}
		fwd.interrupt(t)
		server.interrupt(t)
		for _, port := range server.all("total") {
			if port.Check.OK != count || port.Check.broken() > 0 {
				t.Errorf("%s: %+v", port.Port, port.Check)
			}
		}
	}
	total := fwd.all("total")[0]
	if want := uint64(2 * count * (kills + 1)); total.RxPackets != want || total.TxPackets != want || sum(total.Drops) > 0 {
		t.Errorf("fwd: %+v, want %d frames", total.way, want)
	}
	t.Logf("%+v", *total.Sleeps)
	if total.Sleeps.Woken < kills {
		t.Errorf("cards woke it %d times", total.Sleeps.Woken)
	}
}

// TestAdaptivePulled pulls a card while the worker sleeps: forwarding ends with an error.
func TestAdaptivePulled(t *testing.T) {
	world, err := sim.NewWorld(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ports [2]nic.Device
	var cards [2]*sim.Port
	for i := range ports {
		if cards[i], err = world.Add(fmt.Sprintf("sim:pulled%d", i), model.Config{Wire: wire.NewLoop()}); err != nil {
			t.Fatal(err)
		}
	}
	var polls sync.WaitGroup
	polls.Go(func() { world.Run(ctx) })
	defer func() {
		cancel()
		polls.Wait()
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i, c := range cards {
		fn, err := c.Function()
		if err != nil {
			t.Fatal(err)
		}
		if ports[i], err = nic.OpenFunction(t.Context(), fn, nic.Config{Port: uint8(i), Interrupts: true, RxRing: 64, TxRing: 64}); err != nil {
			t.Fatal(err)
		}
	}
	pulled := false
	total, err := forward.Run(t.Context(), forward.Config{A: ports[0], B: ports[1], Adaptive: true, Interval: time.Millisecond}, func(r forward.Report) {
		if r.Sleeps.Sleeps > 0 && !pulled { // it sleeps as long as it may, or again
			pulled = true
			cards[1].Card.Inject(model.Pulled)
		}
	})
	if !errors.Is(err, nic.ErrGone) || total.Sleeps.Sleeps == 0 {
		t.Errorf("%v, %+v", err, *total.Sleeps)
	}
	if err := nic.CloseAll(ports[:]...); err != nil && !errors.Is(err, nic.ErrGone) {
		t.Error(err)
	}
}
