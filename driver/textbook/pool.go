package textbook

import (
	"fmt"

	"glassnic/bus/dma"
)

// pool is a stack of free buffers: what was freed last, and is most likely still in the cache, is
// allocated first. It belongs to one goroutine, as the port does.
type pool struct {
	free   []*Buf // free[:top]
	top    int
	room   int // bytes of the longest frame
	mem    dma.Allocator
	pieces []dma.Memory
}

// newPool allocates n buffers of stride bytes, metadata included.
func newPool(mem dma.Allocator, n, stride int, apart bool) (*pool, error) {
	p := &pool{free: make([]*Buf, n), room: stride - metadata, mem: mem}
	table := make([]Buf, n) // for apart
	perPiece := min(mem.MaxAlloc(), 2<<20) / stride
	for p.top < n {
		k := min(perPiece, n-p.top)
		piece, err := mem.Alloc(k*stride, 0)
		if err != nil {
			p.close()
			return nil, fmt.Errorf("%d buffers of %d bytes: %w", n, stride, err)
		}
		p.pieces = append(p.pieces, piece)
		for off := 0; off < k*stride; off += stride {
			m := dma.Memory{Bytes: piece.Bytes[off : off+stride], IOVA: piece.IOVA + uint64(off)}
			buf := asBuf(m)
			if apart {
				buf = &table[p.top]
			}
			buf.pool, buf.iova, buf.frame = p, m.IOVA+metadata, &m.Bytes[metadata]
			p.put(buf)
		}
	}
	return p, nil
}

// alloc returns a buffer, nil where there is none.
func (p *pool) alloc() *Buf {
	if p.top == 0 {
		return nil
	}
	p.top--
	return p.free[p.top]
}

// put takes a buffer back.
func (p *pool) put(b *Buf) {
	p.free[p.top] = b
	p.top++
}

func (p *pool) close() {
	for _, m := range p.pieces {
		p.mem.Free(m)
	}
	p.pieces = nil
}

// Alloc returns an empty buffer of the port's pool, nil where there is none.
func (d *Device) Alloc() *Buf { return d.pool.alloc() }

// Free gives buffers back to the pools they came from.
func Free(batch []*Buf) {
	for _, b := range batch {
		b.pool.put(b)
	}
}
