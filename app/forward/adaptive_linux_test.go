package forward

import (
	"context"
	"testing"
	"time"

	"glassnic/nic/nictest"
)

// Ports of which only some wake their worker forward all the same, frames come and go while it sleeps, and it
// ends while it sleeps.
func TestAdaptive(t *testing.T) {
	for _, c := range []struct {
		name string
		wake [2]bool
	}{{"both", [2]bool{true, true}}, {"a", [2]bool{true, false}}, {"b", [2]bool{false, true}}, {"none", [2]bool{}}} {
		t.Run(c.name, func(t *testing.T) {
			mem := nictest.NewMemory()
			var ports [2]*nictest.Port
			for i, name := range []string{"a", "b"} {
				ports[i] = port(t, nictest.Config{Name: name, Port: uint8(i), Queues: 2, Memory: mem, Interrupts: c.wake[i]})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			const rounds = 40
			var got Traffic
			var round, quiet uint64
			total, err := Run(ctx, Config{A: ports[0], B: ports[1], Adaptive: true, Interval: time.Millisecond}, func(r Report) {
				got = add(got, r.Traffic)
				if quiet++; ctx.Err() != nil || got.TxPackets < round || quiet < 5 { // in which most workers fall asleep
					return
				}
				if quiet = 0; round == rounds {
					cancel()
					return
				}
				ports[round%2].Arrive(int(round/2%2), make([]byte, 60))
				round++
			})
			if err != nil {
				t.Fatal(err)
			}
			if total.RxPackets != rounds || total.TxPackets != rounds {
				t.Errorf("%+v", total.Traffic)
			}
			s := total.Sleeps
			if all := c.wake[0] && c.wake[1]; s.Sleeps == 0 || s.Asleep == 0 || all != (s.Woken > 0) {
				t.Errorf("%+v", *s)
			}
			for i, p := range ports {
				for q := range 2 {
					if n := p.Sent(q, rounds, nil); n != rounds/4 {
						t.Errorf("%d frames left by queue %d of port %d", n, q, i)
					}
				}
			}
		})
	}
}
