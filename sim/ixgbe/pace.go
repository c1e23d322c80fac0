package ixgbe

import (
	"time"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// pace is the transmit rate scheduler of a queue (7.7.2.2): behind each frame comes a pause in proportion to its length.
type pace struct {
	on     bool
	factor int64                // rate factor, with 14 bits of fraction
	unit   int64                // picoseconds that the link takes for a byte
	window int64                // picoseconds that the queue may catch up with (MMW)
	next   int64                // when the next frame may go, in picoseconds of model time
	clock  func() time.Duration // model time
}

// selected is the queue that RTTBCNRC is about. A polled card sees only what stands there when it looks: of drivers that
// set several queues in a row it misses all but the last.
func (c *Card) selected() *txQueue { return &c.txq[c.get(chip.RTTDQSEL)&chip.RttdqselTXDQ] }

// load takes over RTTBCNRC of the queue. A limit begins without a pause.
func (p *pace) load(c *Card, rate uint32) {
	on := rate&chip.RttbcnrcRSENA != 0
	if !on && !p.on {
		return
	}
	if p.clock = c.now; on && !p.on {
		p.next = p.now()
	}
	p.on = on
	p.factor = max(int64(rate&chip.RttbcnrcRF), 1<<chip.RttbcnrcRFFraction)
	p.unit = 800
	if c.get(chip.LINKS)&chip.LinksSPEED == chip.LinksSPEED1G {
		p.unit = 8000
	}
	p.window = p.pause(int(c.get(chip.RTTBCNRM)&chip.RttbcnrmMMWSIZE) << 10)
}

func (p *pace) now() int64 { return int64(p.clock()) * 1000 }

// pause is how long a queue may send nothing after so many bytes.
func (p *pace) pause(bytes int) int64 {
	return int64(bytes) * p.factor >> chip.RttbcnrcRFFraction * p.unit
}

// after returns when the next frame may go after one that goes now.
func (p *pace) after(f *wire.Frame, next, now int64) int64 {
	pause := p.pause(len(f.Data) + fcs)
	if next+pause < now-p.window {
		next = now - p.window
	}
	return next + pause
}

// due returns how many of the frames may go now.
func (p *pace) due(frames []wire.Frame) int {
	next, now := p.next, p.now()
	for i := range frames {
		if next > now {
			return i
		}
		next = p.after(&frames[i], next, now)
	}
	return len(frames)
}

// sent counts frames that went.
func (p *pace) sent(frames []wire.Frame) {
	now := p.now()
	for i := range frames {
		p.next = p.after(&frames[i], p.next, now)
	}
}
