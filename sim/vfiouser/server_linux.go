package vfiouser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
)

// Card is a modelled PCI network card, such as *ixgbe.Card. All methods are called on the goroutine of Server.Run.
type Card interface {
	mmio.Hook
	Device() uint16
	Step(budget int) int
	Reset()
	SetBusMaster(on bool)
	SetInterrupts(kind irq.Kind, send func(vector int))
	Unmask()
}

// Server gives one card to one client after another.
type Server struct {
	listener *net.UnixListener
	card     Card
	space    *iommu.Space
	log      func(format string, args ...any)
	config   *configSpace
	irqs     interrupts
}

// Listen makes a server at a path that does not exist yet. The card's DMA goes through space, in which the server maps
// the client's memory. Log is told what clients do that makes no sense; nil for nobody.
func Listen(path string, card Card, space *iommu.Space, log func(format string, args ...any)) (*Server, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("vfio-user %s: %w: remove the socket if no other server has it", path, err)
	}
	if log == nil {
		log = func(string, ...any) {}
	}
	return &Server{listener: l, card: card, space: space, log: log, config: newConfigSpace(card.Device())}, nil
}

// Close removes the socket. Run must have returned.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until the context ends. Without a client the card is as after a reset, and moves no frames.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = s.listener.SetDeadline(time.Now()) })()
	for {
		c, err := s.listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("vfio-user %s: %w", s.listener.Addr(), err)
		}
		if err := s.serve(ctx, c); err != nil {
			s.log("vfio-user %s: %v", s.listener.Addr(), err)
		}
	}
}

// How long the server waits for the client while the card has nothing to do: its wire is looked at as often.
const (
	leastWait = 50 * time.Microsecond
	mostWait  = time.Millisecond
	budget    = 64 // frames a step, of each queue and direction
)

// serve serves one client, until it goes or says something that makes no sense.
func (s *Server) serve(ctx context.Context, c *net.UnixConn) error {
	in, failed, over := make(chan *message), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(in)
		for {
			m, err := receive(c)
			if err != nil {
				failed <- err
				return
			}
			select {
			case in <- m:
			case <-over:
				m.closeFDs()
				return
			}
		}
	}()
	defer func() {
		close(over)
		_ = c.Close()
		for m := range in {
			m.closeFDs()
		}
		s.forget()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := leastWait; ; {
		timer.Reset(wait)
		select {
		case m, ok := <-in:
			if !ok {
				if err := <-failed; !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
					return err
				}
				return nil
			}
			if err := s.answer(c, m); err != nil {
				return err
			}
			wait = leastWait
		case <-timer.C:
			if wait = min(2*wait, mostWait); s.card.Step(budget) > 0 {
				wait = 0
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// forget gives up all that a client gave, and resets the card ("Client Disconnection").
func (s *Server) forget() {
	s.reset()
	s.irqs.close(s.card)
	s.unmap(0, 1<<63)
	s.unmap(1<<63, 1<<63)
	s.config = newConfigSpace(s.card.Device())
}

func (s *Server) reset() {
	s.card.Reset()
	s.config.write(cfgCommand, []byte{0, 0})
	s.card.SetBusMaster(false)
}

// answer does what a message asks for.
func (s *Server) answer(c *net.UnixConn, m *message) error {
	defer m.closeFDs()
	if m.flags&flagType != 0 {
		return fmt.Errorf("a reply to nothing (command %d)", m.command)
	}
	data, failed := s.do(m)
	if failed != 0 {
		s.log("vfio-user %s: command %d of %d bytes: %v", s.listener.Addr(), m.command, len(m.data), failed)
	}
	if m.flags&flagNoReply != 0 {
		return nil
	}
	return reply(c, m, data, failed)
}

// do returns the answer's data.
func (s *Server) do(m *message) ([]byte, unix.Errno) {
	least := map[uint16]int{
		cmdVersion: 4, cmdDMAMap: 32, cmdDMAUnmap: 24, cmdDeviceInfo: 16, cmdRegionInfo: 32, cmdIRQInfo: 16, cmdSetIRQs: 20,
		cmdRegionRead: 16, cmdRegionWrite: 16, cmdDeviceReset: 0,
	}
	n, known := least[m.command]
	switch {
	case !known:
		return nil, unix.ENOTSUP
	case len(m.data) < n:
		return nil, unix.EINVAL
	}
	switch m.command {
	case cmdVersion:
		return s.version(m.data)
	case cmdDMAMap:
		return m.data, s.mapMemory(m)
	case cmdDMAUnmap:
		s.unmap(le.Uint64(m.data[8:]), le.Uint64(m.data[16:]))
		return m.data, 0
	case cmdDeviceInfo: // a PCI device that can be reset
		return words(16, 1|2, regions, irqTypes), 0
	case cmdRegionInfo:
		return s.regionInfo(m.data)
	case cmdIRQInfo:
		return s.irqs.info(m.data)
	case cmdSetIRQs:
		return nil, s.irqs.set(m, s.card)
	case cmdRegionRead, cmdRegionWrite:
		return s.access(m)
	}
	s.reset()
	return nil, 0
}

// words are 32-bit words in a row.
func words(list ...uint32) (b []byte) {
	for _, v := range list {
		b = le.AppendUint32(b, v)
	}
	return b
}

// version agrees on the protocol ("VFIO_USER_VERSION").
func (s *Server) version(data []byte) ([]byte, unix.Errno) {
	if major := le.Uint16(data); major != versionMajor {
		return nil, unix.EINVAL
	}
	return append(append([]byte{0, 0, 0, 0}, capabilitiesJSON...), 0), 0
}

// Regions of a PCI device (enum in linux/vfio.h).
const (
	regionBAR0   = 0
	regionBAR4   = 4
	regionConfig = 7
	regions      = 9
	msixSize     = 16 << 10 // bytes of BAR 4, whose table the client keeps
)

// regionSize is the size of a region in bytes, 0 where there is none.
func regionSize(i uint32) uint64 {
	return map[uint32]uint64{regionBAR0: chip.BARSize, regionBAR4: msixSize, regionConfig: configSize}[i]
}

// regionInfo describes a region ("VFIO_USER_DEVICE_GET_REGION_INFO").
func (s *Server) regionInfo(data []byte) ([]byte, unix.Errno) {
	index := le.Uint32(data[8:])
	if index >= regions {
		return nil, unix.EINVAL
	}
	flags := uint32(0)
	if regionSize(index) > 0 {
		flags = 1 | 2 // can be read and written
	}
	return le.AppendUint64(le.AppendUint64(words(32, flags, index, 0), regionSize(index)), 0), 0
}

// access reads or writes a region ("Read and Write Operations").
func (s *Server) access(m *message) ([]byte, unix.Errno) {
	off, region, n := le.Uint64(m.data), le.Uint32(m.data[8:]), le.Uint32(m.data[12:])
	size := regionSize(region)
	if n > maxTransfer || off > size || uint64(n) > size-off || m.command == cmdRegionWrite && uint64(len(m.data)) != 16+uint64(n) {
		return nil, unix.EINVAL
	}
	if m.command == cmdRegionRead {
		b := make([]byte, n)
		s.read(region, off, b)
		return append(m.data[:16:16], b...), 0
	}
	s.write(region, off, m.data[16:])
	le.PutUint32(m.data[12:], 0)
	return m.data[:16], 0
}

func (s *Server) read(region uint32, off uint64, b []byte) {
	switch region {
	case regionConfig:
		copy(b, s.config.data[off:])
	case regionBAR0:
		for len(b) > 0 {
			var word [4]byte
			le.PutUint32(word[:], s.card.Read32(uint32(off)&^3))
			n := copy(b, word[off&3:])
			b, off = b[n:], off+uint64(n)
		}
	}
}

// write writes to the card only whole registers: all that the datasheet allows (8.1).
func (s *Server) write(region uint32, off uint64, b []byte) {
	switch region {
	case regionConfig:
		s.config.write(int(off), b)
		s.card.SetBusMaster(s.config.master())
		s.flr()
	case regionBAR0:
		for ; len(b) >= 4 && off&3 == 0; b, off = b[4:], off+4 {
			s.card.Write32(uint32(off), le.Uint32(b))
		}
	}
}

// flr does a function level reset where the device control register says so (9.3.10.5).
func (s *Server) flr() {
	if control := &s.config.data[cfgPCIeCap+0x09]; *control&0x80 != 0 {
		*control &^= 0x80
		s.reset()
	}
}

// mapMemory maps memory of the client ("VFIO_USER_DMA_MAP"). What comes without a descriptor, as ROMs do, no DMA
// reaches.
func (s *Server) mapMemory(m *message) unix.Errno {
	flags, off := le.Uint32(m.data[4:]), le.Uint64(m.data[8:])
	iova, size := le.Uint64(m.data[16:]), le.Uint64(m.data[24:])
	fd := m.takeFD(0)
	if fd < 0 {
		return 0
	}
	defer unix.Close(fd)
	// Memory that the client could make shorter would be gone under the card.
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		s.log("vfio-user %s: the guest's memory may shrink: use memory-backend-memfd,share=on", s.listener.Addr())
		return unix.EPERM
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || size > 1<<46 || off > uint64(st.Size) || size > uint64(st.Size)-off || size == 0 {
		return unix.EINVAL
	}
	prot, readOnly := unix.PROT_READ|unix.PROT_WRITE, flags&2 == 0
	if readOnly {
		prot = unix.PROT_READ
	}
	mem, err := unix.Mmap(fd, int64(off), int(size), prot, unix.MAP_SHARED)
	if err != nil {
		var e unix.Errno
		errors.As(err, &e)
		return e
	}
	if err := s.space.Map(iova, mem, readOnly); err != nil {
		_ = unix.Munmap(mem)
		return unix.EEXIST
	}
	return 0
}

// unmap takes memory away, which the card does not touch afterwards: it looks up every address in each step.
func (s *Server) unmap(iova, size uint64) {
	for _, mem := range s.space.Unmap(iova, size) {
		_ = unix.Munmap(mem)
	}
}
