package ixgbe

import (
	"math/bits"
	"sync"
	"sync/atomic"

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
	rxSet    [queues]uint8
	txSet    [queues]uint8
	perQueue bool // receive queues are mapped to more than one set
	total    Totals
	public   struct {
		sync.Mutex
		Totals
	}
	_ atomic.Bool
}

// place of one counter's register.
type statRegister struct {
	stat uint16 // 1 + place, 0 for a register that is no counter
	high bool
	wide bool // low half of 36 bits
}

// statRegisters finds counters by register word.
var statRegisters = sync.OnceValue(func() *[barWords]statRegister {
	t := new([barWords]statRegister)
	one := func(off uint32, stat int) { t[off/4] = statRegister{stat: uint16(1 + stat)} }
	two := func(low, high uint32, stat int) {
		t[low/4] = statRegister{stat: uint16(1 + stat), wide: true}
		t[high/4] = statRegister{stat: uint16(1 + stat), high: true}
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
	return t
})

// read is a read of a counter that the card sees. Counters stick at their largest value and clear when
// read; the wide ones clear when the high half is read.
func (s *statistics) read(off uint32) (uint32, bool) {
	r := statRegisters()[off/4]
	if r.stat == 0 {
		return 0, false
	}
	i := r.stat - 1
	switch {
	case r.wide:
		s.latch[i] = s.n[i]
		return uint32(min(s.n[i]-s.read0[i], 1<<36-1)), true
	case r.high:
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
	for off, r := range statRegisters() {
		if r.stat == 0 || s.shown[r.stat-1] == s.n[r.stat-1] {
			continue
		}
		_ = off
	}
	s.snapshot()
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
