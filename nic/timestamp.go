package nic

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Timestamper is implemented by ports whose card has a clock and stamps frames with it (IEEE 1588). It works on those
// opened with Timestamps among Config.Offloads whose Info has it, too; the clock begins with the system's time. Received
// messages of PTP then carry the time of their arrival (packet.Buf.Timestamp).
type Timestamper interface {
	// Clock reads the clock.
	Clock() (time.Time, error)
	// SetClock sets the clock.
	SetClock(time.Time) error
	// AdjustClock has the clock run faster than by itself by so many parts per billion, or slower, up to MaxAdjust.
	AdjustClock(ppb int) error
	// TxTimestamp returns when the frame left that had packet.NeedsTimestamp, once that is known. A card keeps one such
	// time: it stamps no other frame until the time was fetched.
	TxTimestamp() (at time.Time, ok bool, err error)
}

// MaxAdjust is the most parts per billion that AdjustClock takes, up or down.
const MaxAdjust = 249_999_999

// CheckAdjust refuses what no clock is adjusted by.
func CheckAdjust(ppb int) error {
	if ppb < -MaxAdjust || ppb > MaxAdjust {
		return fmt.Errorf("%d parts per billion: want at most %d, up or down", ppb, MaxAdjust)
	}
	return nil
}

// ErrNoTimestamp is what a clock without a card says of times that only a card knows.
var ErrNoTimestamp = errors.New("no card stamps frames here: take the clock's time when Send returns")

// ClockOf returns the clock of a port, and whether it is its card's. Where the card has none it is one of software, which
// begins with the system's time: what arrives gets its time from whoever receives it, and TxTimestamp returns
// ErrNoTimestamp. Each call makes another.
func ClockOf(d Device) (clock Timestamper, card bool) {
	if t, ok := d.(Timestamper); ok && d.Info().Offloads&Timestamps != 0 {
		return t, true
	}
	now := time.Now()
	return &softClock{at: now, value: now}, false
}

// softClock is a clock over the system's monotonic one.
type softClock struct {
	mu    sync.Mutex
	at    time.Time // of the system, when the clock showed
	value time.Time
	ppb   int
}

// read lets the clock go on to now. The caller holds mu.
func (c *softClock) read() time.Time {
	now := time.Now()
	ran := now.Sub(c.at)
	c.value = c.value.Add(ran + time.Duration(math.Round(float64(ran)*float64(c.ppb)/1e9)))
	c.at = now
	return c.value.Round(0) // which takes the monotonic reading off
}

// Clock implements Timestamper.
func (c *softClock) Clock() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(), nil
}

// SetClock implements Timestamper.
func (c *softClock) SetClock(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.value = time.Now(), to
	return nil
}

// AdjustClock implements Timestamper.
func (c *softClock) AdjustClock(ppb int) error {
	if err := CheckAdjust(ppb); err != nil {
		return fmt.Errorf("adjust clock: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	c.ppb = ppb
	return nil
}

// TxTimestamp implements Timestamper.
func (c *softClock) TxTimestamp() (time.Time, bool, error) { return time.Time{}, false, ErrNoTimestamp }
