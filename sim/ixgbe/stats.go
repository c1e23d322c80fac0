package ixgbe

import (
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

// load reads the maps of queues to counter sets (8.2.3.23.71, 8.2.3.23.73): four queues a register.
func (s *statistics) load(c *Card) {
	s.perQueue = false
	for i := range queues / 4 {
		rx, tx := c.get(chip.RQSMR(i)), c.get(chip.TQSM(i))
		for j := range 4 {
			c.rxq[4*i+j].set = int(rx>>(8*j)) & (counterSets - 1)
			c.txq[4*i+j].set = int(tx>>(8*j)) & (counterSets - 1)
			s.perQueue = s.perQueue || c.rxq[4*i+j].set != c.rxq[0].set
		}
	}
}
