package ixgbe_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
)

var (
	serviceTag  = []byte{0x88, 0xa8, 0x40, 7}
	customerTag = []byte{0x81, 0, 0x20, 5}
	otherTag    = []byte{0x81, 0, 0x20, 6}
)

// with returns a frame with tags behind its addresses.
func with(f []byte, tags ...[]byte) []byte {
	return slices.Concat(f[:12], slices.Concat(tags...), f[12:])
}

// What the card says of received frames, and strips, is of what lies behind the outer tag, which stays.
func TestOuterReceived(t *testing.T) {
	const asked = nic.RxChecksum | nic.RxHash | nic.RxVLAN | nic.OuterVLAN
	for _, room := range []int{2048, 1024} {
		r := open(t, nic.Config{Offloads: asked, Room: room, VLANs: []uint16{5}, RxQueues: 2})
		if o := r.dev.Info().Offloads; o&asked != asked {
			t.Errorf("offloads %v", o)
		}
		if err := r.dev.SetRules([]nic.Rule{{EtherType: 0x9000, Queue: 1}}); err != nil {
			t.Fatal(err)
		}
		const good = packet.IPChecksumGood | packet.L4ChecksumGood | packet.HasHash
		plain := flow(false, 1472, false, false) // as long as an MTU of 1500 allows
		ruled := slices.Concat(frame(60, 1)[:12], []byte{0x90, 0}, frame(60, 1)[14:])
		for _, c := range []struct {
			what    string
			in, out []byte
			flags   packet.Flags
			queue   int
		}{
			{"both tags", with(plain, serviceTag, customerTag), with(plain, serviceTag), good | packet.HasVLAN, 0},
			{"the outer one", with(plain, serviceTag), with(plain, serviceTag), good, 0},
			{"another VLAN", with(plain, serviceTag, otherTag), nil, 0, 0},
			{"damaged", with(flow(true, 60, false, true), serviceTag, customerTag), with(flow(true, 60, false, true), serviceTag),
				good ^ packet.L4ChecksumGood | packet.L4ChecksumBad | packet.HasVLAN, 0},
			{"a rule", with(ruled, serviceTag, customerTag), with(ruled, serviceTag), packet.HasVLAN, 1},
			{"none", plain, plain, 0, 0},
			{"only an inner one, of another VLAN", with(plain, otherTag), with(plain, otherTag), 0, 0},
			{"short", with(frame(60, 2), serviceTag)[:60], with(frame(60, 2), serviceTag)[:60], 0, 0},
		} {
			r.wire.put(c.in)
			r.step()
			var batch [2]*packet.Buf
			n := r.dev.RxQueue(c.queue).Receive(batch[:])
			if want := min(len(c.out), 1); n != want {
				t.Errorf("%s: %d frames, want %d", c.what, n, want)
				continue
			}
			if n == 0 {
				continue
			}
			b := batch[0]
			if got := b.AppendTo(nil); !bytes.Equal(got, c.out) {
				t.Errorf("%s: % x, want % x", c.what, got[:min(len(got), 40)], c.out[:40])
			}
			const mask = packet.IPChecksumGood | packet.IPChecksumBad | packet.L4ChecksumGood | packet.L4ChecksumBad | packet.HasHash | packet.HasVLAN
			if got := b.Flags() & mask; c.queue == 0 && got != c.flags {
				t.Errorf("%s: flags %#x, want %#x", c.what, got, c.flags)
			}
			if tci, ok := b.VLAN(); ok && tci != 0x2005 {
				t.Errorf("%s: tag %#x", c.what, tci)
			}
			packet.Free(batch[:n])
		}
	}
	// Without it the outer tag is all that the card sees.
	r := open(t, nic.Config{Offloads: asked &^ nic.OuterVLAN})
	f := flow(false, 1000, false, false)
	r.wire.put(with(f, serviceTag, customerTag))
	r.step()
	var batch [1]*packet.Buf
	if n := r.dev.RxQueue(0).Receive(batch[:]); n != 1 || batch[0].Flags()&(packet.HasVLAN|packet.IPChecksumGood) != 0 {
		t.Errorf("%d frames, flags %#x", n, batch[0].Flags())
	}
	packet.Free(batch[:])
}

// Frames of any MTU may have both tags.
func TestOuterLongest(t *testing.T) {
	for _, mtu := range []int{1500, 4000, 9710} {
		r := open(t, nic.Config{Offloads: nic.OuterVLAN, MTU: mtu})
		for _, more := range []int{0, 1} {
			r.wire.put(with(frame(14+mtu+more, 1), serviceTag, customerTag))
			r.step()
			if n := len(r.receive()); n != 1-more {
				t.Errorf("MTU %d, and %d bytes more: %d frames", mtu, more, n)
			}
		}
		if n := r.counter("ROC"); n != 1 {
			t.Errorf("MTU %d: the card found %d frames too long, want 1", mtu, n)
		}
	}
}

// outerFrames sends frames whose tags, checksums and segments are left to the card or the driver, and returns what they
// should be.
func (r *rig) outerFrames() (want [][]byte) {
	for _, tcp := range []bool{false, true} {
		whole := flow(tcp, 300, false, false)
		f, start, offset := partial(tcp, 300)
		for _, c := range []struct {
			in     [][]byte // tags
			beside bool     // a tag
			out    [][]byte
		}{
			{[][]byte{serviceTag}, true, [][]byte{serviceTag, customerTag}},
			{[][]byte{serviceTag}, false, [][]byte{serviceTag}},
			{[][]byte{serviceTag, customerTag}, false, [][]byte{serviceTag, customerTag}},
			{nil, true, [][]byte{customerTag}},
			{nil, false, nil},
			{[][]byte{customerTag}, false, [][]byte{customerTag}},
		} {
			b := r.buf(with(f, c.in...), 2048)
			b.SetChecksum(start+4*len(c.in), offset)
			if c.beside {
				b.SetVLAN(0x2005)
			}
			r.sendOne(b)
			want = append(want, with(whole, c.out...))
		}
		b := r.buf(with(whole, serviceTag), 2048)
		b.SetVLAN(0x2005)
		r.sendOne(b)
		want = append(want, with(whole, serviceTag, customerTag))
	}
	r.step()
	return want
}

// A tag goes behind the outer one, by the card or by the driver, and what is left to do is done.
func TestOuterSent(t *testing.T) {
	for _, o := range []nic.Offloads{nic.OuterVLAN, 0} {
		r := open(t, nic.Config{Offloads: o, Buffers: 1024})
		want := r.outerFrames()
		same(t, o.String(), r.wire.out, want)
		if s := r.stats(); s.TxDropped != 0 || r.sim.Card.Totals().TxMalformed != 0 {
			t.Errorf("%v: stats %s, %d malformed", o, brief(s), r.sim.Card.Totals().TxMalformed)
		}
		r.idle(32)
	}
	// The card does it where it can: the driver leaves the frame as it is.
	r := open(t, nic.Config{Offloads: nic.OuterVLAN, Buffers: 1024})
	f, start, offset := partial(true, 300)
	b := r.buf(with(f, serviceTag), 2048)
	b.SetChecksum(start+4, offset)
	b.SetVLAN(0x2005)
	r.sendOne(b)
	if !bytes.Equal(b.AppendTo(nil), with(f, serviceTag)) {
		t.Error("the driver did what the card can do")
	}
	r.step()
}

// The card cuts large frames behind both tags, and tshark finds the service tag in front and all checksums right.
func TestOuterJudged(t *testing.T) {
	r := open(t, nic.Config{Buffers: 2048, Offloads: nic.OuterVLAN | nic.TxSegment})
	want := len(r.outerFrames())
	b := r.large(false, frame(10014, 1)[14:], 1400, 2048)
	copy(b.Prepend(4), b.Bytes()[4:16])
	copy(b.Bytes()[12:], serviceTag)
	b.SetVLAN(0x2005)
	if !r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
		t.Fatal("a large frame is refused")
	}
	r.sendOne(b)
	r.step()
	lines := dissected(t, r.wire.out, "eth.type", "ieee8021ad.id", "vlan.id", "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status")
	if len(lines) != want+8 {
		t.Fatalf("%d frames, want %d and 8 segments:\n%s", len(lines), want, strings.Join(lines, "\n"))
	}
	for i, line := range lines {
		if v := strings.Split(line, "\t"); len(v) != 6 || (v[0] == "0x88a8") != (v[1] != "") || v[3] != "1" || v[4]+v[5] != "1" {
			t.Errorf("frame %d: %q", i, line)
		}
	}
	for _, line := range lines[want:] {
		if !strings.HasPrefix(line, "0x88a8\t7\t5\t") {
			t.Errorf("segment %q", line)
		}
	}
}

// A card is as it was for the next port that has no outer tag.
func TestOuterOff(t *testing.T) {
	s, w := card(t, model.Config{})
	for _, o := range []nic.Offloads{nic.OuterVLAN, 0} {
		d := openOn(t, s, nic.Config{Offloads: o | nic.RxVLAN, VLANs: []uint16{5}})
		r := &rig{t: t, sim: s, wire: w, dev: d}
		w.put(with(frame(60, 1), otherTag))
		r.step()
		if n := len(r.receive()); (n == 1) != (o != 0) { // nothing filters what has no outer tag
			t.Errorf("%v: %d frames", o, n)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
