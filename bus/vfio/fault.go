package vfio

import (
	"fmt"
	"strconv"
	"strings"
)

// faultLine tells whether a line of the kernel's log says that an IOMMU refused a device access to memory, and at
// which IOVA. Intel's names bus, device and function (Linux 6.1, drivers/iommu/intel/dmar.c, dmar_fault_do_one),
// AMD's the whole address (drivers/iommu/amd/iommu.c, amd_iommu_report_page_fault).
func faultLine(line, addr string) (iova uint64, kind string, ok bool) {
	short := addr[strings.Index(addr, ":")+1:]
	var rest string
	switch {
	case strings.Contains(line, "DMAR: ") && strings.Contains(line, "device ["+short+"]"):
		kind = "DMA"
		for _, k := range []string{"DMA Read", "DMA Write"} {
			if strings.Contains(line, "["+k) {
				kind = k
			}
		}
		_, rest, ok = strings.Cut(line, "fault addr 0x")
	case strings.Contains(line, " "+addr+": ") && strings.Contains(line, "IO_PAGE_FAULT"):
		kind = "DMA"
		_, rest, ok = strings.Cut(line, "address=0x")
	}
	if !ok {
		return 0, "", false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
	if end < 0 {
		end = len(rest)
	}
	iova, err := strconv.ParseUint(rest[:end], 16, 64)
	if err != nil {
		return 0, "", false
	}
	return iova, kind, true
}

// faultText says what a fault means.
func faultText(kind string, iova uint64) string {
	return fmt.Sprintf("the IOMMU refused it a %s at %#x, which is no memory of this process: a descriptor or a register of the card is wrong, or the card: "+
		"close the port and open it again, which resets the card", kind, iova)
}
