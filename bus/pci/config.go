package pci

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"glassnic/bus"
)

// Registers of the configuration header (PCI Local Bus 3.0, section 6.1 and appendix D).
const (
	CfgVendor    = 0x00
	CfgDevice    = 0x02
	CfgCommand   = 0x04 // section 6.2.2
	CfgStatus    = 0x06 // section 6.2.3
	CfgRevision  = 0x08
	CfgSubvendor = 0x2c
	CfgSubdevice = 0x2e
	CfgCapPtr    = 0x34 // section 6.7
)

// Bits of the Command and Status registers.
const (
	CmdIO          = 1 << 0  // answers to I/O accesses
	CmdMemory      = 1 << 1  // answers to memory accesses
	CmdMaster      = 1 << 2  // may access memory itself: DMA
	CmdNoINTx      = 1 << 10 // keeps its interrupt pin quiet
	StatusCapsList = 1 << 4
)

// Config is the configuration space of a device: the file `config` in sysfs, or anything laid out
// like it. It implements bus.ConfigSpace; concurrent accesses reach the device in some order.
type Config struct {
	addr string
	rw   io.ReaderAt // also an io.WriterAt where it can be written
	c    io.Closer
}

// NewConfig returns the configuration space in r for reading; addr names it in errors.
func NewConfig(addr string, r io.ReaderAt) *Config { return &Config{addr: addr, rw: r} }

// OpenConfig opens the configuration space of a device, for reading alone or also for writing, which
// needs root. An ordinary user reads the first 64 bytes. The caller closes it.
func (s Sysfs) OpenConfig(addr string, write bool) (*Config, error) {
	addr, err := s.find(addr)
	if err != nil {
		return nil, err
	}
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(filepath.Join(s.device(addr), "config"), flag, 0)
	if err != nil {
		return nil, explain(addr, "open configuration space", err)
	}
	return &Config{addr: addr, rw: f, c: f}, nil
}

// Close closes the file.
func (c *Config) Close() error {
	if c.c == nil {
		return nil
	}
	return c.c.Close()
}

func (c *Config) read(off, width int) (uint32, error) {
	var b [4]byte
	if off < 0 || off > 4096-width || off%width != 0 {
		return 0, fmt.Errorf("pci %s: read configuration space: no %d bytes at %#x", c.addr, width, off)
	}
	if _, err := c.rw.ReadAt(b[:width], int64(off)); err == io.EOF {
		return 0, fmt.Errorf("pci %s: read configuration space at %#x: %w: an ordinary user reads 64 bytes, root all", c.addr, off, io.ErrUnexpectedEOF)
	} else if err != nil {
		return 0, explain(c.addr, fmt.Sprintf("read configuration space at %#x", off), err)
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

func (c *Config) write(off, width int, v uint32) error {
	w, ok := c.rw.(io.WriterAt)
	if !ok || off < 0 || off > 4096-width || off%width != 0 {
		return fmt.Errorf("pci %s: write configuration space: no %d writable bytes at %#x", c.addr, width, off)
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	_, err := w.WriteAt(b[:width], int64(off))
	return explain(c.addr, fmt.Sprintf("write configuration space at %#x", off), err)
}

// Read8 implements bus.ConfigSpace.
func (c *Config) Read8(off int) (uint8, error) { v, err := c.read(off, 1); return uint8(v), err }

// Read16 implements bus.ConfigSpace.
func (c *Config) Read16(off int) (uint16, error) { v, err := c.read(off, 2); return uint16(v), err }

// Read32 implements bus.ConfigSpace.
func (c *Config) Read32(off int) (uint32, error) { return c.read(off, 4) }

// Write8 implements bus.ConfigSpace.
func (c *Config) Write8(off int, v uint8) error { return c.write(off, 1, uint32(v)) }

// Write16 implements bus.ConfigSpace.
func (c *Config) Write16(off int, v uint16) error { return c.write(off, 2, uint32(v)) }

// Write32 implements bus.ConfigSpace.
func (c *Config) Write32(off int, v uint32) error { return c.write(off, 4, v) }

// ReadID reads the identity from a type 0 header.
func ReadID(c bus.ConfigSpace) (bus.ID, error) {
	ids, err := c.Read32(CfgVendor)
	if err != nil {
		return bus.ID{}, err
	}
	class, err := c.Read32(CfgRevision)
	if err != nil {
		return bus.ID{}, err
	}
	sub, err := c.Read32(CfgSubvendor)
	if err != nil {
		return bus.ID{}, err
	}
	return bus.ID{
		Vendor: uint16(ids), Device: uint16(ids >> 16), Revision: uint8(class), Class: class >> 8,
		Subvendor: uint16(sub), Subdevice: uint16(sub >> 16),
	}, nil
}
