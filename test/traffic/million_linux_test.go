package traffic

import (
	"fmt"
	"testing"
	"time"
)

// TestHundredMillion sends 50 million frames each way through fwd, cards and driver in two processes, and
// follows them from counter to counter.
func TestHundredMillion(t *testing.T) {
	each := uint64(50e6)
	if testing.Short() {
		each = 1e6
	}
	ports := newPorts(t)
	server := ports.serve(t, fmt.Sprintf("peer,stream=1,count=%d", each), fmt.Sprintf("peer,stream=2,count=%d", each))
	begin := time.Now()
	fwd := run(t, "fwd", ports.address(0), ports.address(1))

	last, moved := uint64(0), time.Now()
	fwd.wait(t, 5*time.Minute, "receive all frames", func() error {
		got := fwd.received()
		if got != last {
			last, moved = got, time.Now()
		}
		if got == 2*each || time.Since(moved) > patience { // the counters tell where the rest is
			return nil
		}
		return fmt.Errorf("%d of %d", got, 2*each)
	})
	took := time.Since(begin)
	fwd.interrupt(t)
	server.interrupt(t)

	total, cards := fwd.all("total"), server.all("total")
	drivers := fwd.all("port")
	if len(total) != 1 || len(cards) != 2 || len(drivers) != 2 || len(total[0].Directions) != 2 {
		t.Fatalf("totals are missing: %+v\n%+v\n%+v", total, drivers, cards)
	}
	lost := uint64(0)
	for i, d := range total[0].Directions {
		lost += checkWay(t, each, d, drivers[i], drivers[1-i], cards[i], cards[1-i])
	}
	if total[0].RxPackets != total[0].TxPackets+sum(total[0].Drops) {
		t.Errorf("fwd: %+v does not add up", total[0].way)
	}
	t.Logf("%d frames in %v, %.2f Mpps, %d dropped and counted", 2*each, took.Round(time.Millisecond), float64(2*each)/took.Seconds()/1e6, lost)
}

// checkWay checks every link of the chain of one direction: in is where the frames came in, out where
// they went. It returns how many were dropped anywhere.
func checkWay(t *testing.T, sent uint64, fwd way, inDriver, outDriver, in, out line) uint64 {
	t.Helper()
	lost := uint64(0)
	equal := func(what string, before, after, dropped uint64) {
		if before != after+dropped {
			t.Errorf("%s to %s: %s: %d, then %d and %d dropped", fwd.From, fwd.To, what, before, after, dropped)
		}
		lost += dropped
	}
	equal("the source gave, the card received", sent, in.Wire.RxFrames, 0)
	equal("the wire gave, the card took", in.Wire.RxFrames, in.Card["rx_frames"], 0)
	equal("the card took, the card wrote", in.Card["rx_frames"], in.Card["rx_host"], drops(in.Card, "rx_"))
	equal("the card wrote, the driver counted", in.Card["rx_host"], inDriver.RxPackets, 0)
	equal("the driver counted, fwd received", inDriver.RxPackets, fwd.RxPackets, inDriver.RxDropped)
	equal("fwd received, fwd sent", fwd.RxPackets, fwd.TxPackets, sum(fwd.Drops))
	equal("fwd sent, the driver counted", fwd.TxPackets, outDriver.TxPackets, outDriver.TxDropped)
	equal("the driver counted, the card sent", outDriver.TxPackets, out.Card["tx_sent"], drops(out.Card, "tx_"))
	equal("the card sent, the wire took", out.Card["tx_sent"], out.Wire.TxFrames, 0)
	equal("the wire took, the sink found right", out.Wire.TxFrames, out.Check.OK, 0)
	if out.Check.broken() > 0 || out.Check.Lost > lost || out.Check.OK+lost != sent {
		t.Errorf("%s to %s: %d sent, %d dropped on the way, sink: %+v", fwd.From, fwd.To, sent, lost, out.Check)
	}
	return lost
}
