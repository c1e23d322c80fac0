package ixgbe

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
	"glassnic/sim/wire"
)

// port is a wire.End that tests fill and empty by hand.
type port struct {
	in    []wire.Frame // to the card
	out   [][]byte     // from the card
	bad   int          // frames sent with a wrong FCS
	take  int          // frames that one Send takes, all if negative
	lossy bool
	down  bool
	lent  [][]byte
}

// Receive spoils what it lent before, so that a card which keeps it is found out.
func (p *port) Receive(frames []wire.Frame) int {
	p.spoil()
	n := copy(frames, p.in)
	p.in = p.in[n:]
	for i := range frames[:n] {
		frames[i].Data = bytes.Clone(frames[i].Data)
		p.lent = append(p.lent, frames[i].Data)
	}
	return n
}

func (p *port) spoil() {
	for _, b := range p.lent {
		for i := range b {
			b[i] = 0xEE
		}
	}
	p.lent = p.lent[:0]
}

func (p *port) Send(frames []wire.Frame) int {
	p.spoil()
	n := len(frames)
	if p.take >= 0 {
		n = min(n, p.take)
	}
	for _, f := range frames[:n] {
		p.out = append(p.out, bytes.Clone(f.Data))
		if f.Bad {
			p.bad++
		}
	}
	return n
}

func (p *port) Up() bool       { return !p.down }
func (p *port) Close() error   { return nil }
func (p *port) Overruns() bool { return p.lossy }

func (p *port) push(frames ...[]byte) {
	for _, f := range frames {
		p.in = append(p.in, wire.Frame{Data: f})
	}
}

// rig is a card with the smallest driver there can be.
type rig struct {
	t      testing.TB
	card   *Card
	port   *port
	space  *iommu.Space
	reg    mmio.Region
	polled bool
	flat   []byte
	next   uint64
	events []Event
	pause  time.Duration // instead of stepping, where the card is another process
}

const flatSize = 6 << 20

func newRig(t testing.TB, polled bool, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, port: &port{take: -1}, polled: polled}
	if polled {
		r.flat = make([]byte, flatSize)
		r.next = iommu.Bottom
		r.space = iommu.NewFlat(r.flat)
	} else {
		r.space = iommu.NewAbove(5 << 30)
	}
	cfg := Config{Name: "test", Memory: r.space, Wire: r.port}
	if !polled {
		cfg.Trace = func(e Event) { r.events = append(r.events, e) }
	}
	for _, f := range change {
		f(&cfg)
	}
	r.boot(cfg)
	return r
}

func (r *rig) boot(cfg Config) {
	r.t.Helper()
	var err error
	if r.card, err = New(cfg); err != nil {
		r.t.Fatal(err)
	}
	if r.polled {
		r.reg = mmio.MapPolled(r.card.Registers())
	} else {
		r.reg = mmio.Trap(chip.BARSize, r.card)
	}
}

func (r *rig) alloc(size int) dma.Memory {
	r.t.Helper()
	if !r.polled {
		m, err := r.space.Alloc(size, 128)
		if err != nil {
			r.t.Fatal(err)
		}
		return m
	}
	at := (r.next + 127) &^ 127
	r.next = at + uint64(size)
	return dma.Memory{Bytes: r.flat[at:r.next:r.next], IOVA: at}
}

// step moves frames; in polled mode it also has the card look at all registers.
func (r *rig) step(budget int) int {
	if r.pause > 0 {
		time.Sleep(r.pause)
		return 0
	}
	if r.polled {
		r.card.Sync()
		n := r.card.Poll(budget)
		r.card.Sync()
		return n
	}
	return r.card.Step(budget)
}

// wait steps until a register has the wanted bits, as a driver polls.
func (r *rig) wait(off, mask, want uint32) bool {
	tries := 50
	if r.pause > 0 {
		tries = int(5 * time.Second / r.pause)
	}
	for range tries {
		if r.reg.Read32(off)&mask == want {
			return true
		}
		r.step(0)
	}
	return false
}

// start resets the card and brings the MAC up in the order of 4.6.3.
func (r *rig) start() {
	r.t.Helper()
	must := func(ok bool, what string) {
		r.t.Helper()
		if !ok {
			r.t.Fatalf("start: no %s", what)
		}
	}
	r.reg.Write32(chip.EIMC, chip.EimcAll)
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	r.step(0)
	must(r.wait(chip.CTRL, chip.CtrlRST, 0), "end of reset")
	must(r.wait(chip.EEC, chip.EecARD, chip.EecARD), "EEPROM auto read")
	must(r.wait(chip.RDRXCTL, chip.RdrxctlDMAIDONE, chip.RdrxctlDMAIDONE), "DMA init")
	must(r.wait(chip.LINKS, chip.LinksUP, chip.LinksUP), "link")
	r.reg.Set(chip.FCTRL, chip.FctrlBAM)
	r.reg.Set(chip.HLREG0, chip.Hlreg0RXCRCSTRP|chip.Hlreg0TXCRCEN|chip.Hlreg0TXPADEN)
	r.reg.Set(chip.RDRXCTL, chip.RdrxctlCRCSTRIP)
}

// rxRing is a receive ring with one buffer per descriptor.
type rxRing struct {
	r    *rig
	i    int
	ring dma.Memory
	bufs []dma.Memory
	size int
	next int // next descriptor to look at
	tail int
	kib  int
}

func (r *rig) rx(i, size, kib int, srrctl uint32) *rxRing {
	r.t.Helper()
	q := &rxRing{r: r, i: i, size: size, ring: r.alloc(size * 16), kib: kib}
	for n := range size {
		q.bufs = append(q.bufs, r.alloc(kib*1024))
		q.post(n)
	}
	r.reg.Write32(chip.RDBAL(i), uint32(q.ring.IOVA))
	r.reg.Write32(chip.RDBAH(i), uint32(q.ring.IOVA>>32))
	r.reg.Write32(chip.RDLEN(i), uint32(size*16))
	r.reg.Write32(chip.RDH(i), 0)
	r.reg.Write32(chip.RDT(i), 0)
	r.reg.Write32(chip.SRRCTL(i), uint32(kib)|chip.SrrctlDESCTYPEAdvOneBuf|srrctl)
	r.reg.Set(chip.RXDCTL(i), chip.RxdctlENABLE)
	if !r.wait(chip.RXDCTL(i), chip.RxdctlENABLE, chip.RxdctlENABLE) {
		r.t.Fatalf("RXDCTL[%d].ENABLE does not come", i)
	}
	r.step(0) // a polled card must see the queue before the tail
	q.bump(size - 1)
	r.reg.Set(chip.RXCTRL, chip.RxctrlRXEN)
	r.step(0)
	return q
}

func (q *rxRing) post(n int) {
	binary.LittleEndian.PutUint64(q.ring.Bytes[n*16:], q.bufs[n].IOVA)
	binary.LittleEndian.PutUint64(q.ring.Bytes[n*16+8:], 0)
}

func (q *rxRing) bump(tail int) {
	q.tail = tail % q.size
	q.r.reg.Write32(chip.RDT(q.i), uint32(q.tail))
}

// words loads DD first, as a driver must.
func (q *rxRing) words(n int) (w0, w1 uint64) {
	d := &asDescriptors(q.ring.Bytes)[n]
	if w1 = atomic.LoadUint64(&d.hi); w1&chip.RxDD == 0 {
		return 0, 0
	}
	return d.lo, w1
}

// got is one received frame.
type got struct {
	data   []byte
	w0, w1 uint64 // of the last descriptor
	descs  int
}

// take returns all whole frames that have arrived, and posts their descriptors again.
func (q *rxRing) take() (frames []got) {
	var g got
	at := q.next
	for {
		w0, w1 := q.words(at)
		if w1&chip.RxDD == 0 {
			return frames
		}
		g.data = append(g.data, q.bufs[at].Bytes[:min(chip.RxLen(w1), len(q.bufs[at].Bytes))]...)
		g.w0, g.w1 = w0, w1
		g.descs++
		at = (at + 1) % q.size
		if w1&chip.RxEOP == 0 {
			continue
		}
		frames = append(frames, g)
		g = got{}
		for ; q.next != at; q.next = (q.next + 1) % q.size {
			q.post(q.next)
			q.bump(q.next)
		}
	}
}

// txRing is a transmit ring with one buffer per descriptor.
type txRing struct {
	r    *rig
	i    int
	ring dma.Memory
	bufs []dma.Memory
	size int
	tail int
}

func (r *rig) tx(i, size int) *txRing {
	r.t.Helper()
	q := &txRing{r: r, i: i, size: size, ring: r.alloc(size * 16)}
	room := 16384
	if size > 64 {
		room = 2048
	}
	for range size {
		q.bufs = append(q.bufs, r.alloc(room))
	}
	r.reg.Write32(chip.TDBAL(i), uint32(q.ring.IOVA))
	r.reg.Write32(chip.TDBAH(i), uint32(q.ring.IOVA>>32))
	r.reg.Write32(chip.TDLEN(i), uint32(size*16))
	r.reg.Write32(chip.TDH(i), 0)
	r.reg.Write32(chip.TDT(i), 0)
	r.reg.Set(chip.DMATXCTL, chip.DmatxctlTE)
	r.reg.Set(chip.TXDCTL(i), chip.TxdctlENABLE)
	if !r.wait(chip.TXDCTL(i), chip.TxdctlENABLE, chip.TxdctlENABLE) {
		r.t.Fatalf("TXDCTL[%d].ENABLE does not come", i)
	}
	r.step(0)
	return q
}

const txPlain = chip.TxDTYPData | chip.TxDCMDDEXT | chip.TxDCMDIFCS

// add puts one descriptor into the ring without telling the card.
func (q *txRing) add(data []byte, word uint64) {
	b := q.bufs[q.tail]
	copy(b.Bytes, data)
	q.raw(b.IOVA, word|uint64(len(data)))
}

func (q *txRing) raw(lo, hi uint64) {
	binary.LittleEndian.PutUint64(q.ring.Bytes[q.tail*16:], lo)
	binary.LittleEndian.PutUint64(q.ring.Bytes[q.tail*16+8:], hi)
	q.tail = (q.tail + 1) % q.size
}

// send queues one whole frame with RS.
func (q *txRing) send(data []byte) {
	q.add(data, txPlain|chip.TxDCMDEOP|chip.TxDCMDRS|uint64(len(data))<<chip.TxPaylenShift)
}

func (q *txRing) kick() { q.r.reg.Write32(chip.TDT(q.i), uint32(q.tail)) }

func (q *txRing) done(n int) bool {
	return atomic.LoadUint64(&asDescriptors(q.ring.Bytes)[n].hi)&chip.TxDD != 0
}

// frame is a frame to the card's address with a number in it.
func frame(size, seq int) []byte {
	b := make([]byte, size)
	copy(b, []byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90, 0x02, 1, 2, 3, 4, 5, 0x88, 0xB5})
	for i := 14; i < size; i++ {
		b[i] = byte(i * 7)
	}
	if size >= 18 {
		binary.BigEndian.PutUint32(b[14:], uint32(seq))
	}
	return b
}

func both(t *testing.T, f func(t *testing.T, polled bool)) {
	t.Run("trapped", func(t *testing.T) { f(t, false) })
	t.Run("polled", func(t *testing.T) { f(t, true) })
}
