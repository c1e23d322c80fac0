package pci

import (
	"sync/atomic"

	"glassnic/bus/dma"
)

// Late wraps an allocator so that on is called with the first memory that it hands out, before anybody has
// it: on switches the device's bus mastering on. Until then a device that its last user did not stop, a
// process that was killed, say, cannot write to the memory of others, and its driver can reset it.
func Late(a dma.Allocator, on func() error) dma.Allocator { return &late{Allocator: a, on: on} }

type late struct {
	dma.Allocator
	on   func() error
	done atomic.Bool
}

// Alloc implements dma.Allocator. Two at the same time may both call on.
func (l *late) Alloc(size, align int) (dma.Memory, error) {
	m, err := l.Allocator.Alloc(size, align)
	if err != nil || l.done.Load() {
		return m, err
	}
	if err := l.on(); err != nil {
		l.Free(m)
		return dma.Memory{}, err
	}
	l.done.Store(true)
	return m, nil
}
