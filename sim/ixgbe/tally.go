package ixgbe

import "math/bits"

// Totals are the model's own counts, for the account of a run: RxFrames equals RxHost and all RxXxx
// drops together; every frame that the driver handed over is in TxSent or a TxXxx drop. They count on
// through resets of the card.
type Totals struct {
	RxFrames       uint64 // left the wire and were settled
	RxHost         uint64 // written to host memory
	RxFiltered     uint64 // no L2 filter let them in
	RxBadCRC       uint64
	RxShort        uint64
	RxLong         uint64
	RxMissed       uint64 // packet buffer full (MPC)
	RxNoDescriptor uint64 // dropped by DROP_EN (QPRDC)
	RxDisabled     uint64 // receiver or queue off
	RxFault        uint64 // the IOMMU refused the buffer
	TxSent         uint64
	TxMalformed    uint64 // descriptors that make no frame
	TxUnsupported  uint64 // legacy descriptors
	TxFault        uint64
	RxBytes        uint64 // without CRC
	TxBytes        uint64 // without CRC
}

func (s *statistics) snapshot() {
	s.public.Lock()
	s.public.Totals = s.total
	s.public.Unlock()
}

// Totals returns the counts as of the last Step, or of a recent Poll.
func (c *Card) Totals() Totals {
	c.stats.public.Lock()
	defer c.stats.public.Unlock()
	return c.stats.public.Totals
}

// bucket is the counter of PRC64 to PRC1522 for a length without CRC.
func bucket(size int) int {
	if size+fcs <= 64 {
		return 0
	}
	return min(bits.Len(uint(size+fcs)>>6), 5)
}

// rxTally is what one batch of received frames adds.
type rxTally struct {
	frames, bytes  uint64
	queued, octets uint64 // of the only counter set
	kept           uint64 // bytes of CRC that reach host memory, per frame
	sizes          [8]uint64
}

func (t *rxTally) count(size int) {
	t.frames++
	t.bytes += uint64(size)
	t.sizes[bucket(size)&7]++
}

func (s *statistics) received(t *rxTally, set int) {
	if t.frames|t.queued == 0 {
		return
	}
	octets := t.bytes + fcs*t.frames
	s.total.RxFrames += t.frames
	s.total.RxHost += t.frames
	s.total.RxBytes += t.bytes
	s.n[statGPRC] += t.frames
	s.n[statGORC] += octets
	s.n[statTPR] += t.frames
	s.n[statTOR] += octets
	s.n[statRXNFGPC] += t.frames
	s.n[statRXNFGBC] += octets
	s.n[statRXDGPC] += t.frames
	// The counters of the DMA leave out a CRC that was stripped, those of the MAC do not.
	s.n[statRXDGBC] += t.bytes + t.kept*t.frames
	for i := range 6 {
		s.n[statPRC+i] += t.sizes[i]
	}
	s.rxQueue(set, t.queued, t.octets)
}

// erred counts a frame that FCTRL.SBP stored in spite of its error.
func (s *statistics) erred(size int) {
	s.total.RxFrames++
	s.total.RxHost++
	s.total.RxBytes += uint64(size)
	s.n[statCRCERRS]++
	s.n[statTPR]++
	s.n[statTOR] += uint64(size) + fcs
}

// groupReceived counts a frame to a group address.
func (s *statistics) groupReceived(dst uint64) {
	if dst == broadcast {
		s.n[statBPRC]++
	} else {
		s.n[statMPRC]++
	}
}

func (s *statistics) rxQueue(set int, frames, octets uint64) {
	s.n[statQPRC+set] += frames
	s.n[statQBRC+set] += octets
}

// txTally is what one batch of sent frames adds.
type txTally struct {
	frames, bytes uint64
	sizes         [8]uint64
}

func (t *txTally) count(size int) {
	t.frames++
	t.bytes += uint64(size)
	t.sizes[bucket(size)&7]++
}

func (s *statistics) sent(t *txTally, set int) {
	if t.frames == 0 {
		return
	}
	octets := t.bytes + fcs*t.frames
	s.total.TxSent += t.frames
	s.total.TxBytes += t.bytes
	s.n[statGPTC] += t.frames
	s.n[statGOTC] += octets
	s.n[statTPT] += t.frames
	s.n[statTXDGPC] += t.frames
	s.n[statTXDGBC] += t.bytes
	for i := range 6 {
		s.n[statPTC+i] += t.sizes[i]
	}
	s.n[statQPTC+set] += t.frames
	s.n[statQBTC+set] += t.bytes
}

// groupSent counts a frame to a group address.
func (s *statistics) groupSent(b []byte) {
	if len(b) >= 6 && address(b) == broadcast {
		s.n[statBPTC]++
	} else {
		s.n[statMPTC]++
	}
}
