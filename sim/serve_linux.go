package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	"glassnic/bus/irq"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/wake"
	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// Server is a set of polled cards for drivers in other processes, reached by the address
// shm:DIR/pN. Package bus/shm says what lies in the directory.
//
// The files are the cards: a server that is started again on the directory of one that was killed goes
// on where that left off, and the drivers do not notice more than a pause.
//
// The card of a driver that has gone, killed perhaps, is reset within some 10 ms. Until then it may still
// write to memory that was that driver's, which other drivers leave alone long enough (package bus/shm):
// only a server that does not run for 100 ms and then goes on is too late.
type Server struct {
	dir   string
	lock  *os.File
	mem   []byte
	space *iommu.Space
	ports []*ServedPort
	start time.Time
}

// ServedPort is one card of a Server.
type ServedPort struct {
	Card *ixgbe.Card
	Wire wire.End

	file   *os.File // resource0
	regs   []byte
	irqs   []*wake.Event // FIFOs, one for each vector
	driver bool          // a driver had the port when we last looked
}

const (
	// DefaultMemory is the size of DIR/dma in bytes: enough for a few drivers with large rings.
	DefaultMemory = 256 << 20
	// lookEvery is how often the server looks whether drivers are still there.
	lookEvery = 10 * time.Millisecond
	// servedVectors is how many queues a polled card can interrupt for: those that EICR tells apart.
	servedVectors = 16
)

// NewServer publishes one card for each wire in dir, which is made if need be; tmpfs, such as below
// /dev/shm, serves best. memory is the size of DIR/dma in bytes, 0 for DefaultMemory; an existing file
// keeps its size. The server owns the wires.
func NewServer(dir string, memory int, wires []wire.End) (s *Server, err error) {
	s = &Server{dir: dir, start: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("serve %s: %w", dir, err), s.Close())
			s = nil
		}
	}()
	for _, end := range wires {
		s.ports = append(s.ports, &ServedPort{Wire: end})
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return s, err
	}
	s.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return s, err
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return s, fmt.Errorf("another server has the directory: stop it or choose another: %w", err)
	}
	if memory == 0 {
		memory = DefaultMemory
	}
	f, mem, err := mapFile(filepath.Join(dir, "dma"), max(memory, 2*iommu.Bottom), true)
	if err != nil {
		return s, err
	}
	f.Close()
	s.mem, s.space = mem, iommu.NewFlat(mem)
	for i, p := range s.ports {
		if err := s.publish(i, p); err != nil {
			return s, fmt.Errorf("p%d: %w", i, err)
		}
	}
	return s, nil
}

// publish makes the files of a port and its card, which goes on with what its registers say if a
// driver is waiting for it.
func (s *Server) publish(i int, p *ServedPort) error {
	dir := filepath.Join(s.dir, fmt.Sprintf("p%d", i))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cfg := ixgbe.Config{
		Name: dir, Memory: s.space, Wire: p.Wire, MAC: [6]byte{0x02, 0x00, 0x00, 0x82, 0x59, byte(0x90 + i)},
		Clock: func() time.Duration { return time.Since(s.start) },
	}
	if err := writeID(filepath.Join(dir, "config"), 0x10fb); err != nil {
		return err
	}
	var err error
	if p.file, p.regs, err = mapFile(filepath.Join(dir, "resource0"), facts.BARSize, false); err != nil {
		return err
	}
	// A hole in the file on a full file system would raise SIGBUS on access.
	if err := dma.Populate(p.regs); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%s: %w: make room in its file system", p.file.Name(), err)
	}
	if err := p.makeFIFOs(dir); err != nil {
		return err
	}
	if p.driver, err = p.lock(); err != nil {
		return err
	}
	cfg.Regs, cfg.Resume = p.regs, p.driver
	if p.Card, err = ixgbe.New(cfg); err != nil {
		return err
	}
	p.Card.SetInterrupts(irq.MSIX, func(v int) {
		if v < len(p.irqs) {
			_ = p.irqs[v].Signal() // fails once it is closed, when the card is polled no more
		}
	})
	if p.driver {
		return nil
	}
	return p.unlock()
}

// makeFIFOs makes the FIFOs of a port, or opens those that are there.
func (p *ServedPort) makeFIFOs(dir string) error {
	for v := range servedVectors {
		path := filepath.Join(dir, fmt.Sprintf("irq%d", v))
		if err := unix.Mkfifo(path, 0o644); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("make FIFO %s: %w", path, err)
		}
		e, err := wake.OpenFIFO(path)
		if err != nil {
			return err
		}
		p.irqs = append(p.irqs, e)
	}
	return nil
}

// mapFile maps a file of size bytes, which it makes or enlarges. One that is larger is kept and mapped
// whole, or refused: files that drivers have mapped must not shrink.
func mapFile(path string, size int, larger bool) (*os.File, []byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	if err == nil && st.Size() < int64(size) {
		err = f.Truncate(int64(size))
	}
	if err == nil && st.Size() > int64(size) {
		if !larger {
			err = fmt.Errorf("%s has %d bytes and should have %d: remove it", path, st.Size(), size)
		}
		size = int(st.Size())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("map %s: %w", path, err)
	}
	return f, mem, nil
}

// writeID writes the header of a PCI configuration space (PCI Local Bus 3.0, section 6.1).
func writeID(path string, device uint16) error {
	b := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint16(b[0x00:], facts.VendorIntel)
	le.PutUint16(b[0x02:], device)
	le.PutUint32(b[0x08:], 0x020000<<8|1) // Ethernet controller, revision 1
	le.PutUint16(b[0x2c:], facts.VendorIntel)
	return os.WriteFile(path, b, fs.FileMode(0o644))
}

// lock takes the port's lock and tells whether a driver has it instead. A driver that opens the port
// meanwhile waits.
func (p *ServedPort) lock() (driver bool, err error) {
	err = unix.Flock(int(p.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("lock %s: %w", p.file.Name(), err)
	}
	return false, nil
}

func (p *ServedPort) unlock() error { return unix.Flock(int(p.file.Fd()), unix.LOCK_UN) }

// look resets the card of a driver that has gone, so that nothing is written any more to memory that
// was its own, as VFIO resets a function whose user goes.
func (p *ServedPort) look() error {
	driver, err := p.lock()
	if err != nil {
		return err
	}
	if p.driver && !driver {
		p.Card.Reset()
	}
	if p.driver = driver; driver {
		return nil
	}
	return p.unlock()
}

// Driver tells whether a driver has the port, as of the last look. It belongs to the goroutine that
// runs the server.
func (p *ServedPort) Driver() bool { return p.driver }

// Ports returns the cards in the order of the wires.
func (s *Server) Ports() []*ServedPort { return s.ports }

// Run polls the cards until ctx ends. tick, if not nil, is called between polls about every second.
func (s *Server) Run(ctx context.Context, tick func()) error {
	looked, ticked := time.Now(), time.Now()
	for idle, round := 0, 0; ctx.Err() == nil; round++ {
		n := 0
		for _, p := range s.ports {
			n += p.Card.Poll(budget)
		}
		if n > 0 {
			idle = 0
		} else {
			rest(&idle)
		}
		if round%64 != 0 && idle < 2000 {
			continue
		}
		now := time.Now()
		if now.Sub(looked) >= lookEvery {
			looked = now
			for _, p := range s.ports {
				if err := p.look(); err != nil {
					return err
				}
			}
		}
		if tick != nil && now.Sub(ticked) >= time.Second {
			ticked = now
			tick()
		}
	}
	return nil
}

// Close closes the wires and lets the directory go; the files stay.
func (s *Server) Close() error {
	var all []error
	for _, p := range s.ports {
		if p.Wire != nil {
			all = append(all, p.Wire.Close())
		}
		if p.file != nil {
			all = append(all, unix.Munmap(p.regs), p.file.Close())
		}
		for _, e := range p.irqs {
			all = append(all, e.Close())
		}
	}
	if s.mem != nil {
		all = append(all, unix.Munmap(s.mem))
	}
	if s.lock != nil {
		all = append(all, s.lock.Close())
	}
	return errors.Join(all...)
}
