package ixgbe

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// stack is a frame of TCP, UDP or SCTP over IPv4 or IPv6 whose checksum field has the sum of the pseudo header, with
// or without the length.
func stack(v6 bool, proto byte, payload int, length bool) (f []byte, mac, ip, l4 int) {
	be := binary.BigEndian
	f = []byte{2, 0, 0, 0x82, 0x59, 0x90, 2, 1, 2, 3, 4, 5, 8, 0}
	l4 = map[byte]int{protoTCP: 20, protoUDP: 8, protoSCTP: 12}[proto]
	var addresses []byte
	if v6 {
		f[12], f[13] = 0x86, 0xdd
		h := make([]byte, 40)
		h[0], h[6], h[7] = 0x60, proto, 64
		be.PutUint16(h[4:], uint16(l4+payload))
		for i := range 32 {
			h[8+i] = byte(i*5 + 1)
		}
		addresses = h[8:]
		f = append(f, h...)
	} else {
		h := []byte{0x45, 0, 0, 0, 0xff, 0xfe, 0, 0, 64, proto, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1}
		be.PutUint16(h[2:], uint16(20+l4+payload))
		addresses = h[12:]
		f = append(f, h...)
	}
	ip = len(f) - 14
	t := make([]byte, l4+payload)
	for i := range t {
		t[i] = byte(i * 3)
	}
	copy(t, []byte{0x12, 0x34, 0, 80})
	pseudo := sum(addresses) + uint64(proto)<<8
	if length {
		pseudo += uint64(len(t)>>8 | len(t)&0xff<<8)
	}
	switch proto {
	case protoTCP:
		be.PutUint32(t[4:], 0xffff_ff00) // wraps
		t[12], t[13] = 5<<4, 0x99        // CWR, ACK, PSH, FIN
		binary.LittleEndian.PutUint16(t[16:], uint16(fold(pseudo)))
	case protoUDP:
		be.PutUint16(t[4:], uint16(len(t)))
		binary.LittleEndian.PutUint16(t[6:], uint16(fold(pseudo)))
	}
	return append(f, t...), 14, ip, l4
}

// contextOf describes a frame to the card.
func contextOf(v6 bool, proto byte, mac, ip, l4, mss int) (lo, hi uint64) {
	hi = chip.TxDTYPContext | chip.TxDCMDDEXT | uint64(l4)<<chip.TxCtxL4LenShift | uint64(mss)<<chip.TxCtxMSSShift | 1<<chip.TxIDXShift
	hi |= map[byte]uint64{protoTCP: chip.TxCtxTCP, protoUDP: chip.TxCtxUDP, protoSCTP: chip.TxCtxSCTP}[proto]
	if !v6 {
		hi |= chip.TxCtxIPv4
	}
	return uint64(ip) | uint64(mac)<<chip.TxCtxMACLenShift | 0x2005<<chip.TxCtxVLANShift, hi
}

// right tells whether the receive side finds all checksums of a frame and finds them right.
func right(f []byte, v6 bool) bool {
	_, w1 := classify(f)
	want := chip.RxL4I
	if !v6 {
		want |= chip.RxIPCS
	}
	return w1&(want|chip.RxL4E|chip.RxIPE) == want
}

// The card completes checksums and inserts tags as contexts say (7.2.5, 7.4.1).
func TestChecksums(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		tx := r.tx(0, 64)
		for _, v6 := range []bool{false, true} {
			for _, proto := range []byte{protoTCP, protoUDP, protoSCTP} {
				for _, tag := range []uint64{0, chip.TxDCMDVLE} {
					f, mac, ip, l4 := stack(v6, proto, 101, true)
					tx.raw(contextOf(v6, proto, mac, ip, l4, 0))
					tx.add(f[:60], txPlain|chip.TxPOPTSIXSM|chip.TxPOPTSTXSM|tag|1<<chip.TxIDXShift|pay(len(f)))
					tx.add(f[60:], txPlain|chip.TxDCMDEOP|chip.TxDCMDRS)
					tx.kick()
					r.step(16)
					if len(r.port.out) != 1 {
						t.Fatalf("%d frames", len(r.port.out))
					}
					got := r.port.out[0]
					r.port.out = nil
					if tag != 0 {
						if !bytes.Equal(got[12:16], []byte{0x81, 0, 0x20, 5}) {
							t.Errorf("tag % x", got[12:16])
						}
						got = slices.Delete(got, 12, 16)
					}
					if !right(got, v6) {
						t.Errorf("IPv6 %v, protocol %d: % x", v6, proto, got)
					}
					// All else is as it was.
					at := mac + ip + map[byte]int{protoTCP: 16, protoUDP: 6, protoSCTP: 8}[proto]
					n := 2
					if proto == protoSCTP {
						n = 4
						if want := crc32.Checksum(slices.Concat(f[mac+ip:at], zero4[:], f[at+4:]), castagnoli); want != binary.LittleEndian.Uint32(got[at:]) {
							t.Errorf("CRC32c % x, want %#x", got[at:at+4], want)
						}
					}
					clear(got[at : at+n])
					clear(f[at : at+n])
					if !v6 {
						clear(got[24:26])
					}
					if !bytes.Equal(got, f) {
						t.Errorf("% x, want % x", got, f)
					}
				}
			}
		}
		r.clean()
	})
}

// The card makes segments (7.2.4), also where the wire takes them one by one.
func TestSegments(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.port.take = 1
		tx := r.tx(0, 64)
		const payload, mss = 5000, 1460
		for _, v6 := range []bool{false, true} {
			for _, proto := range []byte{protoTCP, protoUDP} {
				f, mac, ip, l4 := stack(v6, proto, payload, false)
				head := mac + ip + l4
				tx.raw(contextOf(v6, proto, mac, ip, l4, mss))
				tx.add(f[:head], txPlain|chip.TxDCMDTSE|chip.TxDCMDVLE|chip.TxPOPTSIXSM|chip.TxPOPTSTXSM|1<<chip.TxIDXShift|pay(payload))
				tx.add(f[head:3000], txPlain)
				tx.add(f[3000:], txPlain|chip.TxDCMDEOP|chip.TxDCMDRS)
				tx.send(frame(60, 1))
				tx.kick()
				for range 10 {
					r.step(16)
				}
				if len(r.port.out) != 5 {
					t.Fatalf("%d frames, want 4 segments and one behind them", len(r.port.out))
				}
				var whole []byte
				for i, got := range r.port.out[:4] {
					if !bytes.Equal(got[12:16], []byte{0x81, 0, 0x20, 5}) {
						t.Errorf("tag % x", got[12:16])
					}
					got = slices.Delete(got, 12, 16)
					if !right(got, v6) {
						t.Errorf("IPv6 %v, protocol %d, segment %d: % x", v6, proto, i, got)
					}
					if id := binary.BigEndian.Uint16(got[18:]); !v6 && id != 0xfffe+uint16(i) {
						t.Errorf("segment %d: identification %#x", i, id)
					}
					if proto == protoTCP {
						seq, flags := binary.BigEndian.Uint32(got[mac+ip+4:]), got[mac+ip+13]
						if want := []byte{0x90, 0x10, 0x10, 0x19}[i]; seq != 0xffff_ff00+uint32(i)*mss || flags != want {
							t.Errorf("segment %d: sequence number %#x, flags %#x, want %#x", i, seq, flags, want)
						}
					}
					whole = append(whole, got[head:]...)
				}
				if !bytes.Equal(whole, f[head:]) {
					t.Error("the payload is another")
				}
				r.port.out = nil
			}
		}
		if n := r.card.Totals().TxMalformed; n != 0 {
			t.Errorf("%d malformed", n)
		}
		r.clean()
	})
}

// Contexts that make no sense cost the frame, which is counted.
func TestBadContexts(t *testing.T) {
	r := newRig(t, false)
	r.start()
	tx := r.tx(0, 64)
	f, mac, ip, l4 := stack(false, protoTCP, 3000, false)
	head := mac + ip + l4
	for name, c := range map[string]struct {
		mac, ip, l4, mss int
		payload          int
	}{
		"no MSS":             {mac, ip, l4, 0, 3000},
		"short IP header":    {mac, 19, l4, 1000, 3000},
		"short TCP header":   {mac, ip, 19, 1000, 3000},
		"wrong payload":      {mac, ip, l4, 1000, 2999},
		"headers of nothing": {0, 0, 0, 1000, 3000 + head},
		"no payload":         {mac, ip, l4, 1000, 0},
		"long segments":      {mac, ip, l4, 0xffff, 3000},
	} {
		before := r.card.Totals().TxMalformed
		tx.raw(contextOf(false, protoTCP, c.mac, c.ip, c.l4, c.mss))
		tx.add(f, txPlain|chip.TxDCMDEOP|chip.TxDCMDRS|chip.TxDCMDTSE|1<<chip.TxIDXShift|pay(c.payload))
		tx.kick()
		r.step(16)
		if n := r.card.Totals().TxMalformed - before; n != 1 || len(r.port.out) != 0 {
			t.Errorf("%s: %d malformed, %d frames sent", name, n, len(r.port.out))
			r.port.out = nil
		}
	}
	before := r.card.Totals().TxMalformed
	tx.raw(contextOf(false, protoTCP, mac, 511, l4, 0))
	tx.add(f[:100], txPlain|chip.TxDCMDEOP|chip.TxDCMDRS|chip.TxPOPTSTXSM|1<<chip.TxIDXShift|pay(100))
	tx.kick()
	r.step(16)
	if n := r.card.Totals().TxMalformed - before; n != 1 {
		t.Errorf("a checksum beyond the end: %d malformed", n)
	}
	r.clean()
}

// The card takes tags out where RXDCTL.VME says so (7.4.2).
func TestStripTag(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		r.reg.Set(chip.RXDCTL(0), chip.RxdctlVME)
		r.step(0)
		plain := frame(100, 1)
		tagged := slices.Concat(plain[:12], []byte{0x81, 0, 0x20, 5}, plain[12:])
		r.port.push(tagged, plain)
		r.step(16)
		got := rx.take()
		if len(got) != 2 {
			t.Fatalf("%d frames", len(got))
		}
		for i, want := range []struct {
			vp  bool
			tag uint16
		}{{true, 0x2005}, {false, 0}} {
			if !bytes.Equal(got[i].data, plain) || got[i].w1&chip.RxVP != 0 != want.vp || chip.RxVLAN(got[i].w1) != want.tag {
				t.Errorf("frame %d: %#x, % x", i, got[i].w1, got[i].data)
			}
		}
		r.clean()
	})
}

// What a card in loopback sends it receives, without a cable (HLREG0.LPBK, AUTOC.FLU).
func TestLoopback(t *testing.T) {
	r := newRig(t, false)
	r.start()
	rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
	r.port.down = true
	r.reg.Set(chip.HLREG0, chip.Hlreg0LPBK)
	r.reg.Set(chip.AUTOC, chip.AutocFLU)
	r.port.push(frame(60, 99))
	for i := range 20 {
		tx.send(frame(60, i))
	}
	tx.kick()
	for range 4 {
		r.step(16)
	}
	if got := rx.take(); len(got) != 20 || len(r.port.out) != 0 {
		t.Errorf("%d frames came back, %d went out", len(got), len(r.port.out))
	}
	r.clean()
}

// Bits that a register does not have read as zero, as the pattern test of Linux's driver wants it.
func TestUnwritableBits(t *testing.T) {
	r := newRig(t, false)
	r.start()
	for off, want := range map[uint32]uint32{chip.RDLEN(0): 0xfff80, chip.TDLEN(3): 0xfff80, chip.RDBAL(1): 0xffffff80, chip.RAH(2): 0x8000ffff} {
		r.reg.Write32(off, 0xffff_ffff)
		if got := r.reg.Read32(off); got != want {
			t.Errorf("%#x: %#x, want %#x", off, got, want)
		}
	}
}
