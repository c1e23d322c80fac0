package ixgbe

import "unsafe"

// registerFile is BAR0 as 32-bit words.
type registerFile [barWords]uint32

// descriptor is a ring entry of either direction, two little-endian words.
type descriptor struct{ lo, hi uint64 }

// asRegisters views mem, which is at least a BAR long, as registers; nil if it is not aligned.
func asRegisters(mem []byte) *registerFile {
	if len(mem) < barWords*4 || uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%64 != 0 {
		return nil
	}
	return (*registerFile)(unsafe.Pointer(unsafe.SliceData(mem)))
}

// newRegisters returns registers in memory of the model's own and the same memory as bytes.
func newRegisters() []byte {
	type line [64]byte
	mem := make([]byte, barWords*4+len(line{}))
	pad := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % 64
	return mem[pad : pad+barWords*4 : pad+barWords*4]
}

// asDescriptors views memory that DMA reaches as descriptors; nil if it is not aligned to a word.
func asDescriptors(mem []byte) []descriptor {
	if len(mem) < 16 || uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%8 != 0 {
		return nil
	}
	return unsafe.Slice((*descriptor)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/16)
}

// asJournal views 64 bytes of a register file that the datasheet leaves unused.
func asJournal(r *registerFile, off uint32) *journal {
	return (*journal)(unsafe.Pointer(&r[off/4]))
}
