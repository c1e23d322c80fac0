//go:build guest

package guest

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
)

// toeplitz is the hash that cards spread flows by (Microsoft, "RSS hashing functions"; 82576 7.1.1.7.1), with the key
// that the driver gives them: 0x6d5a over and over.
func toeplitz(input []byte) (hash uint32) {
	window := uint64(0x6d5a6d5a6d5a6d5a)
	for _, b := range input {
		for bit := 7; bit >= 0; bit-- {
			if b>>bit&1 != 0 {
				hash ^= uint32(window >> 32)
			}
			window = window<<1 | window>>15&1 // the key repeats after 16 bits
		}
	}
	return hash
}

// TestRSS sends flows from a card of one queue to one of four and looks which queue each comes in by: the one that the
// hash says, the same for both directions of a flow, and queue 0 for what is no IP.
func TestRSS(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c...)
	const queues, flows = 4, 64
	from := open(t, nic.Config{}, c[0])[0]
	to := open(t, nic.Config{RxQueues: queues, TxQueues: queues}, c[1])[0]
	r := &receiver{from: from, to: to, batch: make([]*packet.Buf, 32)}
	r.first(t)
	a4, b4 := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.19.0.1")
	a6, b6 := netip.MustParseAddr("2001:2::1"), netip.MustParseAddr("2001:2::2")
	for _, k := range []struct {
		template string
		a, b     netip.Addr
	}{{traffic.UDP4, a4, b4}, {traffic.TCP4, a4, b4}, {traffic.UDP6, a6, b6}} {
		used := [queues]int{}
		for i := range uint16(flows) {
			port := 1024 + 257*i
			there := r.queue(t, traffic.Spec{Template: k.template, Src: k.a, Dst: k.b, SrcPort: port, DstPort: 80})
			back := r.queue(t, traffic.Spec{Template: k.template, Src: k.b, Dst: k.a, SrcPort: 80, DstPort: port})
			tuple := append(k.a.AsSlice(), k.b.AsSlice()...)
			tuple = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(tuple, port), 80)
			if want := int(toeplitz(tuple) % 128 % queues); there != want || back != want {
				t.Errorf("%s, port %d: queues %d and back %d, want %d", k.template, port, there, back, want)
			}
			used[there]++
		}
		t.Logf("%s: %v flows in the queues", k.template, used)
		for q, n := range used {
			if n == 0 {
				t.Errorf("%s: %d flows, none of them in queue %d", k.template, flows, q)
			}
		}
	}
	r.others(t, a4, b4)
	if q := r.queue(t, traffic.Spec{Template: traffic.Raw}); q != 0 {
		t.Errorf("a frame without addresses comes in by queue %d", q)
	}
	for _, d := range []nic.Device{from, to} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	giveBack()
}

// others has the card hash UDP only, with another key and another table.
func (r *receiver) others(t *testing.T, a, b netip.Addr) {
	t.Helper()
	h := nic.Hashing{Key: nic.VerificationKey, Protocols: nic.HashUDP4}
	for i := range h.Table {
		h.Table[i] = uint8(3 - i%3) // none is queue 0
	}
	if err := r.to.(nic.Hasher).SetHash(h); err != nil {
		t.Fatal(err)
	}
	computed := nic.NewToeplitz(h.Key, h.Protocols)
	for i := range uint16(16) {
		s := traffic.Spec{Template: traffic.UDP4, Src: a, Dst: b, SrcPort: 1024 + 257*i, DstPort: 80}
		frames, err := traffic.New(s)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, frames.Size(0))
		frames.Render(data, 0)
		hash, ok := computed.Hash(data)
		if q := r.queue(t, s); !ok || q != int(h.Table[hash%128]) {
			t.Errorf("another key, port %d: queue %d, want %d", s.SrcPort, q, h.Table[hash%128])
		}
		s.Template = traffic.TCP4
		if q := r.queue(t, s); q != 0 {
			t.Errorf("TCP is not hashed and comes in by queue %d", q)
		}
	}
}

// receiver sends frames and sees where they arrive.
type receiver struct {
	from, to nic.Device
	batch    []*packet.Buf
	by       int // the queue that sends
}

// queue sends one frame and returns the queue that it came in by. Other frames may come before it: those that first sent
// while the cards started.
func (r *receiver) queue(t *testing.T, s traffic.Spec) (queue int) {
	t.Helper()
	sent := r.send(t, s)
	await(t, "a frame of "+s.Template, func() bool {
		queue = r.poll(sent)
		return queue >= 0
	})
	return queue
}

// first sends frames until one arrives: cards that have just started lose some.
func (r *receiver) first(t *testing.T) {
	t.Helper()
	await(t, "the first frame", func() bool {
		return r.poll(r.send(t, traffic.Spec{})) >= 0
	})
}

// poll takes what has come in and returns the queue in which a frame came that begins with sent, -1 for none.
func (r *receiver) poll(sent []byte) int {
	found := -1
	for q := range r.to.Info().RxQueues {
		n := r.to.RxQueue(q).Receive(r.batch)
		for _, b := range r.batch[:n] {
			if bytes.HasPrefix(b.Bytes(), sent) {
				found = q
			}
		}
		packet.Free(r.batch[:n])
	}
	return found
}

// send returns the bytes that it sent.
func (r *receiver) send(t *testing.T, s traffic.Spec) []byte {
	t.Helper()
	frames, err := traffic.New(s)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]*packet.Buf, 1)
	if r.from.Info().Pool.Alloc(one) != 1 {
		t.Fatal("the pool is empty")
	}
	one[0].SetOffsetLen(packet.Headroom, frames.Size(0))
	frames.Render(one[0].Bytes(), 0)
	sent := bytes.Clone(one[0].Bytes())
	if r.from.TxQueue(r.by).Send(one) != 1 {
		t.Fatal("the ring is full")
	}
	return sent
}
