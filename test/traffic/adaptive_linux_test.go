package traffic

import (
	"fmt"
	"testing"
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
