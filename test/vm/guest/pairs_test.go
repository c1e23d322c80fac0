//go:build guest

package guest

import (
	"net/netip"
	"testing"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
)

// TestPairs sends flows by both queues of a virtio device, and what answers them comes in by the queue of the same
// pair: the device steers by what it saw being sent (5.1.6.5.6).
func TestPairs(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c...)
	const queues, flows = 2, 32
	ends := open(t, nic.Config{RxQueues: queues, TxQueues: queues}, c...)
	there := &receiver{from: ends[0], to: ends[1], batch: make([]*packet.Buf, 32)}
	back := &receiver{from: ends[1], to: ends[0], batch: make([]*packet.Buf, 32)}
	there.first(t)
	back.first(t)
	a, b := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.19.0.1")
	used := [queues]int{}
	for i := range uint16(flows) {
		port := 1024 + 257*i
		there.by = int(i) % queues
		used[there.queue(t, traffic.Spec{Template: traffic.UDP4, Src: a, Dst: b, SrcPort: port, DstPort: 80})]++
		back.by = int(i) / 2 % queues
		if q := back.queue(t, traffic.Spec{Template: traffic.UDP4, Src: b, Dst: a, SrcPort: 80, DstPort: port}); q != there.by {
			t.Errorf("port %d: sent by queue %d, answered in queue %d", port, there.by, q)
		}
	}
	t.Logf("%v flows in the queues", used)
	for q, n := range used {
		if n == 0 {
			t.Errorf("%d flows, none of them in queue %d", flows, q)
		}
	}
	for _, d := range ends {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	giveBack()
}
