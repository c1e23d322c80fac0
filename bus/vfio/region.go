package vfio

import (
	"cmp"
	"fmt"
	"slices"
)

// parseRegion reads the answer to deviceGetRegion. The parts that can be mapped are in order and apart, begin
// at boundaries of pages and end there or with the region.
func parseRegion(b []byte, page uint64) (r regionInfo, parts []span, err error) {
	if err := decode(b, &r); err != nil {
		return r, nil, err
	}
	if r.Flags&regionMmap == 0 || r.Length == 0 {
		return r, nil, nil
	}
	whole := []span{{0, r.Length - 1}}
	if r.Flags&regionCaps == 0 {
		return r, whole, nil
	}
	list, err := capabilities(b, r.Caps)
	if err != nil {
		return r, nil, err
	}
	for _, c := range list {
		if c.id != capSparse || c.version != 1 {
			continue
		}
		p, err := c.pairs()
		if err != nil {
			return r, nil, err
		}
		parts, err = areas(p, r.Length, page)
		return r, parts, err
	}
	return r, whole, nil
}

// areas checks and sorts areas of a region, each an offset and a size.
func areas(list [][2]uint64, length, page uint64) (parts []span, err error) {
	for _, a := range list {
		off, size := a[0], a[1]
		if size == 0 {
			continue
		}
		end := off + size
		if end < off || end > length || off%page != 0 || end%page != 0 && end != length {
			return nil, fmt.Errorf("%w: %d bytes at %#x of a region of %d can be mapped", errChain, size, off, length)
		}
		parts = append(parts, span{off, end - 1})
	}
	slices.SortFunc(parts, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(parts); i++ {
		if parts[i].first <= parts[i-1].last {
			return nil, fmt.Errorf("%w: areas overlap at %#x", errChain, parts[i].first)
		}
	}
	return parts, nil
}
