package e1000

import (
	"context"
	"strings"

	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// counters are the card's statistics registers, which clear when read and have 32 or 64 bits, added up in 64
// bits (8254x 13.7).
type counters struct {
	all  []counter
	byID map[string]*counter
}

type counter struct {
	name, doc string
	lo, hi    uint32 // offsets; hi is 0 but for those of 64 bits
	total     uint64
}

// initStats forgets what was counted before (I210 4.5.8).
func (d *Device) initStats(context.Context) error {
	d.stats = newCounters(d.model)
	if err := d.readStats(); err != nil {
		return err
	}
	for i := range d.stats.all {
		d.stats.all[i].total = 0
	}
	return nil
}

// newCounters finds the statistics in the register table: low and high halves are two rows of which the names
// end in L and H.
func newCounters(m chip.Model) counters {
	var c counters
	table := m.Counters()
	for r := range table {
		row := &table[r]
		if base, ok := strings.CutSuffix(row.Name, "H"); ok {
			if _, half := table.Offset(base+"L", 0); half {
				continue
			}
		}
		for i := range row.Len() {
			n := counter{name: row.Label(i), doc: row.Doc, lo: row.Offset + uint32(i)*row.Stride}
			if base, ok := strings.CutSuffix(row.Name, "L"); ok {
				n.hi, _ = table.Offset(base+"H", 0)
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

// readStats adds what the card has counted since the last call.
func (d *Device) readStats() error {
	for i := range d.stats.all {
		c := &d.stats.all[i]
		v := uint64(d.regs.Read32(c.lo))
		if c.hi != 0 { // clears both, so it comes second (I210 8.18.30)
			v |= uint64(d.regs.Read32(c.hi)) << 32
		}
		if uint32(v) == ^uint32(0) && d.gone() {
			return d.late(context.Background(), "read statistics", "")
		}
		c.total += v
	}
	return nil
}

// sum adds counters up by name, of all queues where they are arrays.
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
func (d *Device) missed() uint64 { return d.stats.sum("MPC", "RQDPC") }

// Stats implements nic.Device. The card's packet counters hold 32 bits: at full rate call it at least every 48
// minutes.
func (d *Device) Stats() (nic.Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nic.Stats{}, d.fail("read statistics", "%w", nic.ErrClosed)
	}
	if err := d.readStats(); err != nil {
		return nic.Stats{}, err
	}
	c := &d.stats
	// Good packets and octets are counted before a full ring drops packets (I210 7.9.5), and octets with FCS. A
	// frame that comes or goes between two reads is in one of the two only.
	drops := c.sum("RQDPC")
	good, sent := c.sum("GPRC"), c.sum("GPTC")
	in, out := c.sum("GORCL"), c.sum("GOTCL")
	s := nic.Stats{
		RxPackets: good - min(good, drops),
		RxBytes:   in - min(in, fcs*good),
		TxPackets: sent,
		TxBytes:   out - min(out, fcs*sent),
		RxMissed:  d.missed(),
		// Each bad frame is in one of these; RXERRC and RLEC count some of them a second time.
		RxErrors: c.sum("CRCERRS", "ALGNERRC", "RUC", "RFC", "ROC", "RJC"),
	}
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
