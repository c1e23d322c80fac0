package e1000

import (
	"slices"

	"glassnic/chip"
)

// Registers are the registers of a model's physical function in BAR 0.
//
// Reset is the value after a device reset with an empty EEPROM: fields that the documents call undefined, and
// those that only the EEPROM or firmware fills, are zero.
//
// The table is shared: treat it as read only.
func (m Model) Registers() chip.Table {
	if int(m) < len(tables) {
		return tables[m]
	}
	return nil
}

// Counters are the rows of Registers that count, and clear when read. Where the names of two end in L and H, they
// are the halves of one counter of 64 bits, of which L must be read first.
func (m Model) Counters() chip.Table {
	if int(m) < len(counters) {
		return counters[m]
	}
	return nil
}

var (
	tables   [MI211 + 1]chip.Table
	counters [MI211 + 1]chip.Table
)

func init() {
	for m := range tables {
		f := Model(m).Facts()
		t := slices.Concat(generalTable, interruptTable, receiveTable, transmitTable, queues(f))
		c := statsTable
		switch f.Kind {
		case Legacy:
			t = slices.Concat(t, timersTable)
		case Extended:
			t = slices.Concat(t, timersTable, pcieTable, table82574, rssTable(f))
			c = slices.Concat(c, stats82574)
		case Advanced:
			t = slices.Concat(t, pcieTable, table82576, rssTable(f))
			if f.VectorsBy == NoIVAR {
				t = append(t, msixTable...)
			} else {
				t = append(t, ivars(f)...)
			}
			if f.PHPM {
				t = append(t, phyTable...)
			}
			if f.Pages {
				t = append(t, tableI210...)
			}
			c = slices.Concat(c, stats82576, drops(f.Queues))
		}
		tables[m], counters[m] = slices.Concat(t, c), c
	}
}

func reg(name string, off uint32, a chip.Access, reset uint32, section, doc string, fields ...chip.Field) chip.Register {
	return chip.Register{Name: name, Doc: doc, Section: section, Offset: off, Access: a, Reset: reset, Fields: fields}
}

func array(name string, off uint32, first, count int, stride uint32, a chip.Access, reset uint32, section, doc string, fields ...chip.Field) chip.Register {
	return chip.Register{Name: name, Doc: doc, Section: section, Offset: off, First: first, Count: count,
		Stride: stride, Access: a, Reset: reset, Fields: fields}
}

func f(name string, bit, width uint8, doc string) chip.Field {
	return chip.Field{Name: name, Bit: bit, Width: width, Doc: doc}
}

// each makes a row, or two, of an array with one register for each of n queues: the first four lie 0x100 apart
// from near, the others 0x40 apart from far.
func each(n int, near, far uint32, r chip.Register) chip.Table {
	r.Offset, r.Count, r.Stride = r.Offset+near, min(n, 4), 0x100
	if n <= 4 {
		return chip.Table{r}
	}
	high := r
	high.Offset, high.First, high.Count, high.Stride = r.Offset-near+far+4*0x40, 4, n-4, 0x40
	return chip.Table{r, high}
}

func rxQueues(n int, r chip.Register) chip.Table { return each(n, 0x2800, 0xC000, r) }
func txQueues(n int, r chip.Register) chip.Table { return each(n, 0x3800, 0xE000, r) }
