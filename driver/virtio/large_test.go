package virtio_test

import (
	"bytes"
	"fmt"
	"testing"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// segmenting returns cards of all kinds that cut large frames and give them, and settings that use them.
func segmenting() (map[string]*card, nic.Config) {
	cards := map[string]*card{"modern": newCard(), "packed": packedCard(), "legacy": legacyCard()}
	for _, c := range cards {
		c.offered |= fCSum | fGuestCSum | fGuestTSO | fHostTSO | fMrg
	}
	return cards, nic.Config{RxRing: 256, TxRing: 256, Buffers: 1280, Offloads: nic.RxSegment | nic.TxSegment}
}

// largeHeader is what the header of a frame that nictest.TCP makes says.
func largeHeader(v6 bool, size int) []byte {
	h := []byte{1, 0x81, 54, 0, byte(size), byte(size >> 8), 34, 0, 16, 0}
	if v6 {
		h[1], h[2], h[6] = 0x84, 74, 54
	}
	return h
}

// large is a frame that is to be cut.
func (r *rig) large(v6 bool, payload []byte, size, part int) *packet.Buf {
	b := r.buf(nictest.TCP(v6, payload), part)
	start := nictest.TCPStart4
	if v6 {
		start = nictest.TCPStart6
	}
	b.SetChecksum(start, nictest.TCPSum)
	b.SetSegmentSize(size)
	return b
}

// The device gets large frames as they are, with a header that says how they are to be cut (5.1.6.2).
func TestSendLarge(t *testing.T) {
	cards, cfg := segmenting()
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			r := open(t, c, cfg)
			if o := r.dev.Info().Offloads; o&nic.TxSegment == 0 {
				t.Fatalf("offloads %v", o)
			}
			for i, n := range []int{1, 1500, 2048, 5000, 65000} {
				for _, v6 := range []bool{false, true} {
					payload := frame(n+14, byte(i))[14:]
					b := r.large(v6, payload, 1400, 2048)
					if !r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
						t.Fatalf("%d bytes in %d buffers are refused", n, b.Segments())
					}
					plain := r.buf(frame(60, 1), 2048)
					if sent := r.dev.TxQueue(0).Send([]*packet.Buf{b, plain}); sent != 2 {
						t.Fatalf("took %d of 2", sent)
					}
					r.step()
					same(t, "sent", c.out, [][]byte{nictest.TCP(v6, payload), frame(60, 1)})
					same(t, "headers", c.large, [][]byte{largeHeader(v6, 1400)})
					c.out, c.large = nil, nil
				}
			}
			if s := r.stats(); s.TxDropped != 0 || s.TxPackets != 20 {
				t.Errorf("stats %s", brief(s))
			}
		})
	}
}

// What the device cannot cut is not for it; sent all the same it is dropped and counted.
func TestSendNotLarge(t *testing.T) {
	for name, c := range map[string]struct {
		offered uint64
		asked   nic.Offloads
		spoil   func(b *packet.Buf)
	}{
		"not offered":     {fCSum, nic.TxSegment, nil},
		"offered by half": {fCSum | fHostTSO&^(1<<12), nic.TxSegment, nil},
		"no checksums":    {fHostTSO, nic.TxSegment, nil},
		"not asked for":   {fCSum | fHostTSO, nic.RxSegment | nic.RxPartial, nil},
		"CWR":             {fCSum | fHostTSO&^(1<<13), nic.TxSegment, nil},
		"no headroom": {fCSum | fHostTSO, nic.TxSegment, func(b *packet.Buf) {
			b.Prepend(packet.Headroom - 4)
			copy(b.Bytes(), b.Bytes()[packet.Headroom-4:])
			b.SetChecksum(34, 16)
		}},
		"beyond the MTU": {fCSum | fHostTSO, nic.TxSegment, func(b *packet.Buf) { b.SetSegmentSize(1500) }},
		"UDP":            {fCSum | fHostTSO, nic.TxSegment, func(b *packet.Buf) { b.Bytes()[23] = 17; b.SetChecksum(34, 6) }},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCard()
			k.offered |= c.offered
			cfg := small
			cfg.Offloads = c.asked
			r := open(t, k, cfg)
			if says := r.dev.Info().Offloads&nic.TxSegment != 0; says != (c.spoil != nil || name == "CWR") {
				t.Errorf("offloads %v", r.dev.Info().Offloads)
			}
			b := r.large(false, make([]byte, 5000), 1000, 2048)
			if c.spoil != nil {
				c.spoil(b)
			}
			if r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
				t.Error("not refused")
			}
			if r.dev.TxQueue(0).Send([]*packet.Buf{b}) != 1 {
				t.Error("not taken")
			}
			r.step()
			if s := r.stats(); s.TxDropped != 1 || len(k.out) != 0 {
				t.Errorf("%d frames sent, stats %s", len(k.out), brief(s))
			}
		})
	}
}

// Large frames arrive as the device gives them; those whose header lies, and plain ones beyond the MTU, are dropped and
// counted.
func TestReceiveLarge(t *testing.T) {
	cards, cfg := segmenting()
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			r := open(t, c, cfg)
			if o := r.dev.Info().Offloads; o&(nic.RxSegment|nic.RxPartial) != nic.RxSegment|nic.RxPartial {
				t.Fatalf("offloads %v", o)
			}
			one := make([]*packet.Buf, 1)
			receive := func(f, header []byte) bool {
				t.Helper()
				c.header = header
				r.put(f)
				r.step()
				return r.dev.RxQueue(0).Receive(one) == 1
			}
			for i, n := range []int{1, 1900, 2048, 5000, 65000} {
				for _, v6 := range []bool{false, true} {
					f := nictest.TCP(v6, frame(n+14, byte(i))[14:])
					if !receive(f, largeHeader(v6, 1000)) {
						t.Fatalf("%d bytes did not arrive", len(f))
					}
					if size, ok := one[0].SegmentSize(); !ok || size != 1000 || !bytes.Equal(one[0].AppendTo(nil), f) {
						t.Fatalf("%d bytes, segments of %d, %v", one[0].TotalLen(), size, ok)
					}
					if _, ok := one[0].Headers(); !ok {
						t.Fatal("no headers")
					}
					packet.Free(one)
				}
			}
			for lie, header := range map[string][]byte{
				"size 0": largeHeader(false, 0), "IPv6": largeHeader(true, 1000), "plain": make([]byte, 10), "UDP": {1, 3, 54, 0, 0, 2, 34, 0, 16, 0},
			} {
				if receive(nictest.TCP(false, make([]byte, 5000)), header) {
					t.Errorf("%s: %d bytes arrived", lie, one[0].TotalLen())
					packet.Free(one)
				}
			}
			if s := r.stats(); s.RxDropped != 3 || s.RxErrors != 1 || s.RxPackets != 10 {
				t.Errorf("stats %s", brief(s))
			}
		})
	}
}

// Without being asked for, nothing of it is negotiated, and a ring that is too short for large frames is refused.
func TestLargeUnasked(t *testing.T) {
	cards, cfg := segmenting()
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.Offloads = nic.RxPartial
			r := open(t, c, cfg)
			if c.accepted&(fHostTSO|fGuestTSO|fMrg) != 0 || r.dev.Info().Offloads&(nic.RxSegment|nic.TxSegment) != 0 {
				t.Errorf("accepted %#x, offloads %v", c.accepted, r.dev.Info().Offloads)
			}
		})
	}
	c := newCard()
	c.offered |= fCSum | fGuestCSum | fGuestTSO | fMrg
	cfg.RxRing = 32
	tooShort(t, c, cfg, "32 descriptors are too few for a frame of 65557 bytes")
}

// tooShort opens a card, which has to fail.
func tooShort(t *testing.T, c *card, cfg nic.Config, want string) {
	t.Helper()
	d, err := nic.OpenFunction(t.Context(), c, cfg)
	if err == nil {
		_ = d.Close()
		t.Fatal("opened")
	}
	if !bytes.Contains([]byte(fmt.Sprint(err)), []byte(want)) {
		t.Errorf("%v does not say %q", err, want)
	}
}
