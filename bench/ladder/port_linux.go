package ladder

import (
	"context"
	"errors"
	"strings"
	"time"

	"glassnic/internal/tsc"
	"glassnic/internal/wake"
	"glassnic/nic"
	"glassnic/packet"
)

// portBatch is how many frames are received at a time at most.
const portBatch = 64

// offers is how often frames are offered to a transmit queue that has no room.
const offers = 64

// ports are two ports of ours, in one thread that sleeps where there is nothing to do.
type ports struct {
	*track
	bed    *bed
	rx, tx nic.Device
	waiter nic.Waiter
	set    wake.Set
	batch  [portBatch]*packet.Buf
}

// openPorts opens ports at the ends of a track, by addresses in which IN and OUT stand for the interfaces.
func openPorts(ctx context.Context, b *bed, in, out string) (_ runner, err error) {
	p := &ports{bed: b}
	if p.track, err = newTrack(b.cpus, trackOf{want: inMAC[touched] + 1, process: true}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	name := strings.NewReplacer("IN", p.in, "OUT", p.out)
	cfg := nic.Config{Interrupts: true, Promiscuous: true, LinkWait: -1}
	err = p.ns.do(func() (err error) {
		if p.rx, err = nic.Open(ctx, name.Replace(in), cfg); err != nil {
			return err
		}
		// Frames of the one go out of the other as they lie, where ports can do that.
		p.tx, err = nic.Open(ctx, name.Replace(out), nic.Config{Pool: p.rx.Info().Pool, LinkWait: -1})
		return err
	})
	if err != nil {
		return nil, err
	}
	w, ok := p.rx.RxQueue(0).(nic.Waiter)
	if !ok || w.WaitFD() < 0 {
		return nil, errors.New("the port cannot wake its worker")
	}
	p.waiter = w
	p.set.Add(w.WaitFD())
	return p, nil
}

func (p *ports) slice(d time.Duration) (sample, error) { return p.track.slice(p.bed, d, p.forward) }

func (p *ports) forward(w *watch, c *counts) {
	rx, tx := p.rx.RxQueue(0), p.tx.TxQueue(0)
	for !w.over(c) {
		frames := p.batch[:rx.Receive(p.batch[:])]
		if len(frames) == 0 {
			tx.Send(nil)
			p.sleep(w, c)
			continue
		}
		p.pass(frames, tx, c)
	}
}

// pass sends frames, each changed.
func (p *ports) pass(frames []*packet.Buf, tx nic.TxQueue, c *counts) {
	c.received += uint64(len(frames))
	for _, f := range frames {
		f.Bytes()[touched]++
	}
	for range offers {
		k := tx.Send(frames)
		c.calls++ // sendmmsg, or what wakes the kernel
		c.sent += uint64(k)
		if frames = frames[k:]; len(frames) == 0 {
			break
		}
	}
	c.dropped += uint64(len(frames))
	packet.Free(frames)
}

// sleep waits for a frame.
func (p *ports) sleep(w *watch, c *counts) {
	defer p.waiter.Disarm()
	if !p.waiter.Arm() {
		return
	}
	c.calls++ // poll
	woken, err := p.set.Sleep(quiet)
	if err != nil {
		w.err = err
	}
	if !woken {
		w.idle()
	}
}

func (p *ports) close() error {
	return errors.Join(nic.CloseAll(p.tx, p.rx), p.track.close()) // the pool is that of rx
}

// openTPacket is our port of packet sockets: frames are received from a ring that the kernel fills.
func openTPacket(ctx context.Context, b *bed) (runner, error) {
	return openPorts(ctx, b, "packet:IN", "packet:OUT")
}

// openXDPCopy is our port of AF_XDP sockets where the interface's driver does not know XDP.
func openXDPCopy(ctx context.Context, b *bed) (runner, error) {
	return openXDP(ctx, b, ",mode=generic,copy")
}

// openXDPNative is the same where it does.
func openXDPNative(ctx context.Context, b *bed) (runner, error) {
	return openXDP(ctx, b, ",mode=native")
}

// xdpPoll is a port of AF_XDP sockets whose thread never sleeps, and counts the ticks of passes that found something, as
// testpmd does.
type xdpPoll struct{ *ports }

const (
	// pollRing and pollBatch are those of dpdk-xdp, too.
	pollRing  = 512
	pollBatch = 32
)

func openXDPPoll(ctx context.Context, b *bed) (_ runner, err error) {
	p := xdpPoll{&ports{bed: b}}
	if p.track, err = newTrack(b.cpus, trackOf{want: inMAC[touched] + 1, softly: true}); err != nil {
		return nil, err
	}
	err = p.ns.do(func() (err error) {
		cfg := nic.Config{Promiscuous: true, LinkWait: -1, RxRing: pollRing, TxRing: pollRing}
		if p.rx, err = nic.Open(ctx, "xdp:"+p.in+",mode=native", cfg); err != nil {
			return err
		}
		cfg.Pool = p.rx.Info().Pool
		p.tx, err = nic.Open(ctx, "xdp:"+p.out+",mode=native", cfg)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p xdpPoll) slice(d time.Duration) (sample, error) { return p.track.slice(p.bed, d, p.poll) }

// poll receives at both ports, as testpmd does.
func (p xdpPoll) poll(w *watch, c *counts) {
	ways := [2]struct {
		rx nic.RxQueue
		tx nic.TxQueue
	}{{p.rx.RxQueue(0), p.tx.TxQueue(0)}, {p.tx.RxQueue(0), p.rx.TxQueue(0)}}
	last := tsc.Read()
	for !w.over(c) {
		for _, way := range ways {
			begin := tsc.Read()
			frames := p.batch[:way.rx.Receive(p.batch[:pollBatch])]
			if len(frames) == 0 {
				way.tx.Send(nil)
				continue
			}
			p.pass(frames, way.tx, c)
			last = tsc.Read()
			w.passes += last - begin
		}
		if float64(tsc.Read()-last) > quiet.Seconds()*tsc.Hz() {
			w.idle()
		}
	}
}

func openXDP(ctx context.Context, b *bed, options string) (runner, error) {
	if !nic.HasScheme("xdp") {
		return nil, leftOut("this program has no driver for xdp: ports")
	}
	return openPorts(ctx, b, "xdp:IN"+options, "xdp:OUT"+options)
}
