package vfio

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLayouts compares structures with what a C compiler made of linux/vfio.h on a little-endian machine.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"vfio_group_status", encode(groupStatus{Flags: groupViable}), "0800000001000000"},
		{"vfio_device_info", encode(deviceInfo{Flags: deviceResets | devicePCI, Regions: 9, IRQs: 5}), "1400000003000000090000000500000000000000"},
		{"vfio_region_info", encode(regionInfo{Flags: 3 | regionMmap | regionCaps, Index: 3, Caps: 32, Length: 0x4000, Offset: 3 << 40}),
			"200000000f000000030000002000000000400000000000000000000000030000"},
		{"vfio_irq_info", encode(irqInfo{Flags: irqEventfd | 8, Index: irqMSIX, Count: 5}), "10000000090000000200000005000000"},
		{"vfio_irq_set", encode(irqSet{Flags: irqFDs | irqTrigger, Index: irqMSIX, Count: 2}, 7, -1), "1c0000002400000002000000000000000200000007000000ffffffff"},
		{"vfio_irq_set, unmask", encode(irqSet{Flags: irqNone | irqUnmask, Index: irqINTx, Count: 1}), "1400000011000000000000000000000001000000"},
		{"vfio_iommu_type1_dma_map", encode(dmaMap{Flags: mapRead | mapWrite, Vaddr: 0x7f1122334455000, IOVA: 2 << 20, Bytes: 1 << 30}),
			"2000000003000000005045342312f10700002000000000000000004000000000"},
		{"vfio_iommu_type1_dma_unmap", encode(dmaUnmap{IOVA: 0x1122334455660000, Bytes: 2 << 20}), "180000000000000000006655443322110000200000000000"},
	} {
		if native.Uint16([]byte{1, 0}) != 1 {
			break // the literals are little-endian
		}
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s is\n%s, want\n%s", c.name, got, c.want)
		}
	}
	if n := len(encode(iommuInfo{})); n != 24 {
		t.Errorf("vfio_iommu_type1_info has %d bytes", n)
	}
	var r regionInfo
	if err := decode(encode(regionInfo{Index: 4, Length: 5, Offset: 6}), &r); err != nil || r.Index != 4 || r.Length != 5 || r.Offset != 6 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := decode(make([]byte, 31), &r); err == nil {
		t.Error("an answer that is too short passed")
	}
}

// TestRequests compares request numbers with those of linux/vfio.h.
func TestRequests(t *testing.T) {
	want := []uint{0x3b64, 0x3b65, 0x3b66, 0x3b67, 0x3b68, 0x3b6a, 0x3b6b, 0x3b6c, 0x3b6d, 0x3b6e, 0x3b6f, 0x3b70, 0x3b71, 0x3b72}
	got := []uint{getAPIVersion, checkExtension, setIOMMU, groupGetStatus, groupContainer, groupGetDevice, deviceGetInfo,
		deviceGetRegion, deviceGetIRQ, deviceSetIRQs, deviceReset, iommuGetInfo, iommuMap, iommuUnmap}
	if !slices.Equal(got, want) {
		t.Errorf("%#x", got)
	}
}

// pairsCap lays out a capability of number pairs.
func pairsCap(id uint16, next uint32, p ...[2]uint64) []byte {
	b := native.AppendUint16(nil, id)
	b = native.AppendUint16(b, 1)
	b = native.AppendUint32(b, next)
	b = native.AppendUint32(b, uint32(len(p)))
	b = native.AppendUint32(b, 0)
	for _, v := range p {
		b = native.AppendUint64(native.AppendUint64(b, v[0]), v[1])
	}
	return b
}

// iommuAnswer is an answer to iommuGetInfo with capabilities behind it.
func iommuAnswer(flags uint32, caps ...byte) []byte {
	b := encode(iommuInfo{Flags: flags, PageSizes: 0x40201000, Caps: 24})
	return append(b, caps...)
}

func TestLimits(t *testing.T) {
	ranges := [][2]uint64{{0, 0xfedfffff}, {0xfef00000, 1<<39 - 1}}
	avail := native.AppendUint32([]byte{3, 0, 1, 0, 0, 0, 0, 0}, 65535)
	chain := append(pairsCap(capRanges, 24+48, ranges...), avail...)
	got, err := parseLimits(iommuAnswer(iommuPageSizes|iommuCaps, chain...))
	want := limits{ranges: []span{{0, 0xfedfffff}, {0xfef00000, 1<<39 - 1}}, pageSizes: 0x40201000, left: 65535}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = parseLimits(iommuAnswer(0))
	if err != nil || !reflect.DeepEqual(got.ranges, unknownRanges) || got.pageSizes != 4096 || got.left != -1 {
		t.Errorf("an old kernel: %+v, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"short":          {1, 2, 3},
		"reversed":       iommuAnswer(iommuCaps, pairsCap(capRanges, 0, [2]uint64{5, 4})...),
		"count too high": iommuAnswer(iommuCaps, append([]byte{1, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 64)...)...),
		"cut":            iommuAnswer(iommuCaps, 1, 0, 1, 0, 0, 0, 0, 0, 1),
		"loop":           iommuAnswer(iommuCaps, 9, 0, 1, 0, 24, 0, 0, 0),
		"beyond":         iommuAnswer(iommuCaps, 9, 0, 1, 0, 0xfc, 0xff, 0xff, 0xff),
		"odd":            iommuAnswer(iommuCaps, append([]byte{9, 0, 1, 0, 33, 0, 0, 0}, make([]byte, 64)...)...),
	} {
		if got, err := parseLimits(b); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// FuzzLimits has the kernel answer anything.
func FuzzLimits(f *testing.F) {
	f.Add(iommuAnswer(iommuPageSizes|iommuCaps, pairsCap(capRanges, 0, [2]uint64{0, 9})...))
	f.Add(iommuAnswer(iommuCaps, 9, 0, 1, 0, 24, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLimits(b)
		if err != nil {
			return
		}
		for _, r := range l.ranges {
			if r.first > r.last {
				t.Errorf("range %#x", r)
			}
		}
	})
}

// FuzzRegion has the kernel answer anything: what is mapped lies in the region, at boundaries of pages.
func FuzzRegion(f *testing.F) {
	region := func(flags uint32, length uint64, caps ...byte) []byte {
		return append(encode(regionInfo{Flags: flags, Length: length, Caps: 32}), caps...)
	}
	f.Add(region(regionMmap, 1<<17))
	f.Add(region(regionMmap|regionCaps, 1<<14, pairsCap(capSparse, 0, [2]uint64{8192, 8192}, [2]uint64{0, 4096})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, parts, err := parseRegion(b, 4096)
		if err != nil {
			return
		}
		at := uint64(0)
		for _, p := range parts {
			if p.first < at || p.first%4096 != 0 || p.last < p.first || p.last >= r.Length || (p.last+1)%4096 != 0 && p.last+1 != r.Length {
				t.Fatalf("region of %#x bytes: parts %#x", r.Length, parts)
			}
			at = p.last + 1
		}
	})
}

func TestAreas(t *testing.T) {
	// An MSI-X table in the second page of four.
	got, err := areas([][2]uint64{{0x2000, 0x2000}, {0, 0x1000}, {0x3000, 0}}, 0x4000, 4096)
	if err != nil || !slices.Equal(got, []span{{0, 0xfff}, {0x2000, 0x3fff}}) {
		t.Errorf("%#x, %v", got, err)
	}
	// The last page of a region need not be whole.
	if got, err := areas([][2]uint64{{0, 0x1080}}, 0x1080, 4096); err != nil || !slices.Equal(got, []span{{0, 0x107f}}) {
		t.Errorf("%#x, %v", got, err)
	}
	for _, bad := range [][][2]uint64{
		{{0x1000, 0x4000}}, {{0x80, 0x1000}}, {{0, 0x80}}, {{0x1000, math.MaxUint64}}, {{0, 0x2000}, {0x1000, 0x1000}},
	} {
		if got, err := areas(bad, 0x4000, 4096); !errors.Is(err, errChain) {
			t.Errorf("%#x: %#x, %v", bad, got, err)
		}
	}
}

func TestTakeIOVA(t *testing.T) {
	const mb = 1 << 20
	s := space{ranges: []span{{0, 0xfedf_ffff}, {0xfef0_0000, 1<<39 - 1}}, barred: []span{{6 * mb, 6*mb + 127}}}
	var got []uint64
	for range 4 {
		v, ok := s.take(2 * mb)
		if !ok {
			t.Fatal("no room")
		}
		got = append(got, v)
	}
	if want := []uint64{2 * mb, 4 * mb, 8 * mb, 10 * mb}; !slices.Equal(got, want) {
		t.Errorf("%#x, want %#x", got, want)
	}
	s.give(4 * mb)
	if v, ok := s.take(2 * mb); !ok || v != 4*mb {
		t.Errorf("given back: %#x, %v", v, ok)
	}
	// 1 GiB fits three times below the window of interrupts; the next is behind it.
	for _, want := range []uint64{1 << 30, 2 << 30, 4 << 30} {
		if v, ok := s.take(1 << 30); !ok || v != want {
			t.Errorf("%#x, %v, want %#x", v, ok, want)
		}
	}
	for _, r := range [][]span{nil, {{0, 2*mb - 1}}, {{1, 4*mb - 2}}, {{math.MaxUint64 - 5, math.MaxUint64}}, {{3 * mb, 6*mb - 2}}} {
		s := space{ranges: r}
		if v, ok := s.take(2 * mb); ok {
			t.Errorf("%#x gave %#x", r, v)
		}
	}
	// The end of all addresses.
	s = space{ranges: []span{{math.MaxUint64 - 4*mb + 1, math.MaxUint64}}}
	for _, want := range []uint64{math.MaxUint64 - 4*mb + 1, math.MaxUint64 - 2*mb + 1} {
		if v, ok := s.take(2 * mb); !ok || v != want {
			t.Errorf("%#x, %v, want %#x", v, ok, want)
		}
	}
	if v, ok := s.take(2 * mb); ok {
		t.Errorf("full, but gave %#x", v)
	}
}

// TestTakeIOVAProperties takes and gives at random: what is out lies in the ranges, aligned, and meets nothing.
func TestTakeIOVAProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.OneOf(rapid.Uint64Range(0, 64), rapid.Uint64Range(math.MaxUint64-64, math.MaxUint64))
		spans := rapid.Custom(func(t *rapid.T) span {
			a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
			return span{min(a, b), max(a, b)}
		})
		s := space{ranges: rapid.SliceOfN(spans, 0, 3).Draw(t, "ranges"), barred: rapid.SliceOfN(spans, 0, 2).Draw(t, "barred")}
		out := map[uint64]uint64{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(out) > 0 && rapid.Bool().Draw(t, "give") {
				for v := range out {
					s.give(v)
					delete(out, v)
					break
				}
				continue
			}
			size := uint64(1) << rapid.IntRange(0, 5).Draw(t, "size")
			v, ok := s.take(size)
			if !ok {
				continue
			}
			last := v + size - 1
			if v == 0 || v%size != 0 || last < v || !slices.ContainsFunc(s.ranges, func(r span) bool { return r.first <= v && last <= r.last }) {
				t.Fatalf("%d bytes at %#x of %#x", size, v, s.ranges)
			}
			for w, n := range out {
				if v <= w+n-1 && w <= last {
					t.Fatalf("%d bytes at %#x meet %d at %#x", size, v, n, w)
				}
			}
			for _, b := range s.barred {
				if v <= b.last && b.first <= last {
					t.Fatalf("%d bytes at %#x meet what is barred, %#x", size, v, b)
				}
			}
			out[v] = size
		}
		if len(s.used) != len(out) {
			t.Fatalf("%d in use, %d out", len(s.used), len(out))
		}
	})
}
