package vfio

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Requests of linux/vfio.h: _IO(';', 100+n), and what they are passed.
const (
	getAPIVersion   = 0x3b64 // nothing
	checkExtension  = 0x3b65 // a number
	setIOMMU        = 0x3b66 // a number
	groupGetStatus  = 0x3b67 // groupStatus
	groupContainer  = 0x3b68 // the container's descriptor, int32
	groupGetDevice  = 0x3b6a // the device's name, ended by NUL
	deviceGetInfo   = 0x3b6b // deviceInfo
	deviceGetRegion = 0x3b6c // regionInfo
	deviceGetIRQ    = 0x3b6d // irqInfo
	deviceSetIRQs   = 0x3b6e // irqSet
	deviceReset     = 0x3b6f // nothing
	iommuGetInfo    = 0x3b70 // iommuInfo
	iommuMap        = 0x3b71 // dmaMap
	iommuUnmap      = 0x3b72 // dmaUnmap
)

// Numbers and bits.
const (
	apiVersion = 0
	type1v2    = 3 // VFIO_TYPE1v2_IOMMU: unmaps exactly what was mapped

	groupViable = 1 << 0

	deviceResets = 1 << 0
	devicePCI    = 1 << 1

	regionMmap = 1 << 2
	regionCaps = 1 << 3

	irqEventfd = 1 << 0

	iommuPageSizes = 1 << 0
	iommuCaps      = 1 << 1

	mapRead  = 1 << 0
	mapWrite = 1 << 1

	irqNone    = 1 << 0 // VFIO_IRQ_SET_DATA_NONE
	irqFDs     = 1 << 2 // VFIO_IRQ_SET_DATA_EVENTFD
	irqUnmask  = 1 << 4 // VFIO_IRQ_SET_ACTION_UNMASK
	irqTrigger = 1 << 5 // VFIO_IRQ_SET_ACTION_TRIGGER
)

// Indexes of a PCI device's regions after BARs 0 to 5, and of its interrupts.
const (
	configRegion = 7

	irqINTx    = 0
	irqMSI     = 1
	irqMSIX    = 2
	irqError   = 3
	irqRequest = 4
)

// Identities of capabilities.
const (
	capSparse   = 1 // of a region: what of it can be mapped
	capRanges   = 1 // of an IOMMU: the IOVAs that it translates
	capDMAAvail = 3 // of an IOMMU: how many more mappings it takes
)

// Structures; Size is that of the whole, with what follows.
type (
	groupStatus struct{ Size, Flags uint32 }

	deviceInfo struct{ Size, Flags, Regions, IRQs, Caps uint32 }

	regionInfo struct {
		Size, Flags, Index, Caps uint32
		Length, Offset           uint64 // in bytes; Offset in the device's file
	}

	irqInfo struct{ Size, Flags, Index, Count uint32 }

	irqSet struct{ Size, Flags, Index, Start, Count uint32 } // then the event descriptors

	iommuInfo struct {
		Size, Flags uint32
		PageSizes   uint64
		Caps, _     uint32
	}

	dmaMap struct {
		Size, Flags        uint32
		Vaddr, IOVA, Bytes uint64
	}

	dmaUnmap struct {
		Size, Flags uint32
		IOVA, Bytes uint64
	}
)

var native = binary.NativeEndian

// encode lays out a structure, and what follows it, and fills in its size.
func encode(s any, after ...int32) []byte {
	b, _ := binary.Append(nil, native, s) // only fixed sizes here
	for _, v := range after {
		b = native.AppendUint32(b, uint32(v))
	}
	native.PutUint32(b, uint32(len(b)))
	return b
}

// decode reads the structure that b starts with.
func decode(b []byte, s any) error {
	if _, err := binary.Decode(b, native, s); err != nil {
		return fmt.Errorf("answer of %d bytes: %w", len(b), err)
	}
	return nil
}

// capability is one of the chain behind an answer; data starts with the 8 bytes of its header and goes on
// to the end of the answer.
type capability struct {
	id, version uint16
	data        []byte
}

// errChain is a chain of capabilities that makes no sense.
var errChain = errors.New("capability chain makes no sense")

// capabilities walks the chain that starts at off in an answer.
func capabilities(b []byte, off uint32) ([]capability, error) {
	const header = 8
	var list []capability
	for off != 0 {
		if off%4 != 0 || uint64(off)+header > uint64(len(b)) || len(list) > len(b)/header {
			return nil, fmt.Errorf("%w: entry %d at %#x of %d bytes", errChain, len(list), off, len(b))
		}
		c := b[off:]
		list = append(list, capability{native.Uint16(c), native.Uint16(c[2:]), c})
		off = native.Uint32(c[4:])
	}
	return list, nil
}

// pairs reads the array of number pairs that capabilities 1 of regions and of IOMMUs both hold: a count,
// four bytes reserved, the pairs.
func (c capability) pairs() ([][2]uint64, error) {
	const head, size = 16, 16
	if len(c.data) < head {
		return nil, fmt.Errorf("%w: capability %d has %d bytes", errChain, c.id, len(c.data))
	}
	n := native.Uint32(c.data[8:])
	if uint64(n)*size > uint64(len(c.data)-head) {
		return nil, fmt.Errorf("%w: capability %d has %d bytes for %d entries", errChain, c.id, len(c.data), n)
	}
	list := make([][2]uint64, n)
	for i := range list {
		e := c.data[head+i*size:]
		list[i] = [2]uint64{native.Uint64(e), native.Uint64(e[8:])}
	}
	return list, nil
}
