package tap

import (
	"bytes"
	"testing"
	"time"

	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// bridged are two ports between which the kernel has a bridge.
type bridged struct {
	t        *testing.T
	from, to nic.Device
}

func (p *bridged) open(name string, asked nic.Offloads) nic.Device {
	d, err := nic.Open(p.t.Context(), "tap:"+name, nic.Config{Offloads: asked, Room: 4096})
	if err != nil {
		p.t.Error(err)
		return nil
	}
	netns.Command(p.t, "ip link set "+name+" addrgenmode none")
	netns.Command(p.t, "ip link set "+name+" master br0 up")
	return d
}

func (p *bridged) close() {
	if err := nic.CloseAll(p.from, p.to); err != nil {
		p.t.Error(err)
	}
}

// buf is a frame of nictest.TCP with its checksum partial, and to be cut where size is not 0.
func (p *bridged) buf(v6 bool, payload []byte, size int) *packet.Buf {
	f, start := nictest.TCP(v6, payload), nictest.TCPStart4
	if v6 {
		start = nictest.TCPStart6
	}
	var head, last *packet.Buf
	for len(f) > 0 {
		var b [1]*packet.Buf
		n := min(len(f), 4096)
		if p.from.Info().Pool.Alloc(b[:]) != 1 || !b[0].SetBytes(f[:n]) {
			p.t.Error("no buffer")
			return nil
		}
		if f = f[n:]; head == nil {
			head = b[0]
		} else {
			last.SetNext(b[0])
		}
		last = b[0]
	}
	head.SetChecksum(start, nictest.TCPSum)
	if size > 0 {
		head.SetSegmentSize(size)
	}
	return head
}

// pass sends a frame, again until it arrives, for a bridge may lose the first, and returns the frames that it became.
func (p *bridged) pass(frames int, make func() *packet.Buf) (got []*packet.Buf) {
	batch := [64]*packet.Buf{}
	for begin := time.Now(); len(got) < frames && time.Since(begin) < 10*time.Second; {
		packet.Free(got)
		got = nil
		p.from.TxQueue(0).Send([]*packet.Buf{make()})
		for again := time.Now(); len(got) < frames && time.Since(again) < time.Second; {
			n := p.to.RxQueue(0).Receive(batch[:])
			got = append(got, batch[:n]...)
		}
	}
	if len(got) != frames {
		p.t.Errorf("%d frames arrived, want %d", len(got), frames)
	}
	return got
}

// What is large stays so on its way through the kernel to a port that takes it; the kernel cuts it, and completes
// checksums, for one that does not.
func TestLarge(t *testing.T) {
	netns.Run(t, func() {
		netns.Command(t, "ip link add br0 type bridge mcast_snooping 0 forward_delay 0")
		netns.Command(t, "ip link set br0 addrgenmode none")
		netns.Command(t, "ip link set br0 up")
		netns.Command(t, "ip tuntap add dev t1 mode tap") // one that stays
		payload := make([]byte, 20000)
		for i := range payload {
			payload[i] = byte(i * 7)
		}
		for _, c := range []struct {
			asked, has nic.Offloads
		}{
			{nic.RxSegment, nic.RxSegment | nic.RxPartial | nic.TxChecksum}, {0, 0}, {nic.RxPartial, nic.RxPartial | nic.TxChecksum},
		} {
			p := &bridged{t: t}
			if p.from, p.to = p.open("t0", nic.TxSegment), p.open("t1", c.asked); p.from == nil || p.to == nil {
				return
			}
			if p.from.Info().Offloads != nic.TxSegment|nic.TxChecksum || p.to.Info().Offloads != c.has {
				t.Errorf("offloads %v, %v", p.from.Info().Offloads, p.to.Info().Offloads)
			}
			for _, v6 := range []bool{false, true} {
				for _, size := range []int{0, 1000} { // plain frames first
					data, want := payload[:100], 1
					if size > 0 {
						data = payload
					}
					if size > 0 && c.asked&nic.RxSegment == 0 {
						want = 20
					}
					got := p.pass(want, func() *packet.Buf { return p.buf(v6, data, size) })
					if len(got) == 0 {
						continue
					}
					if c.asked&nic.RxSegment != 0 {
						if n, ok := got[0].SegmentSize(); n != size || ok != (size > 0) {
							t.Errorf("segments of %d, %v", n, ok)
						}
					}
					if _, _, partial := got[0].Checksum(); partial && c.asked == 0 {
						t.Error("a partial checksum that nobody asked for")
					}
					if want == 1 && size > 0 {
						if !bytes.Equal(got[0].AppendTo(nil), nictest.TCP(v6, payload)) {
							t.Error("another large frame")
						}
						packet.Free(got)
						continue
					}
					var segments [][]byte
					for _, b := range got {
						if !b.Complete(packet.TxMask) {
							t.Errorf("flags %#x", b.Flags())
						}
						segments = append(segments, b.AppendTo(nil))
					}
					packet.Free(got)
					if got, err := nictest.Payload(v6, max(size, 100), segments); err != nil || !bytes.Equal(got, data) {
						t.Errorf("IPv6 %v, asked for %v: %v, %d bytes", v6, c.asked, err, len(got))
					}
				}
			}
			for _, d := range []nic.Device{p.from, p.to} {
				if s, _ := d.Stats(); s.RxDropped+s.RxErrors+s.TxDropped != 0 {
					t.Errorf("%+v", s)
				}
			}
			p.close()
		}
	})
}

// Frames that cannot be are not given to the kernel, and are counted.
func TestUnfit(t *testing.T) {
	netns.Run(t, func() {
		netns.Command(t, "ip link add br0 type bridge mcast_snooping 0")
		for name, c := range map[string]struct {
			asked nic.Offloads
			spoil func(b *packet.Buf)
			size  int
		}{
			"nobody asked":    {nic.RxPartial, func(*packet.Buf) {}, 1000},
			"beyond the MTU":  {nic.TxSegment, func(*packet.Buf) {}, 1500},
			"no IP":           {nic.TxSegment, func(b *packet.Buf) { b.Bytes()[12] = 9 }, 1000},
			"checksum beyond": {nic.TxSegment, func(b *packet.Buf) { b.SetChecksum(34, 20000) }, 0},
			"too long":        {nic.TxSegment, func(b *packet.Buf) {}, 0},
		} {
			p := &bridged{t: t}
			if p.from = p.open("t0", c.asked); p.from == nil {
				return
			}
			b := p.buf(false, make([]byte, 5000), c.size)
			c.spoil(b)
			if c.size > 0 && p.from.TxQueue(0).(nic.Segmenter).Segments(b) {
				t.Errorf("%s: not refused", name)
			}
			if p.from.TxQueue(0).Send([]*packet.Buf{b}) != 1 {
				t.Errorf("%s: not taken", name)
			}
			if s, _ := p.from.Stats(); s.TxDropped != 1 || s.TxPackets != 0 {
				t.Errorf("%s: %+v", name, s)
			}
			p.close()
		}
	})
}
