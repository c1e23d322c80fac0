package worker

import (
	"time"

	"glassnic/nic"
)

// Clock is whose times the frames that arrive at a port have. Its methods may be called concurrently, as far as Card may.
type Clock struct {
	Card   nic.Timestamper // nil: not the card's
	Stamps bool            // frames that arrive are stamped (packet.Buf.Timestamp), by a card not all
	start  time.Time
}

// ClockOf returns the clock of a port.
func ClockOf(d nic.Device) Clock {
	c := Clock{Stamps: d.Info().Offloads&nic.Timestamps != 0, start: time.Now()}
	if card, own := nic.ClockOf(d); own {
		c.Card = card
	}
	return c
}

// Name is that of Latency.Clock.
func (c *Clock) Name() string {
	switch {
	case c.Card != nil:
		return "card"
	case c.Stamps:
		return "kernel"
	}
	return "host"
}

// Now reads the clock, in nanoseconds; 0: the card does not say.
func (c *Clock) Now() int64 {
	switch {
	case c.Card != nil:
		at, err := c.Card.Clock()
		if err != nil {
			return 0
		}
		return at.UnixNano()
	case c.Stamps:
		return time.Now().UnixNano()
	}
	return int64(time.Since(c.start)) + 1 // of one that is not set
}
