package virtio

import (
	"fmt"

	"glassnic/nic"
)

// Stats implements nic.Device. Devices count nothing, but for the kernel's interface: all is the driver's own count.
// What a device dropped for want of buffers nobody tells.
func (d *Device) Stats() (nic.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.health("read statistics"); err != nil {
		return nic.Stats{}, err
	}
	var s nic.Stats
	count := func(queue, name string, n uint64, doc string) uint64 {
		s.Counters = append(s.Counters, nic.Counter{Name: queue + "_" + name, Value: n, Doc: doc})
		return n
	}
	for i, q := range d.rx {
		name := fmt.Sprintf("rx%d", i)
		s.RxPackets += count(name, "packets", q.packets.load(), "frames received")
		s.RxBytes += count(name, "bytes", q.bytes.load(), "their bytes")
		s.RxErrors += count(name, "too_long", q.tooLong.Load(), "frames longer than the MTU allows")
		s.RxDropped += count(name, "nonsense", q.dropped.Load(), "buffers of which the device said what cannot be")
		if d.gatedRx != nil {
			s.RxMissed += count(name, "lost", d.gatedRx[i].lost.Load(), "frames that a back-end which went had left in the ring")
		}
		s.RxNoBuffer += count(name, "no_buffer", q.noBuffer.Load(), "times that the pool was empty")
	}
	for i, q := range d.tx {
		name := fmt.Sprintf("tx%d", i)
		s.TxPackets += count(name, "packets", q.packets.load(), "frames given to the device")
		s.TxBytes += count(name, "bytes", q.bytes.load(), "their bytes")
		if d.gatedTx != nil {
			s.TxDropped += count(name, "lost", d.gatedTx[i].lost.Load(), "frames that a back-end which went had not sent")
		}
		s.TxDropped += count(name, "unfit", q.dropped.Load(), "frames that cannot be sent")
	}
	if k, ok := d.fn.(interface{ dropped() (rx, tx uint64) }); ok {
		rx, tx := k.dropped()
		s.RxMissed += count("interface", "rx_dropped", rx, "frames that the kernel dropped: the ring was full, or the interface down")
		count("interface", "tx_dropped", tx, "frames given to the device that the kernel dropped: nobody there wanted them")
	}
	return s, nil
}
