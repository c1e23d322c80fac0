package e1000_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/chip"
	facts "glassnic/chip/e1000"
	"glassnic/sim/iommu"
)

// card plays a card of one of the three families: its registers, its rings and its interrupts. It moves frames when
// it is stepped. Bits and offsets within registers are written as the documents have them, not by the constants
// that the driver uses, of which a wrong one would be wrong on both sides.
type card struct {
	device uint16
	model  facts.Model
	facts.Facts
	space *iommu.Space
	regs  map[uint32]uint32
	phy   [32]uint16
	trace []event
	// onAccess, if set, is called before each access.
	onAccess func(e event)

	// onRead, if set, may answer instead.
	onRead func(off uint32) (uint32, bool)

	in   [][]byte // frames that arrive
	out  [][]byte // frames that were sent
	full bool     // the wire takes nothing
	down bool     // no cable
	// silent is a card whose writes to descriptors fail.
	silent  bool
	trouble error // of the bus
	// hurried is a wire that does not wait until a ring has room: then the 82576 drops.
	hurried bool
	lie     func(w0, w1 uint64) (uint64, uint64)
	// queue says which queue a frame is for; nil: the first.
	queue func(frame []byte) int

	status                                         *uint32 // what STATUS says; nil: what is so
	pulled                                         bool
	stuckReset, stuckMaster, stuckEEPROM, stuckPHY bool
	phyError, firmwareHasPHY, firmwareHasSemaphore bool
	stuckOn, stuckOff                              string // labels of RXDCTL and TXDCTL
	noConfig                                       bool   // firmware never reports
	set                                            *interrupts
	closed, resets                                 int
	partial                                        []byte // of a frame that is being sent
	rxHead, txHead                                 [16]int
	mapped                                         error // of BAR
	memory                                         dma.Allocator
	barSize                                        uint32
}

// event is one access to a register.
type event struct {
	write bool
	off   uint32
	value uint32
}

func newCard(device uint16) *card {
	c := &card{device: device, space: iommu.New(), barSize: facts.BARSize}
	_, c.model, _ = facts.Lookup(0x8086, device)
	c.Facts = c.model.Facts()
	c.reset()
	return c
}

// reset puts all registers to the values that the table says, and RAL and RAH to what the EEPROM says.
func (c *card) reset() {
	c.regs = map[uint32]uint32{}
	for _, r := range c.model.Registers() {
		for i := range r.Len() {
			c.regs[r.Offset+uint32(i)*r.Stride] = r.Reset
		}
	}
	c.regs[facts.RAL(0)], c.regs[facts.RAH(0)] = 0x12005452, 0x80005634
	if c.Kind == facts.Advanced { // queue 0 is on (I210 8.12.15)
		c.regs[facts.RXDCTL(0)], c.regs[facts.TXDCTL(0)] = 1<<25, 1<<25
	}
	c.phy = [32]uint16{0: 0x1000 | 0x0800, 4: 0x0de1, 9: 0}
	c.rxHead, c.txHead, c.partial = [16]int{}, [16]int{}, nil
}

func (c *card) label(off uint32) string {
	table := c.model.Registers()
	if row, i := table.Find(off); row != nil {
		return row.Label(i)
	}
	return fmt.Sprintf("%#05x", off)
}

func (c *card) pcie() bool { return c.Kind != facts.Legacy }

// Read32 implements mmio.Hook.
func (c *card) Read32(off uint32) uint32 {
	if c.onAccess != nil {
		c.onAccess(event{false, off, 0})
	}
	if c.pulled {
		return ^uint32(0)
	}
	if c.onRead != nil {
		if v, ok := c.onRead(off); ok {
			return v
		}
	}
	v := c.regs[off]
	table := c.model.Registers()
	row, _ := table.Find(off)
	switch {
	case off == facts.STATUS && c.status != nil:
		v = *c.status
	case off == facts.STATUS:
		v = 0x80 | 1 // 1 Gb/s, full duplex
		if !c.down {
			v |= 2
		}
		if c.pcie() && (c.regs[facts.CTRL]&4 == 0 || c.stuckMaster) {
			v |= 1 << 19
		}
	case off == facts.CTRL && c.stuckReset:
		v |= 1 << 26
	case off == facts.EEC && c.pcie() && !c.stuckEEPROM:
		v |= 1 << 9
	case (off == facts.EEMNGCTL || off == facts.EEMNGCTL_I210) && !c.noConfig:
		v |= 1 << 18
	case off == facts.SWSM:
		c.regs[off] |= 1
	case off == facts.ICR, row != nil && row.Access == chip.RC:
		c.regs[off] = 0
	}
	c.trace = append(c.trace, event{false, off, v})
	return v
}

// Write32 implements mmio.Hook.
func (c *card) Write32(off, v uint32) {
	if c.onAccess != nil {
		c.onAccess(event{true, off, v})
	}
	if c.pulled {
		return
	}
	c.trace = append(c.trace, event{true, off, v})
	before := c.regs[off]
	switch off {
	case facts.CTRL:
		c.regs[off] = v
		if v&(1<<26) != 0 {
			c.resets++
			if !c.stuckReset {
				c.reset()
			}
		}
	case facts.MDIC:
		c.mdic(v)
	case facts.SWSM:
		if c.firmwareHasSemaphore {
			v &^= 2
		}
		c.regs[off] = v
	case facts.EXTCNF_CTRL:
		if c.firmwareHasPHY {
			v &^= 1 << 5
		}
		c.regs[off] = v
	case facts.SW_FW_SYNC:
		c.regs[off] = v
	case facts.ICR, facts.EICR:
		c.regs[off] = before &^ v
	case facts.IMS, facts.EIMS:
		c.regs[off] = before | v
		c.interrupt()
	case facts.IMC:
		c.regs[facts.IMS] &^= v
	case facts.EIMC:
		c.regs[facts.EIMS] &^= v
	default:
		c.regs[off] = c.queueControl(off, v)
	}
	if c.firmwareHasPHY {
		c.regs[facts.SW_FW_SYNC] |= 0x2 << 16
	}
}

// queueControl is what becomes of a write to any other register.
func (c *card) queueControl(off, v uint32) uint32 {
	for i := range c.Queues {
		on := c.Kind != facts.Advanced
		switch off {
		case facts.RXDCTL(i), facts.TXDCTL(i):
			if label := c.label(off); label == c.stuckOff {
				v &^= 1 << 25
			} else if label == c.stuckOn {
				v |= 1 << 25
			}
			return v
		case facts.RDT(i), facts.RDBAL(i), facts.RDLEN(i):
			enabled := c.regs[facts.RXDCTL(i)]&(1<<25) != 0
			// A tail is ignored while the queue is off, an address only taken then (I210 8.10.4, 8.10.8).
			if !on && enabled != (off == facts.RDT(i)) {
				return c.regs[off]
			}
		case facts.TDBAL(i), facts.TDLEN(i):
			if !on && c.regs[facts.TXDCTL(i)]&(1<<25) != 0 {
				return c.regs[off]
			}
		case facts.RDH(i):
			c.rxHead[i] = int(v)
		case facts.TDH(i):
			c.txHead[i] = int(v)
		}
	}
	return v
}

// mdic plays the PHY at address 1.
func (c *card) mdic(v uint32) {
	reg := v >> 16 & 31
	switch {
	case c.stuckPHY:
		c.regs[facts.MDIC] = v &^ (1 << 28)
		return
	case v>>21&31 != 1 || c.phyError:
		v |= 1 << 30
	case v>>26&3 == 1:
		c.phy[reg] = uint16(v)
		if reg == 0 {
			c.phy[0] &^= 1<<9 | 1<<15
		}
	case v>>26&3 == 2:
		v = v&^0xffff | uint32(c.phy[reg])
	}
	c.regs[facts.MDIC] = v | 1<<28
}

// count adds to a counter, and to its upper half where it has one.
func (c *card) count(off uint32, n int) {
	sum := uint64(c.regs[off]) + uint64(n)
	c.regs[off] = uint32(sum)
	if off == facts.GORCL || off == facts.GOTCL {
		c.regs[off+4] += uint32(sum >> 32)
	}
}

// step moves everything that can be moved. It returns the number of frames.
func (c *card) step() (moved int) {
	if c.pulled || c.pcie() && c.regs[facts.CTRL]&4 != 0 {
		return 0
	}
	for i := range c.Queues {
		moved += c.send(i)
	}
	for len(c.in) > 0 && c.receive(c.in[0]) {
		c.in = c.in[1:]
		moved++
	}
	return moved
}

func (c *card) desc(who string, bal, bah uint32, at int, write bool) []byte {
	base := uint64(c.regs[bah])<<32 | uint64(c.regs[bal])
	b, _ := c.space.At(who, base+uint64(at)*16, 16, write)
	return b
}

// send sends what a queue has. Descriptors are the extended data ones of 8254x 3.3.7 or the advanced ones of I210
// 7.2.2.3.
func (c *card) send(i int) (frames int) {
	on := c.Kind != facts.Advanced || c.regs[facts.TXDCTL(i)]&(1<<25) != 0
	size := int(c.regs[facts.TDLEN(i)] / 16)
	for on && c.regs[facts.TCTL]&2 != 0 && !c.full && !c.down && c.txHead[i] != int(c.regs[facts.TDT(i)]) {
		d := c.desc("transmit ring", facts.TDBAL(i), facts.TDBAH(i), c.txHead[i], true)
		if d == nil {
			return frames
		}
		addr, w1 := binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint64(d[8:])
		want := uint64(1)<<20 | 1<<29 | 1<<25 // data, DEXT, IFCS
		n := int(w1 & 0xfffff)
		if c.Kind == facts.Advanced {
			want, n = 3<<20|1<<29|1<<25, int(w1&0xffff)
		}
		if w1&(0xf<<20|1<<29|1<<25) != want {
			panic(fmt.Sprintf("transmit descriptor %#x, want %#x in it", w1, want))
		}
		data, ok := c.space.At("transmit", addr, n, false)
		if !ok {
			return frames
		}
		c.partial = append(c.partial, data...)
		if w1&(1<<24) != 0 {
			if c.Kind == facts.Advanced && w1>>46 != uint64(len(c.partial)) {
				panic(fmt.Sprintf("PAYLEN %d of a frame of %d bytes", w1>>46, len(c.partial)))
			}
			c.sent(c.partial)
			c.partial = nil
			frames++
		}
		if w1&(1<<27) != 0 && !c.silent {
			binary.LittleEndian.PutUint64(d[8:], w1|1<<32)
		}
		c.txHead[i] = (c.txHead[i] + 1) % size
		c.regs[facts.TDH(i)] = uint32(c.txHead[i])
	}
	return frames
}

func (c *card) sent(f []byte) {
	f = slices.Clone(f)
	for len(f) < 60 && c.regs[facts.TCTL]&8 != 0 {
		f = append(f, 0)
	}
	c.count(facts.GPTC, 1)
	c.count(facts.GOTCL, len(f)+4)
	c.out = append(c.out, f)
}

// receive puts one frame into memory. It reports whether the frame is off the wire, be it dropped.
func (c *card) receive(f []byte) bool {
	if c.down {
		return false
	}
	rctl := c.regs[facts.RCTL]
	if rctl&2 == 0 || !c.accepts(f) {
		return true
	}
	if longest := 1522; len(f)+4 > longest && rctl&(1<<5) == 0 || c.Kind == facts.Advanced && len(f)+4 > max(longest, int(c.regs[facts.RLPML])) {
		c.count(facts.ROC, 1)
		return true
	}
	q := 0
	if c.queue != nil {
		q = c.queue(f)
	}
	buffer := []int{2048, 1024, 512, 256}[rctl>>16&3]
	if rctl&(1<<25) != 0 {
		buffer *= 16
	}
	drop := false
	if c.Kind == facts.Advanced {
		if c.regs[facts.RXDCTL(q)]&(1<<25) == 0 {
			return true
		}
		buffer = int(c.regs[facts.SRRCTL(q)]&0x7f) * 1024
		drop = c.hurried && c.regs[facts.SRRCTL(q)]>>31 != 0
		if c.regs[facts.SRRCTL(q)]>>25&7 != 1 {
			panic("descriptors that are not advanced")
		}
	} else if c.Kind == facts.Extended && c.regs[facts.RFCTL]&(1<<15) == 0 {
		panic("descriptors that are not extended")
	}
	size, tail := int(c.regs[facts.RDLEN(q)]/16), int(c.regs[facts.RDT(q)])
	free := (tail - c.rxHead[q] + size) % size
	need := (len(f) + buffer - 1) / buffer
	if need > free {
		if drop {
			c.count(facts.GPRC, 1)
			c.count(facts.GORCL, len(f)+4)
			c.count(facts.RQDPC(q), 1)
		}
		return drop
	}
	c.count(facts.GPRC, 1)
	c.count(facts.GORCL, len(f)+4)
	for rest := f; len(rest) > 0; {
		n := min(len(rest), buffer)
		d := c.desc("receive ring", facts.RDBAL(q), facts.RDBAH(q), c.rxHead[q], true)
		if d == nil {
			return true
		}
		data, ok := c.space.At("receive", binary.LittleEndian.Uint64(d), buffer, true)
		if !ok {
			return true
		}
		copy(data, rest[:n])
		rest = rest[n:]
		w0, w1 := c.report(n, len(rest) == 0, binary.LittleEndian.Uint64(d))
		if c.lie != nil {
			w0, w1 = c.lie(w0, w1)
		}
		if !c.silent {
			binary.LittleEndian.PutUint64(d, w0)
			binary.LittleEndian.PutUint64(d[8:], w1)
		}
		c.rxHead[q] = (c.rxHead[q] + 1) % size
		c.regs[facts.RDH(q)] = uint32(c.rxHead[q])
	}
	c.received(q)
	return true
}

// report is what a receive descriptor says of n bytes (8254x 3.2.3, 82574 7.1, I210 7.1.4.2.2). Fields that a
// driver must not mind are full of ones.
func (c *card) report(n int, end bool, addr uint64) (w0, w1 uint64) {
	status := uint64(1 | 1<<2) // DD, IXSM
	if end {
		status |= 2
	}
	if c.Kind == facts.Legacy {
		return addr, uint64(n) | 0xffff<<16 | status<<32 | 0x60<<40 | 0xffff<<48
	}
	return ^uint64(0), status | 3<<29 | uint64(n)<<32 | 0xffff<<48
}

// accepts is the VLAN and the address filter.
func (c *card) accepts(f []byte) bool {
	rctl := c.regs[facts.RCTL]
	if rctl&(1<<18) != 0 && f[12] == 0x81 && f[13] == 0 {
		id := binary.BigEndian.Uint16(f[14:]) & 0xfff
		if c.regs[facts.VFTA(int(id>>5))]>>(id&31)&1 == 0 {
			return false
		}
	}
	if f[0]&1 == 0 {
		low, high := c.regs[facts.RAL(0)], c.regs[facts.RAH(0)]
		own := high>>31 != 0 && binary.LittleEndian.Uint32(f) == low && binary.LittleEndian.Uint16(f[4:]) == uint16(high)
		return own || rctl&8 != 0
	}
	if string(f[:6]) == "\xff\xff\xff\xff\xff\xff" && rctl&(1<<15) != 0 || rctl&16 != 0 {
		return true
	}
	bits := binary.LittleEndian.Uint16(f[4:]) >> 4 // 47:36
	return c.regs[facts.MTA(int(bits>>5))]>>(bits&31)&1 != 0
}

// received raises the cause of a received frame.
func (c *card) received(q int) {
	if c.set == nil {
		return
	}
	switch {
	case c.set.kind == irq.MSIX && c.Kind == facts.Extended:
		c.regs[facts.ICR] |= 1 << 20
	case c.set.kind == irq.MSIX && c.regs[facts.GPIE]&0x10 != 0:
		entry := c.regs[facts.IVAR(q/2)] >> (16 * (q % 2))
		if c.VectorsBy == facts.IVARHalves {
			entry = c.regs[facts.IVAR(q%8)] >> (16 * (q / 8))
		}
		if entry&0x80 != 0 {
			c.regs[facts.EICR] |= 1 << (entry & 0x1f)
		}
	default:
		c.regs[facts.ICR] |= 1 << 7
	}
	c.interrupt()
}

// interrupt sends what is pending and not masked.
func (c *card) interrupt() {
	if c.set == nil || c.set.events == nil {
		return
	}
	switch {
	case c.set.kind == irq.MSIX && c.Kind == facts.Extended:
		entry := c.regs[facts.IVAR_82574]
		if c.regs[facts.ICR]&c.regs[facts.IMS]&(1<<20) != 0 && entry&8 != 0 {
			c.set.events[entry&7].fire()
			c.regs[facts.ICR] &^= c.regs[0xdc] // EIAC
		}
	case c.set.kind == irq.MSIX:
		for i, e := range c.set.events {
			if bit := uint32(1) << i; c.regs[facts.EICR]&c.regs[facts.EIMS]&bit != 0 {
				e.fire()
				c.regs[facts.EICR] &^= c.regs[facts.EIAC] & bit
				c.regs[facts.EIMS] &^= c.regs[facts.EIAM] & bit
			}
		}
	case c.regs[facts.ICR]&c.regs[facts.IMS] != 0:
		c.set.events[0].fire()
	}
}

// Function

func (c *card) Address() string       { return "test:card" }
func (c *card) ID() bus.ID            { return bus.ID{Vendor: 0x8086, Device: c.device} }
func (*card) NUMANode() int           { return -1 }
func (*card) Config() bus.ConfigSpace { return nil }
func (*card) Reset() error            { return nil }
func (c *card) Close() error          { c.closed++; return nil }
func (c *card) Trouble() error        { return c.trouble }
func (c *card) BAR(n int) (mmio.Region, error) {
	return mmio.Trap(c.barSize, c), c.mapped
}

func (c *card) DMA() dma.Allocator {
	if c.memory != nil {
		return c.memory
	}
	return c.space
}

func (c *card) Interrupts() (irq.Set, error) {
	if c.set == nil {
		return nil, nil
	}
	return c.set, c.set.err
}

// interrupts is a irq.Set that a test looks at.
type interrupts struct {
	kind    irq.Kind
	vectors int
	events  []*wakeup
	err     error // of Interrupts
	enable  error // of Enable
	ended   int   // times that Disable was called
}

func (s *interrupts) Kind() irq.Kind { return s.kind }
func (s *interrupts) Vectors() int   { return s.vectors }

func (s *interrupts) Enable(n int) (events []irq.Event, err error) {
	if s.enable != nil {
		return nil, s.enable
	}
	for i := range n {
		e := &wakeup{fd: 100 + i}
		s.events = append(s.events, e)
		events = append(events, e)
	}
	return events, nil
}

func (s *interrupts) Disable() error {
	s.ended++
	s.events = nil
	return nil
}

// wakeup is an irq.Event.
type wakeup struct {
	fd    int
	fired int // since the last Clear
	total int
}

func (e *wakeup) fire()        { e.fired++; e.total++ }
func (e *wakeup) FD() int      { return e.fd }
func (e *wakeup) Clear() error { e.fired = 0; return nil }

// drops tells whether a full ring drops.
func (c *card) drops() bool {
	return c.Kind == facts.Advanced && c.regs[facts.SRRCTL(0)]>>31 != 0
}
