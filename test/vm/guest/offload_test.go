//go:build guest

package guest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// TestOffload takes virtio devices in pairs. A frame with a partial checksum and a tag apart arrives whole at a port that
// did not ask for offloads: the host's kernel has completed it. At one that asked it is as partial as it was sent, or
// verified. And the device passes those VLANs that it was told.
func TestOffload(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c...)
	for i := 0; i < len(c); i += 2 {
		from := open(t, nic.Config{}, c[i])[0]
		if from.Info().Offloads != nic.TxChecksum {
			t.Errorf("card %d: offloads %v", i, from.Info().Offloads)
		}
		for _, wanted := range []nic.Offloads{0, nic.RxPartial} {
			to := open(t, nic.Config{Offloads: wanted, VLANs: []uint16{5}}, c[i+1])[0]
			if to.Info().Offloads != nic.TxChecksum|wanted {
				t.Errorf("card %d: offloads %v", i+1, to.Info().Offloads)
			}
			o := &offloaded{w: &pairOnWire{from, to, make([]*packet.Buf, 64)}}
			o.first(t)
			partial := 0
			for n := range 100 {
				if o.checksum(t, wanted != 0, n%2 != 0) {
					partial++
				}
			}
			t.Logf("asked for %v: %d of 100 checksums arrive partial", wanted, partial)
			o.vlans(t)
			if s, err := to.Stats(); err != nil || s.RxErrors+s.RxDropped+s.TxDropped != 0 {
				t.Errorf("%+v, %v", s, err)
			}
			if err := to.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("cards %d and %d are good", i, i+1)
	}
	giveBack()
}

type offloaded struct {
	w *pairOnWire
	n byte // of frames
}

// udp is a frame of UDP over IPv4 whose checksum covers the pseudo header only (RFC 768), and the whole frame.
func (o *offloaded) udp() (partial, whole []byte) {
	o.n++
	f := make([]byte, 200)
	for i := range f {
		f[i] = byte(i) * o.n
	}
	copy(f, o.w.to.Info().MAC)
	copy(f[6:], []byte{2, 0, 0, 0, 0, 7, 8, 0})
	ip, udp := f[14:34], f[34:]
	copy(ip, []byte{0x45, 0, 0, 186, 0, o.n, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1})
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip))
	copy(udp, []byte{0x12, o.n, 0, 80, 0, 166, 0, 0})
	pseudo := append(slices.Clone(ip[12:20]), 0, 17, 0, 166)
	binary.BigEndian.PutUint16(udp[6:], sum(pseudo))
	whole = slices.Clone(f)
	binary.BigEndian.PutUint16(whole[40:], ^sum(udp))
	return f, whole
}

// sum is the sum of RFC 1071.
func sum(b []byte) uint16 {
	n := 0
	for i, v := range b {
		n += int(v) << (8 - i%2*8)
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

func tagged(f []byte, id byte) []byte {
	return slices.Concat(f[:12], []byte{0x81, 0, 0, id}, f[12:])
}

// buf is a frame in a buffer of the sending port.
func (o *offloaded) buf(t *testing.T, f []byte) *packet.Buf {
	t.Helper()
	one := make([]*packet.Buf, 1)
	if o.w.from.Info().Pool.Alloc(one) != 1 {
		t.Fatal("the pool is empty")
	}
	one[0].SetBytes(f)
	return one[0]
}

// next is the next frame, of those that a test sent, that arrives.
func (o *offloaded) next(t *testing.T) *packet.Buf {
	t.Helper()
	one := make([]*packet.Buf, 1)
	await(t, "a frame", func() bool { return o.w.to.RxQueue(0).Receive(one) == 1 })
	return one[0]
}

// first sends frames until one arrives, and takes all of them: wires that have just started lose some.
func (o *offloaded) first(t *testing.T) {
	t.Helper()
	mark, last := data(o.w.to.Info().MAC, 60, 1), data(o.w.to.Info().MAC, 60, 2)
	take := func(f []byte) bool {
		n, found := o.w.to.RxQueue(0).Receive(o.w.batch), false
		for _, b := range o.w.batch[:n] {
			found = found || bytes.Equal(b.Bytes(), f)
		}
		packet.Free(o.w.batch[:n])
		return found
	}
	await(t, "the first frame", func() bool {
		o.w.send(t, o.w.from, mark)
		return take(mark)
	})
	o.w.send(t, o.w.from, last)
	await(t, "the last of the first frames", func() bool { return take(last) })
}

// checksum sends a frame that has to be completed. It tells whether the frame arrives as partial as it was sent.
func (o *offloaded) checksum(t *testing.T, wanted, tag bool) (left bool) {
	t.Helper()
	partial, want := o.udp()
	b, start := o.buf(t, partial), 34
	b.SetChecksum(start, 6)
	if tag {
		b.SetVLAN(5)
		partial, want, start = tagged(partial, 5), tagged(want, 5), 38
	}
	o.w.from.TxQueue(0).Send([]*packet.Buf{b})
	got := o.next(t)
	from, offset, left := got.Checksum()
	switch {
	case left && !wanted:
		t.Error("a partial checksum that nobody asked for")
	case left && (from != start || offset != 6 || !bytes.Equal(got.Bytes(), partial)):
		t.Errorf("partial, from %d at %d: % x\nwant % x", from, offset, got.Bytes(), partial)
	case !left && wanted && got.Flags()&packet.L4ChecksumGood == 0:
		t.Errorf("flags %#x: neither partial nor verified", got.Flags())
	}
	if !got.Complete(packet.TxMask) || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("completed: % x\nwant % x", got.Bytes(), want)
	}
	packet.Free([]*packet.Buf{got})
	return left
}

// vlans looks which VLANs the device passes. QEMU's passes all to a promiscuous port.
func (o *offloaded) vlans(t *testing.T) {
	t.Helper()
	do := func(err error) {
		if t.Helper(); err != nil {
			t.Error(err)
		}
	}
	do(o.w.to.SetPromiscuous(false))
	to := o.w.to.(nic.VLANFilterer)
	for _, step := range []struct{ ids []uint16 }{{[]uint16{5}}, {[]uint16{6, 7}}, {nil}} {
		do(to.SetVLANs(step.ids))
		var want [][]byte
		for id := byte(4); id < 9; id++ {
			f, _ := o.udp()
			f = tagged(f, id)
			o.w.send(t, o.w.from, f)
			if slices.Contains(step.ids, uint16(id)) {
				want = append(want, f)
			}
		}
		last, _ := o.udp() // without a tag
		o.w.send(t, o.w.from, last)
		for _, f := range append(want, last) {
			got := o.next(t)
			if !bytes.Equal(got.Bytes(), f) {
				t.Fatalf("VLANs %v: % x, want % x", step.ids, got.Bytes()[:20], f[:20])
			}
			packet.Free([]*packet.Buf{got})
		}
	}
	do(o.w.to.SetPromiscuous(true))
	do(to.SetVLANs([]uint16{5}))
}
