package vfio

import (
	"cmp"
	"slices"
)

// span is a stretch of addresses, both ends included.
type span struct{ first, last uint64 }

// space hands out stretches of IOVAs.
type space struct {
	ranges []span // what the IOMMU translates, in order
	barred []span // what must stay free all the same
	used   []span // in order
}

// take returns a free stretch of size bytes, a power of two, aligned to its size; ok is false where there is
// none. It prefers low addresses, which every device and IOMMU can do, and never gives address 0: a device
// that is told it by mistake then faults.
func (s *space) take(size uint64) (iova uint64, ok bool) {
	for _, r := range s.ranges {
		at, fits := alignUp(max(r.first, 1), size)
		for fits {
			want := span{at, at + (size - 1)}
			if want.last < at || want.last > r.last {
				break
			}
			hit, taken := s.overlap(want)
			if !taken {
				i, _ := slices.BinarySearchFunc(s.used, want, compare)
				s.used = slices.Insert(s.used, i, want)
				return at, true
			}
			if hit.last >= r.last {
				break
			}
			at, fits = alignUp(hit.last+1, size)
		}
	}
	return 0, false
}

// give takes a stretch back that starts at iova.
func (s *space) give(iova uint64) {
	s.used = slices.DeleteFunc(s.used, func(u span) bool { return u.first == iova })
}

// overlap returns a stretch that is used or barred and meets want.
func (s *space) overlap(want span) (span, bool) {
	for _, b := range s.barred {
		if b.first <= want.last && want.first <= b.last {
			return b, true
		}
	}
	// The only one that begins before want and can reach into it is the last of those.
	i, _ := slices.BinarySearchFunc(s.used, want, compare)
	for _, j := range []int{i - 1, i} {
		if j >= 0 && j < len(s.used) && s.used[j].first <= want.last && want.first <= s.used[j].last {
			return s.used[j], true
		}
	}
	return span{}, false
}

func compare(a, b span) int { return cmp.Compare(a.first, b.first) }

// alignUp rounds up to a multiple of size, a power of two; ok is false where that is beyond all addresses.
func alignUp(v, size uint64) (up uint64, ok bool) {
	up = (v + size - 1) &^ (size - 1)
	return up, up >= v
}
