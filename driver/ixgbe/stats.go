package ixgbe

import (
	"context"
	"strings"

	"glassnic/chip"
	facts "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// counters are the card's statistics registers, which clear when read and have 32 or 36 bits, added
// up in 64 bits (8.2.3.23).
type counters struct {
	all  []counter
	byID map[string]*counter
}

// counter is one of them. A polled model cannot see reads, so there its registers run on, and what
// counts is the difference to the last read.
type counter struct {
	name, doc string
	lo, hi    uint32 // offsets; hi is 0 but for 36-bit counters
	last      uint64
	total     uint64
}

// statistics is the section of the datasheet that describes them.
const statistics = "8.2.3.23."

// queueSets is the number of sets of per-queue counters (8.2.3.23.71).
const queueSets = 16

// initStats gives each queue its own counters as far as there are some, and forgets what was counted
// before (4.6.5).
func (d *Device) initStats(context.Context) error {
	for i := range queueSets {
		var v uint32
		for k := range 4 {
			v |= uint32(min(4*i+k, queueSets-1)) << (8 * k)
		}
		d.regs.Write32(facts.RQSMR(i), v)
		d.regs.Write32(facts.TQSM(i), v)
	}
	d.stats = newCounters()
	if err := d.readStats(); err != nil {
		return err
	}
	for i := range d.stats.all {
		d.stats.all[i].total = 0
	}
	return nil
}

// newCounters finds the statistics in the register table: low and high halves are two rows of which
// the names end in L and H.
func newCounters() counters {
	var c counters
	for r := range facts.Registers {
		row := &facts.Registers[r]
		if row.Access != chip.RC || !strings.HasPrefix(row.Section, statistics) || other(row.Name, "H", "L") != "" {
			continue
		}
		high := other(row.Name, "L", "H")
		for i := range row.Len() {
			n := counter{name: row.Label(i), doc: row.Doc, lo: row.Offset + uint32(i)*row.Stride}
			if high != "" {
				n.hi, _ = facts.Registers.Offset(high, row.First+i)
			}
			c.all = append(c.all, n)
		}
	}
	c.byID = make(map[string]*counter, len(c.all))
	for i := range c.all {
		c.byID[c.all[i].name] = &c.all[i]
	}
	return c
}

// other returns the name of the other half of a counter: name with its last letter, which must be
// from, changed to to; "" where the table has no such counter.
func other(name, from, to string) string {
	if base, ok := strings.CutSuffix(name, from); ok {
		for i := range facts.Registers {
			if facts.Registers[i].Name == base+to {
				return base + to
			}
		}
	}
	return ""
}

// readStats adds what the card has counted since the last call.
func (d *Device) readStats() error {
	clears := d.regs.SeesReads()
	for i := range d.stats.all {
		c := &d.stats.all[i]
		v, bits := uint64(d.regs.Read32(c.lo)), 32
		if c.hi != 0 {
			v |= uint64(d.regs.Read32(c.hi)&0xf) << 32
			bits = 36
		}
		if uint32(v) == ^uint32(0) && d.gone() {
			return d.late(context.Background(), "read statistics", "")
		}
		if clears {
			c.total += v
			continue
		}
		c.total += (v - c.last) & (1<<bits - 1)
		c.last = v
	}
	return nil
}

// sum adds counters up by name, of all sets where they are arrays.
func (c *counters) sum(names ...string) (n uint64) {
	for _, name := range names {
		if k := c.byID[name]; k != nil {
			n += k.total
			continue
		}
		for i := range c.all {
			if base, _, ok := strings.Cut(c.all[i].name, "["); ok && base == name {
				n += c.all[i].total
			}
		}
	}
	return n
}

// Stats implements nic.Device. The card's packet counters hold 32 bits: at full rate call it at
// least every four minutes.
func (d *Device) Stats() (nic.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nic.Stats{}, d.fail("read statistics", "%w", nic.ErrClosed)
	}
	if err := d.readStats(); err != nil {
		return nic.Stats{}, err
	}
	const fcs = 4
	c := &d.stats
	s := nic.Stats{
		// QPRC and QBRC count what went to memory, and QBRC leaves a stripped FCS out; GOTC
		// counts it.
		RxPackets: c.sum("QPRC"),
		RxBytes:   c.sum("QBRC_L"),
		TxPackets: c.sum("GPTC"),
		RxMissed:  c.sum("RXMPC", "QPRDC"),
		RxErrors:  c.sum("CRCERRS", "RLEC", "RUC", "RFC", "ROC", "RJC", "MSPDC"),
	}
	s.TxBytes = c.sum("GOTCL") - fcs*s.TxPackets
	for _, q := range d.rx {
		s.RxDropped += q.dropped.Load()
		s.RxNoBuffer += q.noBuffer.Load()
	}
	for _, q := range d.tx {
		s.TxDropped += q.dropped.Load()
	}
	for _, k := range c.all {
		s.Counters = append(s.Counters, nic.Counter{Name: k.name, Value: k.total, Doc: k.doc})
	}
	return s, nil
}
