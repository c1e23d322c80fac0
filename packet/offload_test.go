package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// onesComplement is the sum of RFC 1071 as its text has it: 16-bit words, big-endian, one by one.
func onesComplement(data []byte) uint16 {
	sum := 0
	for i, b := range data {
		if i%2 == 0 {
			sum += int(b) << 8
		} else {
			sum += int(b)
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

// chain makes a frame of data, cut into parts.
func chain(t interface{ Fatal(...any) }, p *Pool, data []byte, parts ...int) *Buf {
	var head, last *Buf
	for len(data) > 0 {
		var got [1]*Buf
		if p.Alloc(got[:]) != 1 {
			t.Fatal("the pool is empty")
		}
		n := len(data)
		if len(parts) > 0 {
			n, parts = min(n, parts[0]), parts[1:]
		}
		got[0].SetBytes(data[:n])
		if data = data[n:]; head == nil {
			head = got[0]
		} else {
			last.SetNext(got[0])
		}
		last = got[0]
	}
	return head
}

// Whatever the frame and however it lies in buffers: completed, what the checksum covers sums to all ones.
func TestCompleteChecksum(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 14, 3000).Draw(t, "data")
		start := rapid.IntRange(0, len(data)-2).Draw(t, "start")
		offset := rapid.IntRange(0, (len(data)-start-2)/2).Draw(t, "offset") * 2
		parts := rapid.SliceOfN(rapid.IntRange(1, 2000), 2, 40).Draw(t, "parts")
		b := chain(t, p, data, parts...)
		defer Free([]*Buf{b})
		b.SetChecksum(start, offset)
		if s, o, ok := b.Checksum(); !ok || s != start || o != offset {
			t.Fatalf("checksum from %d at %d, %v", s, o, ok)
		}
		if !b.Complete(TxMask) || b.Flags()&NeedsChecksum != 0 {
			t.Fatalf("not completed: flags %#x", b.Flags())
		}
		got := b.AppendTo(nil)
		want := ^onesComplement(data[start:])
		if want == 0 {
			want = 0xffff
		}
		if sum := binary.BigEndian.Uint16(got[start+offset:]); sum != want {
			t.Fatalf("checksum %04x, want %04x", sum, want)
		}
		copy(got[start+offset:], data[start+offset:start+offset+2])
		if !bytes.Equal(got, data) {
			t.Fatal("the frame has changed")
		}
	})
}

// TestCompleteKnown is the example of RFC 1071 section 3, and a sum that comes out as zero.
func TestCompleteKnown(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	for _, c := range []struct{ data, want string }{
		{"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7\x00\x00", "220d"},
		{"\x00\x01\xff\xfe\x00\x00", "ffff"},
	} {
		b := chain(t, p, []byte(c.data))
		b.SetChecksum(0, len(c.data)-2)
		if !b.Complete(NeedsChecksum) {
			t.Fatal("not completed")
		}
		if got := fmt.Sprintf("%x", b.Bytes()[len(c.data)-2:]); got != c.want {
			t.Errorf("% x: checksum %s, want %s", c.data, got, c.want)
		}
		Free([]*Buf{b})
	}
}

func TestCompleteTag(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64, Room: 256})
	data := make([]byte, 100)
	for i := range data {
		data[i] = byte(i)
	}
	serviceTag := []byte{0x88, 0xa8, 0, 9}
	for name, prepare := range map[string]func(b *Buf){
		"headroom":    func(*Buf) {},
		"no headroom": func(b *Buf) { b.Prepend(Headroom); copy(b.Bytes(), data); b.Truncate(100) },
		"service tag": func(b *Buf) { copy(b.Bytes()[12:], serviceTag) },
		"no headroom, service tag": func(b *Buf) {
			b.Prepend(Headroom)
			copy(b.Bytes(), data)
			copy(b.Bytes()[12:], serviceTag)
			b.Truncate(100)
		},
		"half a service tag": func(b *Buf) { copy(b.Bytes()[12:], serviceTag); b.Truncate(15) },
	} {
		t.Run(name, func(t *testing.T) {
			b := one(t, p)
			b.SetBytes(data)
			prepare(b)
			was, at := bytes.Clone(b.Bytes()), 12
			if len(was) >= 16 && was[12] == 0x88 {
				at = 16
			}
			want := slices.Concat(was[:at], []byte{0x81, 0, 0x3f, 0xff}, was[at:])
			b.SetVLAN(0x3fff)
			b.SetChecksum(34, 6)
			if !b.Complete(HasVLAN) || b.Flags() != NeedsChecksum {
				t.Fatalf("flags %#x", b.Flags())
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("% x, want % x", b.Bytes(), want)
			}
			if start, offset, _ := b.Checksum(); start != 38 || offset != 6 {
				t.Errorf("checksum from %d at %d behind a tag", start, offset)
			}
		})
	}
}

// TestIncomplete: what cannot be is refused.
func TestIncomplete(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64, Room: 128})
	full := func(b *Buf) {
		b.Prepend(Headroom)
		for b.Append(1) != nil {
		}
		b.SetVLAN(1)
	}
	for name, prepare := range map[string]func(b *Buf){
		"checksum beyond the end":   func(b *Buf) { b.SetChecksum(90, 9) },
		"start beyond the end":      func(b *Buf) { b.SetChecksum(101, 0) },
		"start before the frame":    func(b *Buf) { b.SetChecksum(3, 20); b.TrimFront(4) },
		"huge":                      func(b *Buf) { b.SetChecksum(65535-Headroom, 65535) },
		"tag for half a header":     func(b *Buf) { b.Truncate(11); b.SetVLAN(1) },
		"tag that does not fit":     full,
		"checksum of a short frame": func(b *Buf) { b.Truncate(1); b.SetChecksum(0, 0) },
	} {
		b := one(t, p)
		b.SetBytes(make([]byte, 100))
		prepare(b)
		if b.Complete(TxMask) {
			t.Errorf("%s: completed", name)
		}
	}
	b := one(t, p)
	b.SetVLAN(1)
	b.SetChecksum(0, 0)
	if !b.Complete(Chained) || b.Flags() != HasVLAN|NeedsChecksum {
		t.Errorf("flags %#x after nothing was asked for", b.Flags())
	}
}
