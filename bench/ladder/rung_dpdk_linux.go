package ladder

import (
	"context"
	"errors"
	"time"

	"glassnic/internal/testpmd"
	"glassnic/internal/tsc"
)

// dpdk is the device end of dpdk-testpmd, in the place of vhost's.
type dpdk struct {
	*peer
	forwarder *testpmd.Forwarder
}

func openDPDK(ctx context.Context, b *bed) (_ runner, err error) {
	d := &dpdk{}
	if d.peer, err = newPeer(b); err != nil {
		return nil, err
	}
	d.want = d.frame[6+touched] // addresses are swapped
	d.forwarder, err = testpmd.Forward(testpmd.Setup{
		Vdevs: []string{"net_vhost0,iface=" + d.socket()}, Huge: testpmd.Huge(1), Work: b.cpus[0], Wait: b.cpus[1],
	})
	if errors.Is(err, testpmd.ErrMissing) {
		err = leftOut("%w", err)
	}
	if err == nil {
		err = d.forwarder.SwapAddresses()
	}
	if err == nil {
		err = d.connect(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *dpdk) close() error {
	err := d.peer.close()
	if d.forwarder != nil {
		d.forwarder.Kill()
	}
	return err
}

func (d *dpdk) slice(length time.Duration) (s sample, err error) {
	if err := d.forwarder.Go(0); err != nil {
		return s, err
	}
	var x exchange
	done := make(chan error, 1)
	begin := tsc.Read()
	go func() { done <- d.thread.do(func() error { return d.run(&x, &s) }) }()
	time.Sleep(length)
	x.stop.Store(true)
	s.wall = float64(tsc.Read() - begin)
	// What still waits in the ring is received in the next slice.
	f, err := d.forwarder.Pause()
	x.sent = f.Sent
	x.ended.Store(true)
	if err = errors.Join(err, <-done); err != nil {
		return s, err
	}
	s.packets, s.ticks = f.Sent, float64(f.Ticks)
	s.received, s.sent, s.dropped = f.Packets, f.Sent, f.Packets-f.Sent
	s.missed = s.offered - min(s.received, s.offered)
	s.offered = s.received + s.missed
	return s, nil
}
