package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	chip "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// stream is a TCP connection whose segments a test has arrive.
type stream struct {
	port     layers.TCPPort
	sequence uint32
	tag      uint16
	sent     []byte
}

// segment is the next one, with so much payload.
func (s *stream) segment(t tb, n int, push bool) []byte {
	t.Helper()
	eth := &layers.Ethernet{
		DstMAC: net.HardwareAddr{2, 0, 0, 0x82, 0x59, 0x90}, SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4,
	}
	ip := &layers.IPv4{
		Version: 4, TTL: 64, Id: uint16(s.sequence), Flags: layers.IPv4DontFragment, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{198, 18, 0, 1}, DstIP: net.IP{198, 19, 0, 1},
	}
	tcp := &layers.TCP{SrcPort: s.port, DstPort: 80, Seq: s.sequence, Ack: 7, ACK: true, PSH: push, Window: 1000}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, n)
	for i := range payload {
		payload[i] = byte((int(s.sequence) + i) * 11 >> 2)
	}
	stack := []gopacket.SerializableLayer{eth, ip, tcp, gopacket.Payload(payload)}
	if s.tag != 0 {
		eth.EthernetType = layers.EthernetTypeDot1Q
		stack = append(stack[:1:1], append([]gopacket.SerializableLayer{&layers.Dot1Q{VLANIdentifier: s.tag, Type: layers.EthernetTypeIPv4}}, stack[1:]...)...)
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		t.Fatal(err)
	}
	s.sequence += uint32(n)
	s.sent = append(s.sent, payload...)
	return bytes.Clone(buf.Bytes())
}

// buffers receives all frames of queue 0, which are the caller's.
func (r *rig) buffers() (all []*packet.Buf) {
	batch := make([]*packet.Buf, 32)
	for {
		n := r.dev.RxQueue(0).Receive(batch)
		if n == 0 {
			return all
		}
		all = append(all, batch[:n]...)
		r.step()
	}
}

// carried puts together by connection what frames carry.
func carried(t tb, frames [][]byte) map[layers.TCPPort][]byte {
	t.Helper()
	got := map[layers.TCPPort][]byte{}
	for i, f := range frames {
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if !ok {
			t.Fatalf("frame %d is no TCP: % x", i, f)
		}
		if have := len(got[tcp.SrcPort]); int(tcp.Seq)-1000 != have {
			t.Fatalf("frame %d: sequence number %d behind %d bytes", i, tcp.Seq-1000, have)
		}
		got[tcp.SrcPort] = append(got[tcp.SrcPort], tcp.Payload...)
	}
	return got
}

// arriving has segments of several connections arrive in turn, and frames of other kinds between them.
func (r *rig) arriving(streams []*stream, payload, n int) (others int) {
	for i := range n {
		for _, s := range streams {
			r.wire.put(s.segment(r.t, payload, i == n-1))
		}
		if i%5 == 0 {
			r.wire.put(frame(60+i, byte(i)))
			others++
		}
	}
	return others
}

// The card puts segments together if it is asked to, in all sizes of buffers, and the driver says what is to be cut again.
func TestCoalesced(t *testing.T) {
	for _, c := range []struct{ room, mtu, payload, n, tag int }{
		{2048, 1500, 1460, 10, 0}, {1024, 1500, 1448, 9, 0}, {2048, 1500, 100, 30, 0}, {2048, 9000, 8960, 3, 0}, {4096, 1500, 1460, 20, 0},
		{16384, 9000, 8000, 7, 0}, {2048, 1500, 7, 13, 0}, {2048, 1500, 1456, 10, 5},
	} {
		for _, on := range []bool{true, false} {
			cfg := nic.Config{RxRing: 256, Room: c.room, MTU: c.mtu, Buffers: 1024}
			if on {
				cfg.Offloads = nic.RxSegment
			}
			r := open(t, cfg)
			if r.dev.Info().Offloads&nic.RxSegment != 0 != on {
				t.Fatalf("offloads %v", r.dev.Info().Offloads)
			}
			what := fmt.Sprintf("%+v, on %v", c, on)
			streams := []*stream{{port: 1, sequence: 1000, tag: uint16(c.tag)}, {port: 2, sequence: 1000}}
			others := r.arriving(streams, c.payload, c.n)
			r.step()
			large := 0
			var pieces [][]byte
			cache := r.dev.Info().Pool.NewCache()
			for _, b := range r.buffers() {
				if b.Flags()&packet.NeedsSegment == 0 {
					if b.Flags()&packet.NeedsChecksum != 0 {
						t.Fatalf("%s: a partial checksum", what)
					}
					if f := b.AppendTo(nil); f[12] == 0x88 {
						others--
					} else {
						pieces = append(pieces, f)
					}
					packet.Free([]*packet.Buf{b})
					continue
				}
				large++
				var cut packet.Cut
				if !cut.Begin(b) {
					t.Fatalf("%s: cannot be cut", what)
				}
				for cut.Left() {
					p := cut.Next(cache)
					if !p.Complete(packet.NeedsChecksum) || p.TotalLen() > c.mtu+18 {
						t.Fatalf("%s: a piece of %d bytes", what, p.TotalLen())
					}
					pieces = append(pieces, p.AppendTo(nil))
					packet.Free([]*packet.Buf{p})
				}
				packet.Free([]*packet.Buf{b})
			}
			cache.Flush()
			got := carried(t, pieces)
			for _, s := range streams {
				if !bytes.Equal(got[s.port], s.sent) {
					t.Fatalf("%s: %d bytes of %d", what, len(got[s.port]), len(s.sent))
				}
			}
			if others != 0 {
				t.Errorf("%s: %d other frames are missing", what, others)
			}
			if on && (large == 0 || large > c.n) || !on && large != 0 {
				t.Errorf("%s: %d large frames of %d segments", what, large, 2*c.n)
			}
			if s := r.stats(); s.RxDropped != 0 {
				t.Errorf("%s: %s", what, brief(s))
			}
		}
	}
}

// What the start sets (4.6.7.2), by the size of buffers, with interrupts and without.
func TestCoalescingSettings(t *testing.T) {
	for room, maxdesc := range map[int]uint32{
		1024: chip.RscctlMAXDESC16, 2048: chip.RscctlMAXDESC16, 4096: chip.RscctlMAXDESC8, 8192: chip.RscctlMAXDESC4, 16384: chip.RscctlMAXDESC1,
	} {
		r := open(t, nic.Config{RxQueues: 3, Room: room, Offloads: nic.RxSegment, Interrupts: room == 1024, Buffers: 4096})
		reg := r.sim.Card.Registers()
		get := func(off uint32) uint32 { return binary.LittleEndian.Uint32(reg[off:]) }
		for i := range 3 {
			if v := get(chip.RSCCTL(i)); v != chip.RscctlRSCEN|maxdesc {
				t.Errorf("room %d: RSCCTL[%d] %#x", room, i, v)
			}
			if get(chip.EITR(i))&chip.EitrITRInterval == 0 || get(chip.IVAR(i/2))>>(i%2*16)&0xff != chip.IvarAllocVal|uint32(i) {
				t.Errorf("room %d: EITR[%d] %#x, IVAR %#x", room, i, get(chip.EITR(i)), get(chip.IVAR(i/2)))
			}
			if get(chip.SRRCTL(i))&chip.SrrctlBSIZEHEADER == 0 {
				t.Errorf("room %d: SRRCTL[%d]", room, i)
			}
		}
		if get(chip.PSRTYPE(0)) != chip.PsrtypePSRTYPE4 || get(chip.GPIE)&chip.GpieRSCDelay == 0 {
			t.Errorf("room %d: PSRTYPE %#x, GPIE %#x", room, get(chip.PSRTYPE(0)), get(chip.GPIE))
		}
	}
}

// TestCoalescedJudged: what the card has put together and cuts again is right for tshark: checksums, lengths, and streams
// without a gap.
func TestCoalescedJudged(t *testing.T) {
	r := open(t, nic.Config{RxRing: 256, Buffers: 2048, Offloads: nic.RxSegment | nic.TxSegment})
	streams := []*stream{{port: 1, sequence: 1000}, {port: 2, sequence: 1000}, {port: 3, sequence: 1000, tag: 5}}
	const n = 40
	for i := range n {
		for _, s := range streams {
			r.wire.put(s.segment(t, 1448, i == n-1))
		}
	}
	cutter := nic.NewCutter(r.dev.TxQueue(0), r.dev.Info().Pool.NewCache())
	large := 0
	r.step()
	for _, b := range r.buffers() {
		if b.Flags()&packet.NeedsSegment != 0 {
			large++
			if !r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
				t.Error("the card does not cut what it has put together")
			}
		}
		for range 10 {
			if cutter.Send([]*packet.Buf{b}) == 1 {
				break
			}
			r.step()
		}
	}
	r.step()
	if large == 0 || large > n {
		t.Errorf("%d large frames", large)
	}
	got := carried(t, r.wire.out)
	for _, s := range streams {
		if !bytes.Equal(got[s.port], s.sent) {
			t.Errorf("stream %d: %d bytes of %d", s.port, len(got[s.port]), len(s.sent))
		}
	}
	lines := dissected(t, r.wire.out, "ip.checksum.status", "tcp.checksum.status", "tcp.len", "_ws.expert.message")
	if len(lines) != n*len(streams) {
		t.Errorf("%d frames, want %d", len(lines), n*len(streams))
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "1\t1\t1448\t") || strings.Contains(line, "not captured") || strings.Contains(line, "ut-of-") {
			t.Errorf("frame %d: %q", i, line)
		}
	}
}

// The way of large frames allocates nothing.
func TestCoalescedNoAllocations(t *testing.T) {
	b := newBlank()
	d, err := ixgbe.Prepare(b, nic.Config{Offloads: nic.RxSegment, RxRing: 64, TxRing: 64})
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{t: t, d: d, data: (&stream{port: 1, sequence: 1000}).segment(t, 3000, false)}
	batch := make([]*packet.Buf, 8)
	got := 0
	n := testing.AllocsPerRun(100, func() {
		l.honest()
		k := d.RxQueue(0).Receive(batch)
		packet.Free(batch[:k])
		got += k
	})
	if n != 0 || got != 101 {
		t.Errorf("%v allocations, %d frames", n, got)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
