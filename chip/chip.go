// Package chip holds what datasheets say about network cards: register tables and descriptor
// formats, one sub-package per family. It is facts without behaviour: drivers and models both read
// it, and it imports neither.
package chip

import "fmt"

// Access says what a register does when software reads or writes it.
type Access uint8

// The access modes that the datasheets of this project use.
const (
	RO   Access = iota // read only: writes are ignored
	RW                 // keeps what is written
	WO                 // write only: reads as zero
	RC                 // counter or cause that a read clears
	RCW                // read clears, and software may also write
	RW1C               // writing a one clears the bit
	RW1S               // writing a one sets the bit
	RWSC               // keeps what is written; the card clears some bits by itself
)

var accessNames = [...]string{"RO", "RW", "WO", "RC", "RC/W", "RW1C", "RW1S", "RW/SC"}

// String returns the datasheet's abbreviation.
func (a Access) String() string {
	if int(a) < len(accessNames) {
		return accessNames[a]
	}
	return fmt.Sprintf("Access(%d)", uint8(a))
}

// Field is a run of bits within a register.
type Field struct {
	Name  string // datasheet name, such as "RST"
	Bit   uint8  // lowest bit
	Width uint8  // number of bits, at least 1
	Doc   string // one line; may be empty
}

// Value extracts the field from a register value.
func (f Field) Value(reg uint32) uint32 {
	return reg >> f.Bit & uint32(1<<f.Width-1)
}

// Register is one row of a register table: a register, or an array of equal registers.
// Arrays that lie in two places (RDBAL of queues 0–63 and of 64–127) are two rows.
type Register struct {
	Name    string // datasheet name
	Doc     string // one line
	Section string // datasheet section
	Offset  uint32 // bytes from the start of BAR0, of the first register of the row
	First   int    // index of the first register of the row, for arrays
	Count   int    // number of registers; 0 means a single register without an index
	Stride  uint32 // bytes from one register of the row to the next
	Access  Access
	Reset   uint32 // value after a device reset
	Fields  []Field
}

// Len returns how many registers the row describes.
func (r *Register) Len() int { return max(r.Count, 1) }

// Label returns the name with its index, such as "RDT[3]", for the i-th register of the row.
func (r *Register) Label(i int) string {
	if r.Count == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s[%d]", r.Name, r.First+i)
}

// Table is a family's registers.
type Table []Register

// Find returns the row that holds the register at a byte offset and the register's place in it.
// It returns nil where the table has no register.
func (t Table) Find(offset uint32) (row *Register, i int) {
	for n := range t {
		r := &t[n]
		if offset < r.Offset {
			continue
		}
		if r.Count == 0 || r.Stride == 0 {
			if offset == r.Offset {
				return r, 0
			}
			continue
		}
		d := offset - r.Offset
		if d%r.Stride == 0 && d/r.Stride < uint32(r.Count) {
			return r, int(d / r.Stride)
		}
	}
	return nil, 0
}

// Offset returns the byte offset of the register name[i]; i is ignored for a single register.
func (t Table) Offset(name string, i int) (uint32, bool) {
	for n := range t {
		r := &t[n]
		if r.Name != name {
			continue
		}
		if r.Count == 0 {
			return r.Offset, true
		}
		if i >= r.First && i < r.First+r.Count {
			return r.Offset + uint32(i-r.First)*r.Stride, true
		}
	}
	return 0, false
}
