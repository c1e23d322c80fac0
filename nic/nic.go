// Package nic is what an application programs against: ports, opened by their address, and their
// queues. Which driver serves a port is decided by the address and by what the card says it is.
package nic

import (
	"errors"
	"net"

	"golang.org/x/net/bpf"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/packet"
)

// What callers test for.
var (
	ErrInUse       = bus.ErrInUse
	ErrNoHugePages = dma.ErrNoHugePages
	ErrNoMemory    = dma.ErrNoMemory
	ErrLinkDown    = errors.New("link down")
	ErrGone        = bus.ErrGone
	ErrFault       = bus.ErrFault // an IOMMU refused the card access to memory
	ErrStalled     = errors.New("no progress")
	ErrClosed      = errors.New("port closed")
)

// Device is an open port. Its methods may be called concurrently with each other and with the
// queues, except Close.
type Device interface {
	Info() Info
	// RxQueue returns receive queue i, 0 to Info.RxQueues-1. Each queue belongs to one worker.
	RxQueue(i int) RxQueue
	// TxQueue returns transmit queue i, 0 to Info.TxQueues-1. Each queue belongs to one worker.
	TxQueue(i int) TxQueue
	Link() (Link, error)
	// Stats returns totals since Open.
	Stats() (Stats, error)
	SetPromiscuous(on bool) error
	// Close stops DMA, then gives the memory and the card back. Nobody may use the queues or the
	// buffers of the port's own pool from then on. The error tells what could not be stopped and which
	// buffers are still out: those in another port's transmit ring, too, so ports between which frames
	// go are closed together by CloseAll.
	Close() error
}

// CloseAll closes ports between which frames went: it stops them all before it closes the first. Nil
// entries are passed over.
func CloseAll(ports ...Device) error {
	var all []error
	for _, p := range ports {
		if s, ok := p.(Stopper); ok {
			all = append(all, s.Stop())
		}
	}
	for _, p := range ports {
		if p != nil {
			all = append(all, p.Close())
		}
	}
	return errors.Join(all...)
}

// RxQueue is a receive queue.
type RxQueue interface {
	// Receive stores frames that have arrived in batch and returns their number. It never blocks.
	// The caller owns the frames.
	Receive(batch []*packet.Buf) int
}

// TxQueue is a transmit queue.
type TxQueue interface {
	// Send takes over a prefix of batch and returns its length; the caller still owns the rest. It
	// never blocks. A frame that cannot be sent as it is, such as one that is too long, is taken,
	// dropped and counted. Buffers go back to their pools when later calls find them sent; Send(nil)
	// only looks for those.
	Send(batch []*packet.Buf) int
}

// Info describes a port.
type Info struct {
	Driver   string // such as "ixgbe"
	Address  string // as opened
	Card     string // such as "82599ES 10-Gigabit SFI/SFP+"
	MAC      net.HardwareAddr
	NUMANode int // -1: unknown
	RxQueues int
	TxQueues int
	RxRing   int // descriptors
	TxRing   int // descriptors
	MTU      int // bytes, without Ethernet header and FCS
	Offloads Offloads
	Port     uint8
	// Domain is the address space of the port's memory: frames of a pool whose Domain compares
	// equal can be sent without a copy.
	Domain any
	// SendsAny says that frames of any pool can be sent, since the port copies them.
	SendsAny bool
	// Pool is the pool that received frames come from.
	Pool *packet.Pool
}

// Link is the state of a port's link.
type Link struct {
	Up    bool
	Speed int // Mbit/s
}

// Stats are totals since Open. Bytes are counted without the FCS.
type Stats struct {
	RxPackets, RxBytes uint64
	TxPackets, TxBytes uint64
	RxMissed           uint64 // arrived while the card had no descriptor or no room
	RxErrors           uint64 // damaged on the wire or of a forbidden length
	RxDropped          uint64 // dropped by the driver because the card's descriptor made no sense
	RxNoBuffer         uint64 // times that the pool had no buffer for a receive queue
	TxDropped          uint64 // taken by Send but not fit to be sent
	// Counters are all counters of card and driver, by datasheet name.
	Counters []Counter
}

// Counter is one counter of a card or a driver.
type Counter struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
	Doc   string `json:"doc,omitempty"`
}

// What only some cards can do is found by asserting one of these on a Device.
type (
	// Stopper ends a port's work in two steps.
	Stopper interface {
		// Stop ends all DMA and gives the buffers in the rings back to their pools. Nobody may use the
		// queues from then on, and all that is left to do is Close.
		Stop() error
	}

	// Waiter is implemented by receive queues that can wake a worker who sleeps: their card interrupts, or has
	// another way to say that a frame has come. The worker arms all its queues, sleeps with poll(2) on their
	// file descriptors, and disarms them. All methods belong to the queue's worker.
	Waiter interface {
		// WaitFD is a file descriptor that becomes readable when a frame comes while the queue is armed; -1
		// where the queue cannot wake anybody, as where the port was opened without Config.Interrupts. It
		// stays the same until Close.
		WaitFD() int
		// Arm asks to be woken by the next frame. It returns false where there is one already: then the
		// worker must not sleep. It may be called again while the queue is armed, which Disarm ends in any case.
		Arm() bool
		// Disarm takes Arm back, so that polling costs no interrupts, and makes WaitFD unreadable.
		Disarm()
	}

	// Watched is implemented by ports that notice when their card stops doing its work.
	Watched interface {
		// Trouble returns nil while all is well. Otherwise the error says what is wrong, and is around ErrGone
		// where the card is lost, around ErrFault where an IOMMU refused it memory, and around ErrStalled while
		// one of its queues makes no progress: a card whose DMA fails may stop, or go on as if nothing were. It
		// compares what it sees with the call before, so it is to be called about once a second. It costs some
		// reads of registers and nothing on the queues' way.
		Trouble() error
	}

	// VLANFilterer is implemented by ports that can filter by VLAN. It works on those that were opened with
	// Config.VLANs.
	VLANFilterer interface {
		// SetVLANs replaces the VLANs of which the port receives frames.
		SetVLANs(ids []uint16) error
	}

	// Prefilter is implemented by ports at which the kernel can pass frames over before they take room in a ring.
	Prefilter interface {
		// Prefilter has those frames received of which a program of classic BPF returns more than 0, and perhaps
		// others; nil: all. Frames that were passed over are not counted. Some may come that were there before.
		Prefilter(program []bpf.RawInstruction) error
	}

	// Finite is implemented by ports that receive a limited number of frames, such as those of a file.
	Finite interface {
		// Finished reports whether all frames have been received.
		Finished() bool
	}

	// CacheUser is implemented by queues that can share a worker's cache of buffers. Where one worker
	// receives and sends, the buffers that its transmit queue gets back are those that its receive
	// queue takes next, and nothing has to be exchanged with other CPUs.
	CacheUser interface {
		// UseCache has the queue take its buffers from c, or give them back to it, from now on. The
		// queue and all others that use c must belong to one worker. It reports false and changes
		// nothing where the queue cannot: c must be of the receive queue's pool, or of one that the
		// transmit queue's card reaches. Nil gives the queue a cache of its own again.
		UseCache(c *packet.Cache) bool
	}

	// LEDs lets one see which card is which.
	LEDs interface {
		// LEDs returns how many there are.
		LEDs() int
		// SetLED sets LED i to a state until Close or LEDAuto.
		SetLED(i int, s LEDState) error
	}

	// Registers is implemented by drivers of cards with a register table.
	Registers interface {
		// Registers reads registers and decodes them. Those whose value a read changes are left out.
		Registers() ([]Register, error)
	}

	// MACSetter changes the address that the port receives for and says it has.
	MACSetter interface {
		SetMAC(net.HardwareAddr) error
	}

	// Multicaster chooses which multicast frames a port receives.
	Multicaster interface {
		// SetAllMulticast switches reception of every multicast frame.
		SetAllMulticast(on bool) error
		// SetMulticast replaces the list of multicast addresses to receive. Cards filter by hash: a
		// few others may come through.
		SetMulticast(addrs []net.HardwareAddr) error
	}
)

// LEDState is what an LED shows.
type LEDState uint8

// The states of an LED.
const (
	LEDAuto LEDState = iota // what the card shows by itself, such as the link
	LEDOn
	LEDOff
	LEDBlink
)

// Register is a register's value and what it means.
type Register struct {
	Name    string  `json:"name"` // datasheet name with index, such as "RDT[3]"
	Offset  uint32  `json:"offset"`
	Value   uint32  `json:"value"`
	Section string  `json:"section"`
	Doc     string  `json:"doc"`
	Fields  []Field `json:"fields,omitempty"`
}

// Field is a run of bits of a Register.
type Field struct {
	Name  string `json:"name"`
	Value uint32 `json:"value"`
	Doc   string `json:"doc,omitempty"`
}
