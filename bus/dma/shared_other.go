//go:build !linux

package dma

// DefaultShared is the size in bytes that SharedOptions.Size 0 stands for.
const DefaultShared = 64 << 20

// MaxShared is the largest size in bytes.
const MaxShared = 1 << 30

func (s *Shared) reserve(size int, _ bool) error {
	s.mem = make([]byte, size)
	return nil
}

func (s *Shared) populate([]byte) error { return nil }

func (s *Shared) discard([]byte) {}

func (s *Shared) unmap([]byte) error { return nil }
