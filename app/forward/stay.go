package forward

import (
	"time"

	"glassnic/app/internal/worker"
	"glassnic/internal/tsc"
	"glassnic/packet"
)

// stayEvery is the time between two frames of which a worker measures how long they stay.
const stayEvery = time.Millisecond

// stay is how long frames of a direction stay, whichever worker has them.
type stay struct {
	clock worker.Clock // of the port that they come from
	times worker.Latencies
}

// probe measures for one worker, one frame at a time. Taking the time of each would cost more than forwarding it.
type probe struct {
	*stay
	every, next uint64 // TSC
	since       int64  // when the frame under way arrived; 0: there is none
}

// watch has the direction measure how long frames stay; with nil it does not.
func (d *direction) watch(s *stay) {
	if s != nil {
		d.probe = &probe{stay: s, every: uint64(stayEvery.Seconds() * tsc.Hz())}
	}
}

// begin takes the time of a frame of a batch that was just received, where one is due.
func (p *probe) begin(frames []*packet.Buf) {
	now := tsc.Read()
	if now < p.next {
		return
	}
	if p.since = p.arrived(frames); p.since != 0 {
		p.next = now + p.every
	}
}

// arrived returns when the first of frames with a time came, 0 where none has one.
func (p *probe) arrived(frames []*packet.Buf) int64 {
	if !p.clock.Stamps {
		return p.clock.Now()
	}
	for _, b := range frames {
		if at, ok := b.Timestamp(); ok {
			return at
		}
	}
	return 0
}

// end is called when the batch is taken, or what is left of it is lost.
func (p *probe) end(lost bool) {
	if p.since == 0 {
		return
	}
	if at := p.clock.Now(); at != 0 && !lost {
		p.times.Record(at - p.since)
	} else {
		p.times.Lose()
	}
	p.since = 0
}
