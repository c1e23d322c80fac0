package vfio

import "testing"

func TestFaultLine(t *testing.T) {
	const addr = "0000:02:03.1"
	for _, c := range []struct {
		line, kind string
		iova       uint64
	}{
		{"3,1234,5678,-;DMAR: [DMA Read NO_PASID] Request device [02:03.1] fault addr 0x7deadb000 [fault reason 0x06] PTE Read access is not set", "DMA Read", 0x7_dead_b000},
		{"3,1,1,-;DMAR: [DMA Write] Request device [02:03.1] fault addr fee00000", "", 0},
		{"3,1,1,-;DMAR: [DMA Write NO_PASID] Request device [02:03.1] fault addr 0xffffffffffffffff", "DMA Write", 1<<64 - 1},
		{"3,1,1,-;DMAR: [DMA Write NO_PASID] Request device [02:03.1] fault addr 0x1ffffffffffffffff [", "", 0},
		{"3,1,1,-;DMAR: [DMA Read NO_PASID] Request device [02:03.0] fault addr 0x1000 [fault reason 0x06] PTE Read access is not set", "", 0},
		{"3,1,1,-;vfio-pci 0000:02:03.1: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0035 address=0xfffff00000 flags=0x0000]", "DMA", 0xff_fff0_0000},
		{"3,1,1,-;vfio-pci 0001:02:03.1: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0035 address=0xfffff00000 flags=0x0000]", "", 0},
		{"6,1,1,-;vfio-pci 0000:02:03.1: enabling device", "", 0},
		{"", "", 0},
	} {
		iova, kind, ok := faultLine(c.line, addr)
		if iova != c.iova || kind != c.kind || ok != (c.kind != "") {
			t.Errorf("%q: %#x, %q, %v", c.line, iova, kind, ok)
		}
	}
}
