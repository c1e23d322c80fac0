//go:build linux

package vhost

import (
	"fmt"

	"glassnic/nic"
)

// Stats implements nic.Device.
func (d *Device) Stats() (nic.Stats, error) {
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
		s.RxErrors += count(name, "short", q.short.Load(), "frames of fewer bytes than an Ethernet header")
		s.RxDropped += count(name, "checksum", q.partial.Load(), "frames whose header asks for a checksum outside, for segments that cannot be cut, or for what nobody offered")
		s.RxMissed += count(name, "disabled", q.muted.Load(), "frames that came while the ring was disabled")
		s.RxNoBuffer += count(name, "no_buffer", q.noBuffer.Load(), "times that the pool was empty")
	}
	for i, q := range d.tx {
		name := fmt.Sprintf("tx%d", i)
		s.TxPackets += count(name, "packets", q.packets.load(), "frames given to the driver")
		s.TxBytes += count(name, "bytes", q.bytes.load(), "their bytes")
		s.TxDropped += count(name, "unfit", q.unfit.Load(), "frames that cannot be sent")
		s.TxDropped += count(name, "too_long", q.tooLong.Load(), "frames longer than a buffer of the driver's")
	}
	live := uint64(0)
	for _, r := range d.rings {
		if r.live.Load() && !r.mute.Load() {
			live++
		}
	}
	count("session", "rings", live, "rings that the driver uses at present")
	count("session", "connects", d.connects.Load(), "connections of front-ends")
	count("session", "disconnects", d.disconnect.Load(), "of which ended")
	return s, nil
}
