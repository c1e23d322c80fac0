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
	return d.readStats(true)
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

// readStats adds what the card has counted since the last call; fresh only notes where counting starts.
func (d *Device) readStats(fresh bool) error {
	clears := d.regs.SeesReads()
	for i := range d.stats.all {
		c := &d.stats.all[i]
		v, whole := d.look(c, clears)
		if uint32(v) == ^uint32(0) && d.gone() {
			return d.late(context.Background(), "read statistics", "")
		}
		switch grown := (v - c.last) & c.mask(); {
		case fresh:
			c.total, c.last = 0, v
		case clears:
			c.total += v
		case whole && grown>>32 != 0xf:
			c.total += grown
			c.last = v
		}
	}
	return nil
}

// mask covers the bits that a counter has.
func (c *counter) mask() uint64 {
	if c.hi == 0 {
		return 1<<32 - 1
	}
	return 1<<36 - 1
}

// look reads a counter. A polled model stores the halves one after the other: where the upper half
// changes meanwhile, the value is not whole. Where the lower half alone is new, the counter seems to go
// back by up to 4 GiB, which readStats notices. The next call finds both.
func (d *Device) look(c *counter, clears bool) (v uint64, whole bool) {
	if c.hi == 0 {
		return uint64(d.regs.Read32(c.lo)), true
	}
	high := func() uint64 { return uint64(d.regs.Read32(c.hi)&0xf) << 32 }
	if clears { // with the upper half (8.2.3.23)
		v = uint64(d.regs.Read32(c.lo))
		return v | high(), true
	}
	before := high()
	v = uint64(d.regs.Read32(c.lo)) | before
	return v, high() == before
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

// missed is how many frames the card had no room or no descriptor for.
func (d *Device) missed() uint64 { return d.stats.sum("RXMPC", "QPRDC") }

// Stats implements nic.Device. The card's byte counters hold 36 bits: at full rate call it at least
// every 50 seconds.
func (d *Device) Stats() (nic.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nic.Stats{}, d.fail("read statistics", "%w", nic.ErrClosed)
	}
	if err := d.readStats(false); err != nil {
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
		RxMissed:  d.missed(),
		RxErrors:  c.sum("CRCERRS", "RLEC", "RUC", "RFC", "ROC", "RJC", "MSPDC"),
	}
	// A frame that went out between two reads is in one of the two only.
	octets := c.sum("GOTCL")
	s.TxBytes = octets - min(octets, fcs*s.TxPackets)
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
