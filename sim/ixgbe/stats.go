package ixgbe

import (
	"math/bits"
	"sync"

	chip "glassnic/chip/ixgbe"
)

// Places of the counters in statistics.n (8.2.3.23).
const (
	statCRCERRS = iota
	statRLEC
	statRUC
	statRFC
	statROC
	statRJC
	statMPC
	statGPRC
	statBPRC
	statMPRC
	statGORC
	statTPR
	statTOR
	statRXNFGPC
	statRXNFGBC
	statRXDGPC
	statRXDGBC
	statGPTC
	statGOTC
	statTPT
	statBPTC
	statMPTC
	statTXDGPC
	statTXDGBC
	statPRC
	statPTC   = statPRC + 6
	statQPRC  = statPTC + 6
	statQBRC  = statQPRC + counterSets
	statQPRDC = statQBRC + counterSets
	statQPTC  = statQPRDC + counterSets
	statQBTC  = statQPTC + counterSets
	statCount = statQBTC + counterSets
)

// counterSets is how many sets of queue counters there are; RQSMR and TQSM map queues to them.
const counterSets = 16

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
	TxUnsupported  uint64 // segmentation, legacy descriptors
	TxFault        uint64
	RxBytes        uint64 // without CRC
	TxBytes        uint64 // without CRC
}

type statistics struct {
	n        [statCount]uint64
	read0    [statCount]uint64 // n at the last read that cleared
	latch    [statCount]uint64 // n when the low half was read
	shown    [statCount]uint64 // n as the register file has it
	perQueue bool              // receive queues are mapped to more than one set
	total    Totals
	public   struct {
		sync.Mutex
		Totals
	}
}

// statRegister is one counter's register, or one half of it.
type statRegister struct {
	off  uint32
	stat int
	half half
}

type half uint8

const (
	whole half = iota
	low        // of 36 bits
	high
)

// statRegisters is every counter that the model keeps; statAt finds them by register word.
var (
	statRegisters = sync.OnceValue(listStats)
	statAt        = sync.OnceValue(func() *[barWords]*statRegister {
		t := new([barWords]*statRegister)
		list := statRegisters()
		for i := range list {
			t[list[i].off/4] = &list[i]
		}
		return t
	})
)

func listStats() (list []statRegister) {
	one := func(off uint32, stat int) { list = append(list, statRegister{off, stat, whole}) }
	two := func(offLow, offHigh uint32, stat int) {
		list = append(list, statRegister{offLow, stat, low}, statRegister{offHigh, stat, high})
	}
	one(chip.CRCERRS, statCRCERRS)
	one(chip.RLEC, statRLEC)
	one(chip.RUC, statRUC)
	one(chip.RFC, statRFC)
	one(chip.ROC, statROC)
	one(chip.RJC, statRJC)
	one(chip.MPC(0), statMPC)
	one(chip.GPRC, statGPRC)
	one(chip.BPRC, statBPRC)
	one(chip.MPRC, statMPRC)
	two(chip.GORCL, chip.GORCH, statGORC)
	one(chip.TPR, statTPR)
	two(chip.TORL, chip.TORH, statTOR)
	one(chip.RXNFGPC, statRXNFGPC)
	two(chip.RXNFGBCL, chip.RXNFGBCH, statRXNFGBC)
	one(chip.RXDGPC, statRXDGPC)
	two(chip.RXDGBCL, chip.RXDGBCH, statRXDGBC)
	one(chip.GPTC, statGPTC)
	two(chip.GOTCL, chip.GOTCH, statGOTC)
	one(chip.TPT, statTPT)
	one(chip.BPTC, statBPTC)
	one(chip.MPTC, statMPTC)
	one(chip.TXDGPC, statTXDGPC)
	two(chip.TXDGBCL, chip.TXDGBCH, statTXDGBC)
	for i, off := range []uint32{chip.PRC64, chip.PRC127, chip.PRC255, chip.PRC511, chip.PRC1023, chip.PRC1522} {
		one(off, statPRC+i)
	}
	for i, off := range []uint32{chip.PTC64, chip.PTC127, chip.PTC255, chip.PTC511, chip.PTC1023, chip.PTC1522} {
		one(off, statPTC+i)
	}
	for i := range counterSets {
		one(chip.QPRC(i), statQPRC+i)
		two(chip.QBRC_L(i), chip.QBRC_H(i), statQBRC+i)
		one(chip.QPRDC(i), statQPRDC+i)
		one(chip.QPTC(i), statQPTC+i)
		two(chip.QBTC_L(i), chip.QBTC_H(i), statQBTC+i)
	}
	return list
}

// read is a read of a counter that the card sees. Counters stick at their largest value and clear when
// read; those of 36 bits clear when the high half is read.
func (s *statistics) read(off uint32) (uint32, bool) {
	r := statAt()[off/4]
	if r == nil {
		return 0, false
	}
	i := r.stat
	switch r.half {
	case low:
		s.latch[i] = s.n[i]
		return uint32(min(s.n[i]-s.read0[i], 1<<36-1)), true
	case high:
		v := min(s.latch[i]-s.read0[i], 1<<36-1)
		s.read0[i] = s.latch[i]
		return uint32(v >> 32), true
	}
	v := min(s.n[i]-s.read0[i], 1<<32-1)
	s.read0[i] = s.n[i]
	return uint32(v), true
}

// publish writes the running totals to the register file, for a driver whose reads nobody sees.
func (s *statistics) publish(c *Card) {
	for _, r := range statRegisters() {
		v := s.n[r.stat]
		if v == s.shown[r.stat] {
			continue
		}
		if r.half == high {
			v = v >> 32 & 0xF
		}
		c.put(r.off, uint32(v))
	}
	s.shown = s.n
	s.snapshot()
}

// resume takes the running totals that another process published.
func (s *statistics) resume(c *Card) {
	for _, r := range statRegisters() {
		v := uint64(c.get(r.off))
		if r.half == high {
			v = v << 32
		}
		s.n[r.stat] |= v
	}
	s.shown = s.n
}

// clear is a reset of the card. The model's own totals stay.
func (s *statistics) clear() {
	s.n, s.read0, s.latch, s.shown = [statCount]uint64{}, [statCount]uint64{}, [statCount]uint64{}, [statCount]uint64{}
}

// load reads the maps of queues to counter sets (8.2.3.23.66, 8.2.3.23.68): four queues a register.
func (s *statistics) load(c *Card) {
	s.perQueue = false
	for i := range queues {
		shift := 8 * (i % 4)
		c.rxq[i].set = int(c.get(chip.RQSMR(i/4))>>shift) & (counterSets - 1)
		c.txq[i].set = int(c.get(chip.TQSM(i/4))>>shift) & (counterSets - 1)
		s.perQueue = s.perQueue || c.rxq[i].set != c.rxq[0].set
	}
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
	s.n[statRXDGBC] += octets
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
	s.n[statTPR]++
	s.n[statTOR] += uint64(size) + fcs
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
	s.n[statTXDGBC] += octets
	for i := range 6 {
		s.n[statPTC+i] += t.sizes[i]
	}
	s.n[statQPTC+set] += t.frames
	s.n[statQBTC+set] += octets
}

// groupSent counts a frame to a group address.
func (s *statistics) groupSent(b []byte) {
	if len(b) >= 6 && address(b) == broadcast {
		s.n[statBPTC]++
	} else {
		s.n[statMPTC]++
	}
}
