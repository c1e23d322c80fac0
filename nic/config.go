package nic

import (
	"fmt"
	"log/slog"
	"time"

	"glassnic/packet"
)

// Config are the settings of a port. The zero value opens a port with one queue each way and the
// standard MTU. Each driver checks its own limits and refuses what its card cannot do.
type Config struct {
	RxQueues int // 0: 1
	TxQueues int // 0: 1
	RxRing   int // descriptors; 0: 512
	TxRing   int // descriptors; 0: 512
	MTU      int // bytes, without Ethernet header and FCS; 0: 1500

	// Pool is where received frames are put. Its memory must be in the card's domain. If nil, the
	// port makes its own with Buffers buffers of Room bytes.
	Pool    *packet.Pool
	Buffers int // 0: what the rings need, and 1024 for the application
	Room    int // bytes; 0: packet.DefaultRoom

	// Offloads are those that the application wants, of which the port does what it can: of the receive side
	// RxChecksum, RxPartial, RxHash, RxVLAN, Timestamps, RxSegment, and TxSegment. Info tells which it does, and those of the transmit
	// side that need not be asked for.
	Offloads Offloads
	// VLANs are the VLANs of which the port receives frames, besides those without a tag; nil means all, and no
	// filter. Ports whose card has no such filter are not opened then. Promiscuous ports may receive others, too.
	VLANs []uint16

	// Port is the number that received buffers carry.
	Port uint8
	// Promiscuous switches reception of frames for other addresses on.
	Promiscuous bool
	// LinkWait is how long Open waits for the link: 0 means 10 seconds, negative not at all. No link
	// within that time is not an error of Open; Link tells.
	LinkWait time.Duration
	// HugePageSize is the size in bytes of the pages for DMA memory: 2 MiB (also for 0) or 1 GiB.
	HugePageSize int
	// Interrupts has the card's interrupts ready, one for each receive queue where it can, so that the
	// queues are Waiters. Where there are none it changes nothing.
	Interrupts bool

	// RxThresholds and TxThresholds say when a card fetches and writes back descriptors, in
	// descriptors; nil means the driver's choice.
	RxThresholds *Thresholds
	TxThresholds *Thresholds
	// ReportEvery is how many transmit descriptors share one report of completion, up to 64, and
	// fewer where the card says so; 0 means the driver's choice.
	ReportEvery int

	// Logger gets the steps of opening and closing at level Debug. Nil logs nothing.
	Logger *slog.Logger
}

// Thresholds of a descriptor queue, in descriptors, as cards call them.
type Thresholds struct {
	Prefetch  int // fetch more when fewer than this are left on the card (PTHRESH)
	Host      int // but only if at least this many are waiting in memory (HTHRESH)
	WriteBack int // write back when this many are done (WTHRESH)
}

// defaults fills the zero values in and refuses what no driver can do.
func (c Config) defaults() (Config, error) {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.RxQueues, 1)
	set(&c.TxQueues, 1)
	set(&c.RxRing, 512)
	set(&c.TxRing, 512)
	set(&c.MTU, 1500)
	if c.LinkWait == 0 {
		c.LinkWait = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, v := range []struct {
		name      string
		v         int
		low, high int
	}{
		{"receive queues", c.RxQueues, 1, 1024}, {"transmit queues", c.TxQueues, 1, 1024},
		{"receive ring", c.RxRing, 1, 1 << 16}, {"transmit ring", c.TxRing, 1, 1 << 16},
		{"MTU", c.MTU, 68, 16000}, {"report every", c.ReportEvery, 0, 64}, {"buffers", c.Buffers, 0, 1 << 23},
	} {
		if v.v < v.low || v.v > v.high {
			return c, fmt.Errorf("nic: %s %d: want %d to %d", v.name, v.v, v.low, v.high)
		}
	}
	if err := CheckVLANs(c.VLANs); err != nil {
		return c, fmt.Errorf("nic: %w", err)
	}
	if c.Buffers == 0 {
		// Each queue's cache holds up to 512 free buffers.
		c.Buffers = c.RxQueues*(c.RxRing+512) + c.TxQueues*(c.TxRing+512) + 1024
	}
	return c, nil
}
