package vfio

import "fmt"

// limits are what an IOMMU can translate.
type limits struct {
	ranges    []span
	pageSizes uint64 // one bit for each size in bytes
	left      int    // how many more mappings it takes; -1 where the kernel does not tell
}

// unknownRanges are for kernels before 5.4, which do not tell: an IOMMU of 39 bits, without the window at
// which interrupts are signalled (Intel 64 Software Developer's Manual, volume 3, section 11.11.1).
var unknownRanges = []span{{0, 0xfedf_ffff}, {0xfef0_0000, 1<<39 - 1}}

// parseLimits reads the answer to iommuGetInfo.
func parseLimits(b []byte) (limits, error) {
	var info iommuInfo
	if err := decode(b, &info); err != nil {
		return limits{}, err
	}
	l := limits{ranges: unknownRanges, pageSizes: 4096, left: -1}
	if info.Flags&iommuPageSizes != 0 {
		l.pageSizes = info.PageSizes
	}
	if info.Flags&iommuCaps == 0 {
		return l, nil
	}
	list, err := capabilities(b, info.Caps)
	if err != nil {
		return limits{}, err
	}
	for _, c := range list {
		switch {
		case c.id == capRanges && c.version == 1:
			p, err := c.pairs()
			if err != nil {
				return limits{}, err
			}
			l.ranges = nil
			for _, v := range p {
				if v[0] > v[1] {
					return limits{}, fmt.Errorf("%w: addresses %#x to %#x", errChain, v[0], v[1])
				}
				l.ranges = append(l.ranges, span{v[0], v[1]})
			}
		case c.id == capDMAAvail && c.version == 1 && len(c.data) >= 12:
			l.left = int(native.Uint32(c.data[8:]))
		}
	}
	return l, nil
}
