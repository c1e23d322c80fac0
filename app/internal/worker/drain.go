package worker

import (
	"time"

	"glassnic/nic"
)

// drainTime is how long Drain waits for one more packet; a ring of 4,096 frames takes 5 ms at 10 Gbit/s.
const drainTime = time.Second

// Drain waits until a port has sent the packets that its queues took, or dropped them as unfit, since
// its statistics were before, or until a second has passed in which it sent none. Closing the port at once would drop
// what is still in the rings.
func Drain(d nic.Device, before nic.Stats, packets uint64) {
	last := uint64(0)
	for end := time.Now().Add(drainTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		now, err := d.Stats()
		gone := now.TxPackets - before.TxPackets + now.TxDropped - before.TxDropped
		if err != nil || gone >= packets {
			return
		}
		if gone > last {
			last, end = gone, time.Now().Add(drainTime)
		}
	}
}
