package ixgbe

import (
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// packetBuffer is the receive packet buffer (7.1.2): frames that came from the wire and wait for
// descriptors. It keeps copies.
type packetBuffer struct {
	mem    []byte
	frames []wire.Frame // Data points into mem
	first  int
	bytes  int
}

func (p *packetBuffer) len() int { return len(p.frames) - p.first }

func (p *packetBuffer) front() []wire.Frame { return p.frames[p.first : p.first+1] }

func (p *packetBuffer) pop() {
	p.bytes -= len(p.frames[p.first].Data)
	p.first++
	if p.first == len(p.frames) {
		p.clear()
	}
}

func (p *packetBuffer) clear() {
	p.mem, p.frames, p.first, p.bytes = p.mem[:0], p.frames[:0], 0, 0
}

// push copies f. Memory is reused only when the buffer has run empty or, by compaction, when it has
// grown to twice its contents.
func (p *packetBuffer) push(f *wire.Frame) {
	if len(p.mem)+len(f.Data) > cap(p.mem) {
		p.compact(len(f.Data))
	}
	at := len(p.mem)
	p.mem = append(p.mem, f.Data...)
	p.frames = append(p.frames, wire.Frame{Data: p.mem[at:len(p.mem):len(p.mem)], Bad: f.Bad})
	p.bytes += len(f.Data)
}

func (p *packetBuffer) compact(room int) {
	mem := p.mem[:0]
	if cap(mem) < 2*(p.bytes+room) {
		mem = make([]byte, 0, 2*(p.bytes+room)+wire.MaxFrame)
	}
	rest := p.frames[p.first:]
	for i := range rest {
		at := len(mem)
		mem = append(mem, rest[i].Data...)
		rest[i].Data = mem[at:len(mem):len(mem)]
	}
	n := copy(p.frames, rest)
	p.mem, p.frames, p.first = mem, p.frames[:n], 0
}

// store keeps a frame in the packet buffer. On a wire that loses frames the size of the buffer is
// RXPBSIZE (8.2.3.8.9), and frames that do not fit are missed; other wires never have more waiting here
// than one batch.
func (c *Card) store(f *wire.Frame) {
	size := int(c.get(chip.RXPBSIZE(0)) & chip.RxpbsizeSIZE)
	if c.lossy && c.fifo.bytes+len(f.Data) > size {
		c.stats.total.RxFrames++
		c.stats.total.RxMissed++
		c.cause(chip.EicrRXMISS)
		c.stats.n[statMPC]++
		c.stats.n[statTPR]++
		return
	}
	c.fifo.push(f)
}
