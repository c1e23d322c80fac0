package ixgbe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	chip "glassnic/chip/ixgbe"
)

// tcp is a segment of a connection: payload bytes count up with the sequence number.
type tcp struct {
	port     int // tells connections apart
	sequence uint32
	payload  int
	ack      uint32
	flags    byte // besides ACK
	stamp    uint32
	options  []byte // instead of the stamp
	tos      byte
}

func (s tcp) frame() []byte {
	be := binary.BigEndian
	options := s.options
	if s.stamp != 0 {
		options = be.AppendUint32([]byte{1, 1, 8, 10}, s.stamp)
		options = be.AppendUint32(options, s.stamp+7)
	}
	f := make([]byte, 14+40+len(options)+s.payload)
	copy(f, []byte{2, 0, 0, 0x82, 0x59, 0x90, 2, 1, 2, 3, 4, 5, 8, 0, 0x45, s.tos})
	be.PutUint16(f[16:], uint16(len(f)-14))
	f[22], f[23] = 64, protoTCP
	copy(f[26:], []byte{198, 18, 0, 1, 198, 19, 0, 1})
	binary.LittleEndian.PutUint16(f[24:], ^uint16(fold(sum(f[14:34]))))
	t := f[34:]
	be.PutUint16(t, uint16(s.port))
	be.PutUint16(t[2:], 80)
	be.PutUint32(t[4:], s.sequence)
	be.PutUint32(t[8:], s.ack)
	t[12], t[13] = byte(20+len(options))<<2, tcpACK|s.flags
	be.PutUint16(t[14:], uint16(s.ack))
	copy(t[20:], options)
	for i := range s.payload {
		t[20+len(options)+i] = byte((s.sequence + uint32(i)) * 7 >> 3)
	}
	pseudo := sum(f[26:34]) + protoTCP<<8 + uint64(len(t)>>8|len(t)&0xff<<8)
	binary.LittleEndian.PutUint16(t[16:], ^uint16(fold(sum(t)+pseudo)))
	return f
}

// run is segments of a connection that follow each other.
func run(port int, sequence uint32, payload, n int) (frames [][]byte) {
	for i := range n {
		frames = append(frames, tcp{port: port, sequence: sequence + uint32(i*payload), payload: payload, ack: uint32(i + 1)}.frame())
	}
	return frames
}

// coalescer is a rig with a queue that coalesces, and a clock that the test sets.
type coalescer struct {
	*rig
	rx  *rxRing
	now time.Duration
}

func newCoalescer(t testing.TB, polled bool, size, kib int, maxdesc uint32) *coalescer {
	r := &coalescer{now: time.Second}
	starts := true
	r.rig = newRig(t, polled, func(cfg *Config) {
		cfg.Clock = func() time.Duration {
			if starts {
				r.now += time.Millisecond
			}
			return r.now
		}
	})
	r.start()
	starts = false
	r.reg.Write32(chip.MAXFRS, 9018<<chip.MaxfrsMFSShift)
	r.reg.Set(chip.HLREG0, chip.Hlreg0JUMBOEN)
	r.reg.Write32(chip.PSRTYPE(0), chip.PsrtypePSRTYPE4)
	r.reg.Write32(chip.IVAR(0), chip.IvarAllocVal)
	r.reg.Write32(chip.GPIE, chip.GpieMultipleMSIX)
	r.reg.Write32(chip.EITR(0), 50<<chip.EitrITRIntervalShift) // 100 µs
	r.reg.Write32(chip.RSCCTL(0), chip.RscctlRSCEN|maxdesc)
	r.rx = r.rig.rx(0, size, kib, 2<<chip.SrrctlBSIZEHEADERShift)
	return r
}

// large is what a driver makes of a chain of descriptors.
type large struct {
	data    []byte
	descs   []int
	packets int // RSCCNT of all, less one each
	w1      uint64
	alone   bool // RSCCNT is 0
}

// take returns the frames that are complete, by NEXTP, as far as all before them in the ring are too, and posts their
// descriptors again.
func (r *coalescer) take() (frames []large) {
	q := r.rx
	chains := map[int]large{}
	end, all := q.next, 0
	for at := q.next; ; at = (at + 1) % q.size {
		w0, w1 := q.words(at)
		if w1&chip.RxDD == 0 {
			break
		}
		g := chains[at]
		delete(chains, at)
		n := int(w0 & chip.RxRSCCntMask >> chip.RxRSCCntShift)
		g.data = append(g.data, q.bufs[at].Bytes[:chip.RxLen(w1)]...)
		g.descs = append(g.descs, at)
		g.packets += max(n-1, 0)
		g.alone = n == 0
		if w1&chip.RxEOP == 0 {
			next := (at + 1) % q.size // of a frame by itself
			if n != 0 {
				next = int(w1 & chip.RxNextMask >> chip.RxNextShift)
			}
			chains[next] = g
			continue
		}
		g.w1 = w1
		frames = append(frames, g)
		if len(chains) == 0 {
			end, all = (at+1)%q.size, len(frames)
		}
	}
	for ; q.next != end; q.next = (q.next + 1) % q.size {
		q.post(q.next)
		q.bump(q.next)
	}
	return frames[:all]
}

// ripe lets the card complete what it has gathered.
func (r *coalescer) ripe() []large {
	r.now += time.Millisecond
	r.step(0)
	return r.take()
}

// whole checks that a large frame has the payload of segments in a row, and headers that are right.
func (g *large) whole(t *testing.T, what string, frames [][]byte) {
	t.Helper()
	be := binary.BigEndian
	first, last := frames[0], frames[len(frames)-1]
	head := 34 + int(first[46]>>4)*4
	var payload []byte
	for _, f := range frames {
		payload = append(payload, f[head:]...)
	}
	switch {
	case g.alone || g.packets != len(frames):
		t.Fatalf("%s: RSCCNT counts %d packets, want %d", what, g.packets, len(frames))
	case !bytes.Equal(g.data[head:], payload):
		t.Fatalf("%s: payload of %d bytes, want %d", what, len(g.data)-head, len(payload))
	case int(be.Uint16(g.data[16:])) != len(g.data)-14:
		t.Errorf("%s: total length %d of %d", what, be.Uint16(g.data[16:]), len(g.data)-14)
	case fold(sum(g.data[14:34])) != 0xffff:
		t.Errorf("%s: checksum of the IP header", what)
	case be.Uint32(g.data[38:]) != be.Uint32(first[38:]):
		t.Errorf("%s: sequence number", what)
	case !bytes.Equal(g.data[42:46], last[42:46]) || !bytes.Equal(g.data[48:50], last[48:50]) || !bytes.Equal(g.data[54:head], last[54:head]):
		t.Errorf("%s: ACK, window and stamp are not those of the last segment", what)
	case g.data[47] != first[47]|last[47]:
		t.Errorf("%s: flags %#x", what, g.data[47])
	case g.w1&(chip.RxIPCS|chip.RxL4I|chip.RxErrMask) != chip.RxIPCS|chip.RxL4I:
		t.Errorf("%s: status %#x", what, g.w1)
	}
}

func TestCoalesce(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, c := range []struct{ payload, n, kib int }{{1448, 2, 2}, {1448, 8, 2}, {100, 7, 1}, {1024, 5, 1}, {8948, 3, 4}, {970, 16, 16}} {
			what := fmt.Sprint(c)
			r := newCoalescer(t, polled, 64, c.kib, chip.RscctlMAXDESC16)
			frames := run(1, 0xffffff00, c.payload, c.n)
			for i, f := range frames { // some at a time
				r.port.push(f)
				if i%3 == 0 {
					r.step(16)
				}
			}
			r.step(16)
			if got := r.take(); c.n <= rscPackets && len(got) != 0 {
				t.Fatalf("%s: %d frames before their time", what, len(got))
			}
			got := r.ripe()
			if c.n > rscPackets { // in one buffer
				if len(got) != 1 {
					t.Fatalf("%s: %d frames", what, len(got))
				}
				got[0].whole(t, what, frames[rscPackets:])
			} else {
				if len(got) != 1 {
					t.Fatalf("%s: %d frames", what, len(got))
				}
				got[0].whole(t, what, frames)
				if want := (len(got[0].data) + c.kib<<10 - 1) / (c.kib << 10); len(got[0].descs) != want {
					t.Errorf("%s: %d descriptors, want %d", what, len(got[0].descs), want)
				}
			}
			if n := r.card.Totals().RxHost; n != uint64(c.n) {
				t.Errorf("%s: %d frames counted", what, n)
			}
			r.clean()
		}
	})
}

// Buffers of several connections lie mixed in the ring, and frames that are not coalesced between them.
func TestCoalesceMixed(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newCoalescer(t, polled, 64, 1, chip.RscctlMAXDESC8)
		a, b := run(1, 5, 900, 4), run(2, 5, 900, 4)
		for i := range a {
			r.port.push(a[i], b[i], udp(frame(60, i)))
		}
		r.step(64)
		got := r.ripe()
		if len(got) != 6 {
			t.Fatalf("%d frames", len(got))
		}
		var chains []large
		for _, g := range got {
			if g.alone {
				continue
			}
			chains = append(chains, g)
		}
		chains[0].whole(t, "a", a)
		chains[1].whole(t, "b", b)
		if d := chains[0].descs; d[1] == d[0]+1 {
			t.Errorf("descriptors %v in a row: the ring is not mixed", d)
		}
		r.clean()
	})
}

// What ends a coalescing, and with what it goes on.
func TestCoalesceEnds(t *testing.T) {
	const stamp = 0xfffffff0 // later than none
	first := tcp{port: 1, sequence: 1000, payload: 500, ack: 9, stamp: stamp}
	second := func(change func(*tcp)) []byte {
		s := tcp{port: 1, sequence: 1500, payload: 500, ack: 9, stamp: stamp}
		change(&s)
		return s.frame()
	}
	spoil := func(at int) []byte {
		f := second(func(*tcp) {})
		f[at] ^= 1
		return f
	}
	padded := append(second(func(*tcp) {}), 0)
	fragment := second(func(*tcp) {})
	fragment[20] |= 0x20
	binary.LittleEndian.PutUint16(fragment[24:], 0)
	binary.LittleEndian.PutUint16(fragment[24:], ^uint16(fold(sum(fragment[14:34]))))
	options := slices.Insert(second(func(*tcp) {}), 34, 1, 1, 1, 1)
	options[14]++
	options[17] += 4
	binary.LittleEndian.PutUint16(options[24:], 0)
	binary.LittleEndian.PutUint16(options[24:], ^uint16(fold(sum(options[14:38]))))
	for _, c := range []struct {
		what    string
		f       []byte
		packets []int // of the large frames, 0: alone
	}{
		{"nothing", second(func(*tcp) {}), []int{2}},
		{"a gap", second(func(s *tcp) { s.sequence++ }), []int{1, 1}},
		{"again", first.frame(), []int{1, 1}},
		{"no payload", second(func(s *tcp) { s.payload = 0 }), []int{1, 0}},
		{"push", second(func(s *tcp) { s.flags = tcpPSH }), []int{2}},
		{"FIN", second(func(s *tcp) { s.flags = 1 }), []int{1, 0}},
		{"SYN", second(func(s *tcp) { s.flags = 2 }), []int{1, 0}},
		{"URG", second(func(s *tcp) { s.flags = 32 }), []int{1, 0}},
		{"CWR", second(func(s *tcp) { s.flags = 128 }), []int{1, 0}},
		{"congestion experienced", second(func(s *tcp) { s.tos = 3 }), []int{1, 0}},
		{"type of service", second(func(s *tcp) { s.tos = 8 }), []int{1, 1}},
		{"older acknowledgement", second(func(s *tcp) { s.ack = 8 }), []int{1, 1}},
		{"newer acknowledgement", second(func(s *tcp) { s.ack = 1 << 30 }), []int{2}},
		{"older stamp", second(func(s *tcp) { s.stamp-- }), []int{1, 1}},
		{"newer stamp", second(func(s *tcp) { s.stamp += 20 }), []int{2}},
		{"no stamp", second(func(s *tcp) { s.stamp = 0 }), []int{1, 1}},
		{"SACK", second(func(s *tcp) { s.options, s.stamp = []byte{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 0 }), []int{1, 0}},
		{"IP options", options, []int{1, 0}},
		{"a fragment", fragment, []int{1, 0}}, // of no connection: the coalescing ends by time
		{"padding", padded, []int{1, 0}},
		{"checksum of TCP", spoil(200), []int{1, 0}},
		{"checksum of IP", spoil(18), []int{1, 0}},
		{"source address", func() []byte {
			f := second(func(*tcp) {})
			f[6] ^= 2 // of Ethernet
			return f
		}(), []int{1, 1}},
		{"another connection", second(func(s *tcp) { s.port = 2 }), []int{1, 1}},
	} {
		both(t, func(t *testing.T, polled bool) {
			r := newCoalescer(t, polled, 64, 2, chip.RscctlMAXDESC16)
			r.port.push(first.frame(), c.f)
			r.step(16)
			got := append(r.take(), r.ripe()...)
			if len(got) != len(c.packets) {
				t.Fatalf("%s: %d frames, want %d", c.what, len(got), len(c.packets))
			}
			for i, want := range c.packets {
				if g := got[i]; g.packets != want || g.alone != (want == 0) {
					t.Errorf("%s: frame %d has %d packets, want %d", c.what, i, g.packets, want)
				}
			}
			r.clean()
		})
	}
}

// A large frame has so many descriptors, packets per buffer and bytes as it may, and goes on in another.
func TestCoalesceLimits(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, c := range []struct {
			maxdesc      uint32
			kib, payload int
			want         []int // packets of each
		}{
			{chip.RscctlMAXDESC1, 2, 900, []int{2, 2, 2}},
			{chip.RscctlMAXDESC4, 1, 900, []int{4, 2}},
			{chip.RscctlMAXDESC1, 1, 1448, []int{0, 0, 0, 0, 0, 0}}, // a segment has no room
			{chip.RscctlMAXDESC16, 16, 8948, []int{6}},
			{chip.RscctlMAXDESC16, 16, 30, []int{6}},
		} {
			r := newCoalescer(t, polled, 64, c.kib, c.maxdesc)
			frames := run(1, 0, c.payload, 6)
			r.port.push(frames...)
			r.step(64)
			got := append(r.take(), r.ripe()...)
			if len(got) != len(c.want) {
				t.Fatalf("%+v: %d frames", c, len(got))
			}
			for i, n := range c.want {
				if n == 0 {
					if !got[i].alone || !bytes.Equal(got[i].data, frames[i]) {
						t.Errorf("%+v: not as it came", c)
					}
					continue
				}
				got[i].whole(t, fmt.Sprint(c), frames[:n])
				frames = frames[n:]
			}
			r.clean()
		}
		// 16 buffers of 16 KiB would be more than an IP packet can be long (8.2.3.8.13).
		r := newCoalescer(t, polled, 64, 16, chip.RscctlMAXDESC16)
		frames := run(1, 0, 8900, 9)
		r.port.push(frames...)
		r.step(64)
		got := append(r.take(), r.ripe()...)
		if len(got) != 2 {
			t.Fatalf("%d frames", len(got))
		}
		got[0].whole(t, "long", frames[:7])
		got[1].whole(t, "rest", frames[7:])
		r.clean()
	})
}

// What the driver must have set (4.6.7.2), and what else keeps frames as they are.
func TestCoalesceSettings(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for what, set := range map[string]func(r *coalescer){
			"RSCCTL":      func(r *coalescer) { r.reg.Write32(chip.RSCCTL(0), chip.RscctlMAXDESC16) },
			"RFCTL":       func(r *coalescer) { r.reg.Set(chip.RFCTL, chip.RfctlRSCDIS) },
			"PSRTYPE":     func(r *coalescer) { r.reg.Write32(chip.PSRTYPE(0), 0) },
			"IVAR":        func(r *coalescer) { r.reg.Write32(chip.IVAR(0), 0) },
			"EITR":        func(r *coalescer) { r.reg.Write32(chip.EITR(0), 0) },
			"BSIZEHEADER": func(r *coalescer) { r.reg.Clear(chip.SRRCTL(0), chip.SrrctlBSIZEHEADER) },
			"CRC is kept": func(r *coalescer) { r.reg.Clear(chip.HLREG0, chip.Hlreg0RXCRCSTRP) },
		} {
			r := newCoalescer(t, polled, 64, 2, chip.RscctlMAXDESC4)
			frames := run(1, 0, 200, 3)
			set(r)
			r.step(0)
			r.port.push(frames...)
			r.step(16)
			got := r.take()
			if len(got) != 3 {
				t.Fatalf("%s: %d frames", what, len(got))
			}
			for _, g := range got {
				if !g.alone {
					t.Errorf("%s: coalesced", what)
				}
			}
			r.clean()
		}
	})
}

// What was gathered when a driver turns coalescing off is complete.
func TestCoalesceTurnedOff(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newCoalescer(t, polled, 64, 2, chip.RscctlMAXDESC4)
		frames := run(1, 0, 200, 3)
		r.port.push(frames...)
		r.step(16)
		r.reg.Write32(chip.RSCCTL(0), 0)
		r.step(0)
		got := r.take()
		if len(got) != 1 {
			t.Fatalf("%d frames", len(got))
		}
		got[0].whole(t, "turned off", frames)
		r.clean()
	})
}

// A port has 32 contexts.
func TestCoalesceContexts(t *testing.T) {
	r := newCoalescer(t, false, 128, 2, chip.RscctlMAXDESC4)
	for round := range 2 {
		for i := range 40 {
			r.port.push(tcp{port: i, sequence: uint32(round * 100), payload: 100}.frame())
		}
	}
	r.step(128)
	two, alone := 0, 0
	for _, g := range append(r.take(), r.ripe()...) {
		switch {
		case g.alone:
			alone++
		case g.packets == 2:
			two++
		}
	}
	if two != rscContexts || alone != 2*(40-rscContexts) {
		t.Errorf("%d coalesced, %d by themselves", two, alone)
	}
	r.clean()
}

// A segment with the push flag completes its large frame at once.
func TestCoalescePush(t *testing.T) {
	r := newCoalescer(t, false, 64, 2, chip.RscctlMAXDESC4)
	frames := run(1, 0, 100, 2)
	frames = append(frames, tcp{port: 1, sequence: 200, payload: 100, ack: 9, flags: tcpPSH}.frame())
	r.port.push(frames...)
	r.step(16)
	got := r.take()
	if len(got) != 1 {
		t.Fatalf("%d frames", len(got))
	}
	got[0].whole(t, "push", frames)
	r.clean()
}

// Without interrupts EITR is the time between two ends all the same.
func TestCoalesceInterval(t *testing.T) {
	r := newCoalescer(t, false, 64, 2, chip.RscctlMAXDESC4)
	frames := run(1, 0, 100, 4)
	for i, c := range []struct {
		after time.Duration
		want  int
	}{{5 * time.Microsecond, 1}, {50 * time.Microsecond, 0}, {60 * time.Microsecond, 1}} {
		r.port.push(frames[i])
		r.step(16)
		r.now += c.after
		r.step(16)
		if got := r.take(); len(got) != c.want {
			t.Errorf("%v later: %d frames, want %d", c.after, len(got), c.want)
		}
	}
	r.clean()
}

// The tag that is taken out tells connections of different VLANs apart.
func TestCoalesceTags(t *testing.T) {
	r := newCoalescer(t, false, 64, 2, chip.RscctlMAXDESC4)
	r.reg.Write32(chip.VLNCTRL, 0x8100)
	r.reg.Set(chip.RXDCTL(0), chip.RxdctlVME)
	r.step(0)
	for i, f := range run(1, 0, 100, 4) {
		r.port.push(slices.Insert(f, 12, 0x81, 0, 0, byte(5+i/2)))
	}
	r.step(16)
	got := append(r.take(), r.ripe()...)
	if len(got) != 2 || got[0].packets != 2 || chip.RxVLAN(got[0].w1) != 5 || chip.RxVLAN(got[1].w1) != 6 || got[0].w1&chip.RxVP == 0 {
		t.Errorf("%d frames: %+v", len(got), got)
	}
	r.clean()
}

// A coalescing ends before the interrupt that tells of other frames, and its end is a cause by itself; the time of EITR
// begins anew with it.
func TestCoalesceInterrupts(t *testing.T) {
	r := newCoalescer(t, false, 64, 2, chip.RscctlMAXDESC4)
	sent := 0
	r.card.SetInterrupts(2, func(int) { sent++ })
	r.reg.Write32(chip.EIAC, 1)
	r.reg.Write32(chip.EIMS, 1)
	frames := run(1, 0, 100, 6)
	r.port.push(frames[:2]...)
	r.step(16)
	if sent != 0 {
		t.Fatal("an interrupt for what is not complete")
	}
	r.now += 5 * time.Microsecond // beyond the delay of GPIE
	r.step(16)
	if got := r.take(); sent != 1 || len(got) != 1 {
		t.Fatalf("%d interrupts, %d frames", sent, len(got))
	}
	r.port.push(frames[2:4]...)
	r.step(16)
	r.now += 50 * time.Microsecond
	r.step(16)
	if got := r.take(); sent != 1 || len(got) != 0 {
		t.Fatalf("%d interrupts, %d frames within the interval", sent, len(got))
	}
	r.now += 60 * time.Microsecond
	r.step(16)
	if got := r.take(); sent != 2 || len(got) != 1 {
		t.Fatalf("%d interrupts, %d frames after the interval", sent, len(got))
	}
	r.now += 200 * time.Microsecond
	r.port.push(append(frames[4:5:5], udp(frame(60, 1)))...)
	r.step(16)
	if got := r.take(); sent != 3 || len(got) != 2 {
		t.Fatalf("%d interrupts, %d frames", sent, len(got))
	}
	r.clean()
}
