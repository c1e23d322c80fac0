package ixgbe_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
)

// ip makes a frame of a flow: TCP or UDP over IPv4 or IPv6 between hosts a and b.
func ip(v6, tcp bool, a, b byte, sport, dport uint16) []byte {
	f := frame(90, 0)
	l4 := 34
	if v6 {
		l4 = 54
		binary.BigEndian.PutUint16(f[12:], 0x86dd)
		f[14], f[20] = 0x60, 17
		binary.BigEndian.PutUint16(f[18:], 36)
		f[37], f[53] = a, b
		if tcp {
			f[20] = 6
		}
	} else {
		binary.BigEndian.PutUint16(f[12:], 0x0800)
		f[14], f[23] = 0x45, 17
		binary.BigEndian.PutUint16(f[16:], 76)
		f[20], f[21] = 0, 0
		copy(f[26:], []byte{10, 0, 0, a, 10, 0, 0, b})
		if tcp {
			f[23] = 6
		}
	}
	binary.BigEndian.PutUint16(f[l4:], sport)
	binary.BigEndian.PutUint16(f[l4+2:], dport)
	return f
}

// Frames of one connection meet in one queue, whatever their direction, and connections spread.
func TestReceiveQueues(t *testing.T) {
	for _, queues := range []int{2, 3, 4, 16} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) {
			r := open(t, nic.Config{RxQueues: queues, RxRing: 64, Buffers: 64*queues + 4096})
			seen := make([]int, queues)
			total := 0
			for flow := range 64 {
				v6, tcp := flow&1 != 0, flow&2 != 0
				a, b, sport, dport := byte(flow), byte(200-flow), uint16(1000+flow*7), uint16(80)
				there, back := ip(v6, tcp, a, b, sport, dport), ip(v6, tcp, b, a, dport, sport)
				for i := range 4 {
					f := there
					if i%2 != 0 {
						f = back
					}
					r.wire.put(f)
				}
				r.step()
				home := -1
				for q := range queues {
					n := len(r.receiveFrom(q, 8))
					if n == 0 {
						continue
					}
					if home >= 0 || n != 4 {
						t.Fatalf("flow %d (v6 %v, tcp %v): %d of 4 frames in queue %d", flow, v6, tcp, n, q)
					}
					home = q
					seen[q] += n
					total += n
				}
			}
			for q, n := range seen {
				if n == 0 {
					t.Errorf("queue %d got nothing of 64 flows: %v", q, seen)
				}
				if c := r.counter(fmt.Sprintf("QPRC[%d]", q)); c != uint64(n) {
					t.Errorf("queue %d received %d and counts %d", q, n, c)
				}
			}
			if s := r.stats(); s.RxPackets != uint64(total) || total != 256 {
				t.Errorf("%d received, %d counted, want 256", total, s.RxPackets)
			}
		})
	}
}

var _ nic.Hasher = (*ixgbe.Device)(nil)

// Two connections with the hashes that Microsoft publishes for nic.VerificationKey, of addresses with and without ports.
var published = []struct {
	v6               bool
	addresses, ports []byte
	full, plain      uint32
}{
	{false, []byte{66, 9, 149, 187, 161, 142, 100, 80}, []byte{0x0a, 0xea, 0x06, 0xe6}, 0x51ccc178, 0x323e8fc2},
	{
		true, []byte{
			0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7,
			0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1,
		}, []byte{0x0a, 0xea, 0x06, 0xe6}, 0x40207d3d, 0x2cc18cd5,
	},
}

// The hash of a frame is that of the key, of the protocols that are set, and leads by the table to its queue, on cards
// whose table has 128 entries and 512.
func TestSetHash(t *testing.T) {
	for _, device := range []uint16{0x10fb, 0x1563} {
		s, w := card(t, model.Config{Device: device})
		r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxQueues: 4, RxRing: 64, Offloads: nic.RxHash})}
		if h := r.dev.Hash(); h != nic.DefaultHashing(4) || r.dev.Hashable() != nic.HashAll {
			t.Fatalf("%04x: as opened %v of %v", device, h.Protocols, r.dev.Hashable())
		}
		for bit := range 6 {
			h := nic.Hashing{Key: nic.VerificationKey, Protocols: 1 << bit}
			for _, p := range published {
				for _, hash := range []uint32{p.full, p.plain} {
					h.Table[hash%128] = uint8(1 + hash%3)
				}
			}
			if err := r.dev.SetHash(h); err != nil || r.dev.Hash() != h {
				t.Fatal(err)
			}
			for _, p := range published {
				for _, tcp := range []bool{true, false} {
					f := ip(p.v6, tcp, 0, 0, 0, 0)
					at, first := 26, nic.HashIPv4
					if p.v6 {
						at, first = 22, nic.HashIPv6
					}
					copy(f[at+copy(f[at:], p.addresses):], p.ports)
					full := first << 1
					if !tcp {
						full <<= 1
					}
					want, queue := uint32(0), uint32(0)
					switch h.Protocols {
					case first:
						want, queue = p.plain, 1+p.plain%3
					case full:
						want, queue = p.full, 1+p.full%3
					}
					r.wire.put(f)
					r.step()
					var b [1]*packet.Buf
					for q := range 4 {
						if n := r.dev.RxQueue(q).Receive(b[:]); n > 0 != (q == int(queue)) {
							t.Fatalf("%04x: %v of v6 %v, TCP %v: %d frames in queue %d, want them in %d", device, h.Protocols, p.v6, tcp, n, q, queue)
						} else if n == 0 {
							continue
						}
						if has := b[0].Flags()&packet.HasHash != 0; has != (want != 0) || has && b[0].Hash() != want {
							t.Errorf("%04x: %v of v6 %v, TCP %v: hash %#x %v, want %#x", device, h.Protocols, p.v6, tcp, b[0].Hash(), has, want)
						}
						packet.Free(b[:])
					}
				}
			}
		}
		before := r.dev.Hash()
		bad := before
		bad.Table[127] = 4
		if err := r.dev.SetHash(bad); err == nil || !strings.Contains(err.Error(), "sim:test: set hash: queue 4 in entry 127") || r.dev.Hash() != before {
			t.Error(err)
		}
	}
}
