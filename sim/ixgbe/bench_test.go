package ixgbe

import (
	"testing"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// hose always has the same frames waiting and takes all that is sent.
type hose struct {
	frames [][]byte
	next   int
	sent   int
}

func (h *hose) Receive(frames []wire.Frame) int {
	for i := range frames {
		frames[i] = wire.Frame{Data: h.frames[h.next]}
		if h.next++; h.next == len(h.frames) {
			h.next = 0
		}
	}
	return len(frames)
}
func (h *hose) Send(frames []wire.Frame) int { h.sent += len(frames); return len(frames) }
func (h *hose) Up() bool                     { return true }
func (h *hose) Close() error                 { return nil }

// loop is a driver that does the least: it posts what the card has used and sends as many frames.
type loop struct {
	card   *Card
	rx, tx []descriptor
	rdt    mmio.Doorbell
	tdt    mmio.Doorbell
	addrs  []uint64
	at     uint32
}

func newLoop(t testing.TB, h *hose, rings int) *loop {
	r := newRig(t, true, func(c *Config) { c.Wire = h })
	r.start()
	rx, tx := r.rx(0, rings, 2, 0), r.tx(0, rings)
	l := &loop{card: r.card, rx: asDescriptors(rx.ring.Bytes), tx: asDescriptors(tx.ring.Bytes)}
	l.rdt, l.tdt = r.reg.Doorbell(chip.RDT(0)), r.reg.Doorbell(chip.TDT(0))
	for i := range rx.bufs {
		l.addrs = append(l.addrs, rx.bufs[i].IOVA)
		l.rx[i] = descriptor{lo: rx.bufs[i].IOVA}
	}
	for l.card.Poll(256) > 0 && l.card.Totals().RxHost == 0 {
	}
	l.at = uint32(l.card.rxq[0].head)
	if l.rx[l.at].hi&chip.RxDD != 0 {
		t.Fatal("the ring did not fill")
	}
	return l
}

// turn posts n receive descriptors again and queues n frames.
func (l *loop) turn(n int, size uint64) {
	mask := uint32(len(l.rx) - 1)
	at := l.at + 1 // the descriptor at the head stays empty
	txAt := l.card.txq[0].head
	for i := range uint32(n) {
		p := (at + i) & mask
		l.rx[p] = descriptor{lo: l.addrs[p]}
		hi := txPlain | chip.TxDCMDEOP | size | size<<chip.TxPaylenShift
		if i&31 == 31 {
			hi |= chip.TxDCMDRS
		}
		l.tx[(txAt+i)&mask] = descriptor{lo: l.addrs[p], hi: hi}
	}
	l.at = (l.at + uint32(n)) & mask
	l.rdt.Ring(l.at)
	l.tdt.Ring((txAt + uint32(n)) & mask)
}

func benchmarkPoll(b *testing.B, batch, size int, ip bool) {
	h := &hose{}
	for i := range 67 {
		f := frame(size, i)
		if ip {
			udp(f)
		}
		h.frames = append(h.frames, f)
	}
	l := newLoop(b, h, 512)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		l.turn(batch, uint64(size))
		if moved := l.card.Poll(256); moved != 2*batch {
			b.Fatalf("moved %d of %d", moved, 2*batch)
		}
	}
}

func BenchmarkPoll32(b *testing.B)      { benchmarkPoll(b, 32, 60, false) }
func BenchmarkPoll32UDP(b *testing.B)   { benchmarkPoll(b, 32, 60, true) }
func BenchmarkPoll1(b *testing.B)       { benchmarkPoll(b, 1, 60, false) }
func BenchmarkPoll4(b *testing.B)       { benchmarkPoll(b, 4, 60, false) }
func BenchmarkPoll32x1514(b *testing.B) { benchmarkPoll(b, 32, 1514, true) }

func BenchmarkIdle(b *testing.B) {
	h := &hose{frames: [][]byte{frame(60, 0)}}
	l := newLoop(b, h, 512)
	for b.Loop() {
		l.card.Poll(32)
	}
}
