package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"glassnic/bus/irq"
	"glassnic/internal/wake"
)

// mostVectors is how many vectors MSI-X has at most (PCI Local Bus 3.0, section 6.8.2.3).
const mostVectors = 2048

// interrupts implements irq.Set by FIFOs.
type interrupts struct {
	addr  string
	files []string

	mu     sync.Mutex
	events []*wake.Event
}

// newInterrupts returns nil where the model has no FIFOs.
func newInterrupts(addr, port string) *interrupts {
	s := &interrupts{addr: addr}
	for v := range mostVectors {
		file := filepath.Join(port, fmt.Sprintf("irq%d", v))
		if _, err := os.Lstat(file); err != nil {
			break
		}
		s.files = append(s.files, file)
	}
	if len(s.files) == 0 {
		return nil
	}
	return s
}

func (*interrupts) Kind() irq.Kind { return irq.MSIX }
func (s *interrupts) Vectors() int { return len(s.files) }

// Enable implements irq.Set.
func (s *interrupts) Enable(n int) ([]irq.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := fmt.Sprintf("%s: enable %d interrupts", s.addr, n)
	switch {
	case n < 1 || n > len(s.files):
		return nil, fmt.Errorf("%s: the model has %d", step, len(s.files))
	case s.events != nil:
		return nil, fmt.Errorf("%s: they are on: disable them first", step)
	}
	var list []irq.Event
	for _, file := range s.files[:n] {
		e, err := wake.OpenFIFO(file)
		if err == nil {
			s.events = append(s.events, e)
			list = append(list, e)
			err = e.Clear() // what came for the driver before
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step, err), s.drop())
		}
	}
	return list, nil
}

// Disable implements irq.Set.
func (s *interrupts) Disable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop()
}

// drop closes the events.
func (s *interrupts) drop() (err error) {
	for _, e := range s.events {
		err = errors.Join(err, e.Close())
	}
	s.events = nil
	return err
}
