package ixgbe_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"glassnic/nic"
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
