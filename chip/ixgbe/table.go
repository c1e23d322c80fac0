package ixgbe

import (
	"slices"

	"glassnic/chip"
)

// Registers are the registers of the 82599's physical function in BAR0, in the order of the
// datasheet's chapter 8. A section of "8.2.3" alone stands where only the chapter is known.
//
// Reset is the value after a device reset with an empty EEPROM: fields that the datasheet calls
// undefined, and those that only the EEPROM or firmware fills, are zero. Read-only status that
// becomes true by itself (RDRXCTL.DMAIDONE, EEC.AUTO_RD, LINKS) starts as zero.
//
// The table is shared: treat it as read only.
var Registers = slices.Concat(generalTable, flowTable, interruptTable, receiveTable, rxdmaTable,
	transmitTable, dcbTable, securityTable, fdirTable, macTable, statsTable, mngTable,
	timesyncTable, vtTable)

// Registers are the registers of a model: those of the 82599, and what the model adds or moves.
// The table is shared: treat it as read only.
func (m Model) Registers() chip.Table {
	switch m {
	case MX540:
		return registersX540
	case MX550, MX550EMx:
		return registersX550
	case MX550EMa:
		return registersX550EMa
	}
	return Registers
}

var (
	registersX540    = slices.Concat(Registers, x540Table)
	registersX550    = slices.Concat(registersX540, x550Table)
	registersX550EMa = slices.Concat(registersX550, x550emaTable)
)

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
