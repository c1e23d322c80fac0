package ladder

import (
	"context"
	"errors"
	"time"

	"glassnic/internal/testpmd"
)

// dpdkXDP is dpdk-testpmd with two of its AF_XDP ports, in the place of xdp-poll.
type dpdkXDP struct {
	*track
	bed       *bed
	forwarder *testpmd.Forwarder
}

// openDPDKXDP has testpmd do what xdp-poll does: native mode, the same rings and batches, and no busy polling, which is on
// by itself (DPDK, AF_XDP Poll Mode Driver, busy_budget).
func openDPDKXDP(_ context.Context, b *bed) (_ runner, err error) {
	d := &dpdkXDP{bed: b}
	want := frame(false)[6+touched] // addresses are swapped
	if d.track, err = newTrack(b.cpus, trackOf{want: want, softly: true}); err != nil {
		return nil, err
	}
	err = d.ns.do(func() (err error) {
		d.forwarder, err = testpmd.Forward(testpmd.Setup{
			Vdevs: []string{"net_af_xdp0,busy_budget=0,iface=" + d.in, "net_af_xdp1,busy_budget=0,iface=" + d.out},
			Huge:  testpmd.Huge(1), Work: b.cpus[0], Wait: b.cpus[1], Ring: pollRing, Burst: pollBatch,
		})
		return err
	})
	if errors.Is(err, testpmd.ErrMissing) {
		err = leftOut("%w", err)
	}
	if err == nil {
		err = d.forwarder.SwapAddresses()
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *dpdkXDP) close() error {
	if d.forwarder != nil {
		d.forwarder.Kill()
	}
	return d.track.close()
}

func (d *dpdkXDP) slice(length time.Duration) (sample, error) {
	var f testpmd.Figures
	s, err := d.track.slice(d.bed, length, func(w *watch, c *counts) {
		if w.err = d.forwarder.Go(0); w.err != nil {
			return
		}
		d.await(length, w, c)
		var err error
		if f, err = d.forwarder.Pause(); w.err == nil {
			w.err = err
		}
		// What still waits in its transmit ring counts in the slice in which the kernel sends it.
		c.dropped = f.Packets - min(f.Sent, f.Packets)
		c.received = c.sent + c.dropped
	})
	s.packets, s.ticks = f.Sent, float64(f.Ticks)
	return s, err
}
