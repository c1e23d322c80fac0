package afxdp

import (
	"fmt"

	"golang.org/x/sys/unix"

	"glassnic/nic"
)

// Stats implements nic.Device. RxMissed is what the kernel dropped for want of an empty buffer or of room in the receive
// ring, or since a frame was too long for a buffer.
func (d *Device) Stats() (nic.Stats, error) {
	s := d.Port.Stats()
	var sum unix.XDPStatistics
	for i, sock := range d.sockets {
		var v unix.XDPStatistics
		if err := getsockopt(sock.fd, unix.XDP_STATISTICS, &v); err != nil {
			return s, fmt.Errorf("%s: XDP_STATISTICS of queue %d: %w", d.info.Address, i, err)
		}
		sum.Rx_dropped += v.Rx_dropped
		sum.Rx_invalid_descs += v.Rx_invalid_descs
		sum.Tx_invalid_descs += v.Tx_invalid_descs
		sum.Rx_ring_full += v.Rx_ring_full
		sum.Rx_fill_ring_empty_descs += v.Rx_fill_ring_empty_descs
		sum.Tx_ring_empty_descs += v.Tx_ring_empty_descs
	}
	s.RxMissed = sum.Rx_dropped + sum.Rx_ring_full
	// linux/if_xdp.h, struct xdp_statistics
	s.Counters = []nic.Counter{
		{Name: "rx_dropped", Value: sum.Rx_dropped, Doc: "no empty buffer, or the frame does not fit one"},
		{Name: "rx_ring_full", Value: sum.Rx_ring_full, Doc: "no room in the receive ring"},
		{Name: "rx_invalid_descs", Value: sum.Rx_invalid_descs, Doc: "entries of the fill ring that make no sense"},
		{Name: "tx_invalid_descs", Value: sum.Tx_invalid_descs, Doc: "descriptors of the transmit ring that make no sense"},
		{Name: "rx_fill_ring_empty_descs", Value: sum.Rx_fill_ring_empty_descs, Doc: "times that the kernel found the fill ring empty"},
		{Name: "tx_ring_empty_descs", Value: sum.Tx_ring_empty_descs, Doc: "times that the kernel found the transmit ring empty"},
	}
	return s, nil
}
