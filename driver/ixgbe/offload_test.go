package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// flow is a UDP or TCP frame over IPv4 with right checksums, in which sums can be broken.
func flow(tcp bool, payload int, breakIP, breakL4 bool) []byte {
	sum := func(b []byte, more int) uint16 {
		for i, v := range b {
			more += int(v) << (8 - i%2*8)
		}
		for more > 0xffff {
			more = more>>16 + more&0xffff
		}
		return uint16(more)
	}
	head, proto, at := 8, byte(17), 6
	if tcp {
		head, proto, at = 20, 6, 16
	}
	l4 := make([]byte, head+payload)
	for i := range l4 {
		l4[i] = byte(i * 3)
	}
	if tcp {
		l4[12] = 5 << 4
	} else {
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	}
	ip := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1}
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(l4)))
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip, 0))
	l4[at], l4[at+1] = 0, 0
	binary.BigEndian.PutUint16(l4[at:], ^sum(l4, int(sum(ip[12:], int(proto)+len(l4)))))
	if breakIP {
		ip[10] ^= 1
	}
	if breakL4 {
		l4[at] ^= 1
	}
	return slices.Concat(own, []byte{2, 0, 0, 0, 0, 7, 8, 0}, ip, l4)
}

// partial is flow with a checksum of the pseudo header only.
func partial(tcp bool, payload int) (f []byte, start, offset int) {
	f = flow(tcp, payload, false, false)
	start, offset = 34, 6
	if tcp {
		offset = 16
	}
	sum := len(f) - 34 + int(f[23])
	for i := 26; i < 34; i += 2 {
		sum += int(binary.BigEndian.Uint16(f[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(f[start+offset:], uint16(sum))
	return f, start, offset
}

// What the card says of checksums, hash and tag is in the buffer, if the settings ask for it.
func TestTold(t *testing.T) {
	const all = nic.RxChecksum | nic.RxHash | nic.RxVLAN
	for _, room := range []int{2048, 1024} { // the long frame fits one buffer, or needs two
		r := open(t, nic.Config{Offloads: all, Room: room})
		if o := r.dev.Info().Offloads; o != all|nic.TxChecksum|nic.TxVLAN {
			t.Errorf("offloads %v", o)
		}
		plain := flow(false, 1200, false, false)
		tagged := slices.Concat(plain[:12], []byte{0x81, 0, 0x20, 5}, plain[12:])
		hash := uint32(0)
		for _, c := range []struct {
			what string
			in   []byte
			out  []byte
			want packet.Flags
		}{
			{"UDP", plain, nil, packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash},
			{"tagged", tagged, plain, packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash | packet.HasVLAN},
			{"tagged again", tagged, plain, packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash | packet.HasVLAN},
			{"TCP", flow(true, 1200, false, false), nil, packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash},
			{"bad IP", flow(true, 60, true, false), nil, packet.IPChecksumBad | packet.L4ChecksumGood | packet.HasHash},
			{"bad TCP", flow(true, 60, false, true), nil, packet.IPChecksumGood | packet.L4ChecksumBad | packet.HasHash},
			{"bad UDP, which may be none", flow(false, 60, false, true), nil, packet.IPChecksumGood | packet.HasHash},
			{"no IP", frame(60, 1), nil, 0},
		} {
			r.wire.put(c.in)
			r.step()
			var batch [2]*packet.Buf
			if n := r.dev.RxQueue(0).Receive(batch[:]); n != 1 {
				t.Fatalf("%s: %d frames", c.what, n)
			}
			b := batch[0]
			const mask = packet.IPChecksumGood | packet.IPChecksumBad | packet.L4ChecksumGood | packet.L4ChecksumBad | packet.HasHash | packet.HasVLAN
			if got := b.Flags() & mask; got != c.want {
				t.Errorf("%s: flags %#x, want %#x", c.what, got, c.want)
			}
			if tci, ok := b.VLAN(); ok && tci != 0x2005 {
				t.Errorf("%s: tag %#x", c.what, tci)
			}
			if c.what == "UDP" {
				hash = b.Hash()
			}
			if c.what == "tagged" && (b.Hash() != hash || hash == 0) {
				t.Errorf("hash %#x, and %#x without a tag", b.Hash(), hash)
			}
			want := c.out
			if want == nil {
				want = c.in
			}
			if got := b.AppendTo(nil); !bytes.Equal(got, want) {
				t.Errorf("%s: % x, want % x", c.what, got, want)
			}
			packet.Free(batch[:1])
		}
		// The loop for whole batches says the same as the slow way.
		var frames [][]byte
		for i := range 200 {
			frames = append(frames, flow(i%2 == 0, 60, i%3 == 0, false))
			r.wire.put(frames[i])
		}
		for got := 0; got < 200; {
			r.step()
			batch := make([]*packet.Buf, 64)
			n := r.dev.RxQueue(0).Receive(batch)
			for i, b := range batch[:n] {
				want := packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash
				if (got+i)%3 == 0 {
					want ^= packet.IPChecksumGood | packet.IPChecksumBad
				}
				if b.Flags()&(want|packet.IPChecksumBad|packet.IPChecksumGood) != want || !bytes.Equal(b.AppendTo(nil), frames[got+i]) {
					t.Fatalf("frame %d: flags %#x, want %#x", got+i, b.Flags(), want)
				}
			}
			packet.Free(batch[:n])
			got += n
		}
	}
	r := open(t, nic.Config{})
	r.wire.put(flow(false, 60, false, false))
	r.step()
	var batch [1]*packet.Buf
	if n := r.dev.RxQueue(0).Receive(batch[:]); n != 1 || batch[0].Flags() != packet.PortFlags(0) {
		t.Errorf("%d frames, flags %#x, and nobody asked for offloads", n, batch[0].Flags())
	}
	packet.Free(batch[:])
}

// The card completes checksums and inserts tags; frames alike share one context, and buffers come back.
func TestCardCompletes(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64, Buffers: 1024})
	var want [][]byte
	send := func(b *packet.Buf) {
		t.Helper()
		batch := []*packet.Buf{b}
		for range 3 {
			if r.dev.TxQueue(0).Send(batch) == 1 {
				return
			}
			r.step()
		}
		t.Fatal("the ring stays full")
	}
	for i := range 300 {
		tcp := i/7%2 == 0
		f, start, offset := partial(tcp, 60+i)
		b := r.buf(f, []int{2048, 70}[i%2])
		b.SetChecksum(start, offset)
		whole := flow(tcp, 60+i, false, false)
		if i/5%2 == 0 {
			b.SetVLAN(uint16(i / 50))
			whole = slices.Concat(whole[:12], []byte{0x81, 0, 0, byte(i / 50)}, whole[12:])
		}
		send(b)
		if !bytes.Equal(b.AppendTo(nil), f) {
			t.Fatal("the driver did what the card can do")
		}
		want = append(want, whole)
		if i%9 == 0 { // one that needs nothing in between
			send(r.buf(frame(100, byte(i)), 2048))
			want = append(want, frame(100, byte(i)))
		}
		r.step()
	}
	r.step()
	same(t, "sent", r.wire.out, want)
	if s := r.stats(); s.TxDropped != 0 {
		t.Errorf("stats %s", brief(s))
	}
	// A tag in the frame moves the headers; what the card cannot do the driver does.
	r.wire.out = nil
	f, start, offset := partial(true, 100)
	tagged := slices.Concat(f[:12], []byte{0x81, 0, 0, 9}, f[12:])
	whole := flow(true, 100, false, false)
	b := r.buf(tagged, 2048)
	b.SetChecksum(start+4, offset)
	send(b)
	odd := r.buf(f, 2048)
	odd.SetChecksum(start, offset+2) // no protocol that the card knows has its checksum there
	send(odd)
	r.step()
	same(t, "tagged", r.wire.out[:1], [][]byte{slices.Concat(whole[:12], []byte{0x81, 0, 0, 9}, whole[12:])})
	if len(r.wire.out) != 2 || bytes.Equal(r.wire.out[1], f) {
		t.Errorf("%d frames; an odd checksum is left as it was", len(r.wire.out))
	}
	r.idle(32)
}
