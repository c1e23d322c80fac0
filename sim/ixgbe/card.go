// Package ixgbe models an Intel 82599 at the level of its registers and descriptor rings.
//
// A Card plays one of two parts. Trapped, it is the mmio.Hook of a region: every register access calls
// it, and Step moves frames; all of that belongs to one goroutine. Polled, its register file is memory
// that a driver in another thread or process writes unseen, and Poll both notices the writes and moves
// frames. A polled card cannot see reads: its counters do not clear, and its semaphores do not latch.
//
// Section numbers are those of the Intel 82599 10 GbE Controller Datasheet.
package ixgbe

import (
	"fmt"
	"sync/atomic"
	"time"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
	"glassnic/sim/wire"
)

const (
	barWords = chip.BARSize / 4
	queues   = chip.MaxQueues
	// batch is the most frames that one direction moves before it looks at tails and wire again.
	batch = 256
)

// Config says what a Card is and what it is connected to.
type Config struct {
	Name   string // in faults and errors; "ixgbe" if empty
	Device uint16 // PCI device id, 0x10fb (82599ES SFP+) if zero
	// Module has an SFP+ module for short-range fiber plugged in, which drivers read by I2C. It goes with trapped cards.
	Module bool
	MAC    [6]byte // permanent address; 02:00:00:82:59:90 if zero

	// Regs is the register file, at least 128 KiB aligned to a page; nil for memory of the card's own.
	Regs []byte
	// Resume keeps the state that Regs holds, as another process's card left it, instead of a reset.
	// Where Regs was never a register file, the card is reset all the same. Filters of flow director, which no
	// register shows, are lost.
	Resume bool

	Memory *iommu.Space // what DMA reaches
	Wire   wire.End     // what the port is plugged into; nil for nothing, with no link

	// Clock is model time; handshakes take a few milliseconds of it. Nil counts a millisecond for each
	// Step, Poll and trapped read.
	Clock func() time.Duration
	// Eager moves frames as soon as a tail is written, in trapped mode.
	Eager bool
	// Trace is called at each trapped access, after it; nil for none.
	Trace func(Event)
}

// overruns is what a wire.End implements on which frames are lost when the card is not ready for
// them, such as a paced source; others wait.
type overruns interface{ Overruns() bool }

// Card is one modelled port. Its methods belong to the goroutine that steps it, except Inject, Heal,
// Faults, Totals and SetBusMaster, which any may call.
type Card struct {
	cfg   Config
	rows  *rows
	facts chip.Facts
	regs  *registerFile
	mem   []byte
	space *iommu.Space
	wire  wire.End
	lossy bool

	polled bool
	polls  uint32
	dirty  bool // registers were written since refresh
	ctrl   uint32
	watch  [4]uint32 // last seen values of watched
	faults atomic.Uint32
	seen   Faults // faults acted upon

	noMaster atomic.Bool
	master   bool // DMA is allowed: bus mastering on, CTRL.GIODIS clear

	hs handshakes

	rxEnabled, txEnabled bool // RXCTRL.RXEN, DMATXCTL.TE
	rxq                  [queues]rxQueue
	txq                  [queues]txQueue
	rxOn, txOn           []int // queues that run, ascending
	link                 bool
	plugged              bool // wire.Up at the last look

	irq      interrupts
	shown    uint32 // EIMS as the card left it
	mac      macConfig
	rss      rssConfig
	steering steering
	clock    ptpClock
	rsc      coalescings
	i2c      i2cBus
	fifo     packetBuffer
	rxBuf    [batch]wire.Frame
	txBuf    [batch]wire.Frame
	txEnd    [batch]uint32
	scratch
	stats  statistics
	eeprom [eepromWords]uint16
	who    struct{ rxRing, rxBuf, txRing, txBuf string }
}

// New returns a card after power-on, or one that goes on where Config.Resume says so.
func New(cfg Config) (*Card, error) {
	if cfg.Name == "" {
		cfg.Name = "ixgbe"
	}
	if cfg.Device == 0 {
		cfg.Device = 0x10fb
	}
	if cfg.MAC == [6]byte{} {
		cfg.MAC = [6]byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90}
	}
	_, model, ok := chip.Lookup(chip.VendorIntel, cfg.Device)
	if !ok {
		return nil, fmt.Errorf("sim %s: device %04x is not of the 82599 family", cfg.Name, cfg.Device)
	}
	if cfg.Memory == nil {
		return nil, fmt.Errorf("sim %s: no memory for DMA: set Config.Memory", cfg.Name)
	}
	if cfg.MAC[0]&1 != 0 {
		return nil, fmt.Errorf("sim %s: %x is a group address: the permanent address must be a unicast one", cfg.Name, cfg.MAC)
	}
	if cfg.Regs == nil {
		cfg.Regs = newRegisters()
	}
	c := &Card{cfg: cfg, space: cfg.Memory, wire: cfg.Wire, mem: cfg.Regs, rows: rowsOf(model), facts: model.Facts()}
	c.regs = asRegisters(cfg.Regs)
	if c.regs == nil {
		return nil, fmt.Errorf("sim %s: register memory must be %d bytes, aligned to a page, not %d", cfg.Name, chip.BARSize, len(cfg.Regs))
	}
	if c.wire == nil {
		c.wire = unplugged{}
	}
	if o, ok := c.wire.(overruns); ok {
		c.lossy = o.Overruns()
	}
	c.who.rxRing, c.who.rxBuf = cfg.Name+" rx descriptor", cfg.Name+" rx buffer"
	c.who.txRing, c.who.txBuf = cfg.Name+" tx descriptor", cfg.Name+" tx buffer"
	for i := range c.rxq {
		c.rxq[i].init(c, i)
		c.txq[i].init(c, i)
	}
	c.buildEEPROM()
	if !cfg.Resume || !c.resume() {
		c.Reset()
	}
	return c, nil
}

// Registers returns the register file: what a polled driver maps as BAR0.
func (c *Card) Registers() []byte { return c.mem[:chip.BARSize] }

// Device returns the PCI device id.
func (c *Card) Device() uint16 { return c.cfg.Device }

// MAC returns the permanent address.
func (c *Card) MAC() [6]byte { return c.cfg.MAC }

// SetBusMaster is the bus master enable bit of the PCI command register; without it the card does no
// DMA. It is on after New.
func (c *Card) SetBusMaster(on bool) { c.noMaster.Store(!on) }

// Step lets model time pass and moves up to budget frames in each direction of each queue. It
// returns the number of frames moved.
func (c *Card) Step(budget int) int {
	c.tick()
	c.watchWire()
	n := c.move(budget)
	c.showInterrupts()
	c.interrupt()
	c.stats.snapshot()
	return n
}

// move is the data path: both directions, up to budget frames each and per queue.
func (c *Card) move(budget int) int {
	if c.noMaster.Load() == c.master {
		c.control()
	}
	if c.dirty {
		c.refresh()
	}
	if !c.master || Faults(c.faults.Load())&Pulled != 0 {
		c.spill()
		return 0
	}
	n := c.age() + c.receive(budget)
	if c.txEnabled && c.link {
		for _, i := range c.txOn {
			n += c.txq[i].send(c, budget)
		}
	}
	return n
}

func (c *Card) get(off uint32) uint32 { return atomic.LoadUint32(&c.regs[off/4%barWords]) }

func (c *Card) put(off, v uint32) { store32(&c.regs[off/4%barWords], v) }

type unplugged struct{}

func (unplugged) Receive([]wire.Frame) int { return 0 }
func (unplugged) Send([]wire.Frame) int    { return 0 }
func (unplugged) Up() bool                 { return false }
func (unplugged) Close() error             { return nil }
