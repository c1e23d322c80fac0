package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// machine drives a port at random and knows what must come of it.
type machine struct {
	*rig
	cfg     nic.Config
	honest  bool // the card, not the wire
	arrived uint32
	good    uint64 // frames that must be received or missed
	bad     uint64 // that must be counted as errors
	got     uint64
	next    uint32 // no received frame has a lower number
	held    []*packet.Buf
	sent    [][]byte // taken by Send and fit to be sent
	unfit   uint64
	gone    bool
}

func newMachine(t *rapid.T, honest bool) *machine {
	cfg := nic.Config{
		RxRing:      rapid.SampledFrom([]int{64, 72, 128}).Draw(t, "RxRing"),
		TxRing:      rapid.SampledFrom([]int{64, 72, 128}).Draw(t, "TxRing"),
		MTU:         rapid.SampledFrom([]int{1500, 9000}).Draw(t, "MTU"),
		Room:        rapid.SampledFrom([]int{1024, 2048}).Draw(t, "Room"),
		ReportEvery: rapid.SampledFrom([]int{1, 5, 32}).Draw(t, "ReportEvery"),
		Offloads:    rapid.SampledFrom([]nic.Offloads{0, nic.RxSegment}).Draw(t, "Offloads"),
		Buffers:     1024,
	}
	return &machine{rig: open(t, cfg), cfg: cfg, honest: honest}
}

// numbered is frame n of those that arrive or are sent.
func numbered(size int, n uint32) []byte {
	f := frame(max(size, 18), byte(n))
	binary.BigEndian.PutUint32(f[14:], n)
	return f[:size]
}

func (m *machine) size(t *rapid.T) int {
	return rapid.OneOf(rapid.IntRange(60, 200), rapid.IntRange(60, m.cfg.MTU+14)).Draw(t, "size")
}

func (m *machine) arrive(t *rapid.T) {
	for range rapid.IntRange(1, 20).Draw(t, "frames") {
		f := wire.Frame{Data: numbered(m.size(t), m.arrived)}
		switch rapid.IntRange(0, 19).Draw(t, "kind") {
		case 0:
			f.Bad = true
		case 1:
			f.Data = f.Data[:rapid.IntRange(14, 59).Draw(t, "short")]
		case 2:
			f.Data = numbered(m.cfg.MTU+30, m.arrived)
		case 3:
			copy(f.Data, stranger)
			m.wire.in = append(m.wire.in, f)
			continue // neither received nor an error
		default:
			m.good++
			m.arrived++
			m.wire.in = append(m.wire.in, f)
			continue
		}
		m.bad++
		m.wire.in = append(m.wire.in, f)
	}
}

func (m *machine) receive(t *rapid.T) {
	batch := make([]*packet.Buf, rapid.IntRange(0, 70).Draw(t, "batch"))
	n := m.dev.RxQueue(0).Receive(batch)
	for _, b := range batch[:n] {
		m.check(t, b)
	}
	m.held = append(m.held, batch[:n]...)
}

// check looks at a received frame.
func (m *machine) check(t tb, b *packet.Buf) {
	for s := b; s != nil; s = s.Next() {
		if s.Len() > m.cfg.Room || s.Span().Offset() != packet.Headroom {
			t.Fatalf("%d bytes at %d in a buffer of %d", s.Len(), s.Span().Offset(), m.cfg.Room)
		}
	}
	f := b.AppendTo(nil)
	if len(f) > max(m.cfg.MTU+22, m.cfg.Room) {
		t.Fatalf("%d bytes, with an MTU of %d", len(f), m.cfg.MTU)
	}
	m.got++
	if !m.honest {
		return
	}
	n := binary.BigEndian.Uint32(f[14:])
	if n < m.next || n >= m.arrived {
		t.Fatalf("frame %d of %d, after %d", n, m.arrived, m.next)
	}
	if want := numbered(len(f), n); !bytes.Equal(f, want) {
		t.Fatalf("frame %d: %x, want %x", n, f, want)
	}
	m.next = n + 1
}

// send offers frames that are held or new, some unfit, in one buffer or several.
func (m *machine) send(t *rapid.T) {
	var batch []*packet.Buf
	for range rapid.IntRange(0, 40).Draw(t, "frames") {
		if len(m.held) > 0 && rapid.Bool().Draw(t, "held") {
			batch = append(batch, m.held[0])
			m.held = m.held[1:]
			continue
		}
		size := m.size(t)
		if rapid.IntRange(0, 15).Draw(t, "unfit") == 0 {
			size = rapid.SampledFrom([]int{0, 14, 16, m.cfg.MTU + 23}).Draw(t, "size")
		}
		part := rapid.SampledFrom([]int{200, 500, m.cfg.Room}).Draw(t, "part")
		if pool := m.dev.Info().Pool; pool.Available() < size/part+1 {
			break
		}
		batch = append(batch, m.buf(numbered(size, 0), part))
	}
	var data [][]byte
	for _, b := range batch {
		data = append(data, b.AppendTo(nil))
		if b.Segments() > mostSegments(m.cfg.TxRing, m.cfg.ReportEvery) {
			data[len(data)-1] = nil
		}
	}
	n := m.dev.TxQueue(0).Send(batch)
	for i, f := range data[:n] {
		if len(f) < 17 || len(f) > m.cfg.MTU+22 || bytes.Equal(f, nil) {
			m.unfit++
			continue
		}
		for len(data[i]) < 60 {
			data[i] = append(data[i], 0)
		}
		m.sent = append(m.sent, data[i])
	}
	m.held = append(m.held, batch[n:]...)
}

func (m *machine) free(*rapid.T) {
	packet.Free(m.held)
	m.held = nil
}

func (m *machine) common() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"arrive":  m.arrive,
		"receive": m.receive,
		"send":    m.send,
		"free":    m.free,
		"step":    func(t *rapid.T) { m.sim.Card.Step(rapid.SampledFrom([]int{1, 3, 256}).Draw(t, "budget")) },
		"cable":   func(*rapid.T) { m.wire.down = !m.wire.down },
		"full":    func(*rapid.T) { m.wire.full = !m.wire.full },
		"cache": func(t *rapid.T) {
			var c *packet.Cache
			if rapid.Bool().Draw(t, "shared") {
				c = m.dev.Info().Pool.NewCache()
			}
			if !m.dev.RxQueue(0).(nic.CacheUser).UseCache(c) || !m.dev.TxQueue(0).(nic.CacheUser).UseCache(c) {
				t.Fatal("the queues refuse a cache of their own pool")
			}
		},
		"look": func(t *rapid.T) {
			if _, err := m.dev.Stats(); err != nil && !(m.gone && errors.Is(err, nic.ErrGone)) {
				t.Fatal(err)
			}
			if _, err := m.dev.Link(); err != nil && !(m.gone && errors.Is(err, nic.ErrGone)) {
				t.Fatal(err)
			}
		},
	}
}

// finish lets all come to rest.
func (m *machine) finish() {
	m.wire.full, m.wire.down = false, false
	m.sim.Card.Step(1)
	for range 100 {
		m.free(nil)
		m.step()
		batch := make([]*packet.Buf, 64)
		n := m.dev.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			m.check(m.t, b)
		}
		m.held = batch[:n]
		if m.dev.TxQueue(0).Send(nil); n == 0 && len(m.wire.in) == 0 {
			break
		}
	}
	m.free(nil)
}

// An honest card on a wire with all its troubles: each frame comes out, in order and whole, or is in
// one counter.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, true)
		actions := m.common()
		actions[""] = func(t *rapid.T) {
			out := m.wire.out
			if len(out) > len(m.sent) {
				t.Fatalf("%d frames on the wire, %d were sent", len(out), len(m.sent))
			}
			for i := range out {
				if !bytes.Equal(out[i], m.sent[i]) {
					t.Fatalf("on the wire: %x, want %x", out[i], m.sent[i])
				}
			}
			m.wire.out, m.sent = nil, m.sent[len(out):]
		}
		t.Repeat(actions)
		m.finish()
		same(t, "the last on the wire", m.wire.out, m.sent)
		s := m.stats()
		if m.got+s.RxMissed != m.good || s.RxPackets != m.got || s.RxErrors != m.bad || s.RxDropped != 0 || s.TxDropped != m.unfit {
			t.Fatalf("%d good and %d bad frames, %d received, %d unfit to be sent: %s", m.good, m.bad, m.got, m.unfit, brief(s))
		}
	})
}

// A card that lies: nothing breaks, no DMA strays, no buffer is lost, every call returns.
func TestLiar(t *testing.T) {
	shorten(t, time.Millisecond, "drain", "master", "queue")
	lies := []model.Faults{
		model.LieRxLength, model.LieRxUnposted, model.LieRxEarly, model.LieRxNoEOP, model.LieTxEarly,
		model.StuckMaster, model.StuckRxEnable, model.StuckTxEnable, model.LinkDown,
	}
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, false)
		actions := m.common()
		actions["lie"] = func(t *rapid.T) { m.sim.Card.Inject(rapid.SampledFrom(lies).Draw(t, "lie")) }
		actions["heal"] = func(t *rapid.T) {
			if !m.gone {
				m.sim.Card.Heal(rapid.SampledFrom(lies).Draw(t, "lie"))
			}
		}
		actions["pull"] = func(t *rapid.T) {
			if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
				m.sim.Card.Inject(model.Pulled)
				m.gone = true
			}
		}
		t.Repeat(actions)
		m.finish()
	})
}

// What a lie costs is counted, and the next honest frames come through.
func TestLiesAreCounted(t *testing.T) {
	for _, c := range []struct {
		name    string
		lie     model.Faults
		mtu     int
		dropped [2]uint64 // of 20 frames, least and most
		lost    int       // of those after it
	}{
		{"length beyond the buffer", model.LieRxLength, 1500, [2]uint64{20, 20}, 0},
		{"length beyond the buffer, jumbo", model.LieRxLength, 9000, [2]uint64{20, 20}, 0},
		// What has no end is cut off at the longest frame, and its end is that of the first honest one.
		{"no end", model.LieRxNoEOP, 1500, [2]uint64{1, 1}, 1},
		{"no end, jumbo", model.LieRxNoEOP, 9000, [2]uint64{1, 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, nic.Config{MTU: c.mtu, RxRing: 64})
			r.sim.Card.Inject(c.lie)
			r.sim.Card.Step(1)
			for i := range 20 {
				r.wire.put(frame(1000, byte(i)))
			}
			r.step()
			if got := r.receive(); len(got) != 0 {
				t.Errorf("%d frames received", len(got))
			}
			if n := r.stats().RxDropped; n < c.dropped[0] || n > c.dropped[1] {
				t.Errorf("%d dropped, want %d to %d", n, c.dropped[0], c.dropped[1])
			}
			r.sim.Card.Heal(c.lie)
			r.sim.Card.Step(1)
			var want [][]byte
			for i := range 100 {
				want = append(want, frame(1000, byte(i)))
				r.wire.put(want[i])
			}
			r.step()
			same(t, "after the lies", r.receive(), want[c.lost:])
		})
	}
}
