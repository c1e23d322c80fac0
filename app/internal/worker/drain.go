package worker

import (
	"time"

	"glassnic/nic"
)

// drainTime bounds how long Drain waits; a ring of 4,096 frames takes 5 ms at 10 Gbit/s.
const drainTime = time.Second

// Drain waits until a port has sent the packets that its queues took, or dropped them as unfit, since
// its statistics were before; at most for a second. Closing the port at once would drop what is still in
// the rings.
func Drain(d nic.Device, before nic.Stats, packets uint64) {
	for end := time.Now().Add(drainTime); time.Now().Before(end); time.Sleep(time.Millisecond) {
		now, err := d.Stats()
		if err != nil || now.TxPackets-before.TxPackets+now.TxDropped-before.TxDropped >= packets {
			return
		}
	}
}
