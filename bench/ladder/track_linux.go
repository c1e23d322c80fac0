package ladder

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// track is what a rung of the kernel runs on: a network namespace with two pairs of virtual interfaces,
//
//	source → src ══ in → forwarder → out ══ dst → sink
//
// The source and the sink are XDP programs on one core. All that is done with a frame from in to out is done on the other:
// by the NAPI thread of in and, where the rung has one, by the thread that forwards.
type track struct {
	ns       *thread
	src, in  string
	out, dst string
	inLink   netlink.Link
	outLink  netlink.Link
	frame    []byte
	source   *ebpf.Program
	known    link.Link // of source
	sink     *sink
	receiver napi            // of in
	handle   *netlink.Handle // of the namespace, for other threads
	cpus     [2]int
}

// tracks numbers the interfaces, whose names are those of kernel threads, too, and so are the only ones on the machine.
var tracks atomic.Uint32

const (
	// flush is how long after it was empty the sink looks into its ring again, in nanoseconds: it polls, so that nobody
	// pays for waking it.
	flush = 20000
	// defers is how often it finds nothing until it waits to be woken.
	defers = 500
)

// processID is short: an interface's name has 15 bytes.
func processID() string { return strconv.FormatInt(int64(os.Getpid()), 36) }

// trackOf says what is special about a rung's track.
type trackOf struct {
	ip   bool // frames are IPv4
	want byte // byte 1 of the frames that arrive
	// process says that a thread of this process forwards. It goes first where it has something to do, so that nothing
	// is received only to be dropped in front of it.
	process bool
	// softly says that the kernel receives for in as it does by itself: on the CPU of the source. Its part is in nobody's
	// account then. A forwarder that never sleeps would keep its thread from working.
	softly bool
}

func newTrack(cpus [2]int, of trackOf) (_ *track, err error) {
	id := processID() + "-" + strconv.FormatUint(uint64(tracks.Add(1)), 36)
	t := &track{src: "gs" + id, in: "gi" + id, out: "go" + id, dst: "gd" + id, frame: frame(of.ip), cpus: cpus}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if t.ns, err = newNamespace(cpus[1]); err != nil {
		return nil, err
	}
	return t, t.ns.do(func() error { return t.lay(of) })
}

// lay makes the interfaces, on the namespace's thread.
func (t *track) lay(of trackOf) (err error) {
	if t.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	for _, pair := range [][2]string{{t.src, t.in}, {t.out, t.dst}} {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: pair[0], TxQLen: -1})
		v.PeerName = pair[1]
		if err := netlink.LinkAdd(v); err != nil {
			return leftOut("make a pair of veth interfaces: %w: the kernel needs CONFIG_VETH", err)
		}
	}
	index := func(name string) (netlink.Link, error) {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return l, nil
	}
	src, err := index(t.src)
	if err != nil {
		return err
	}
	dst, err := index(t.dst)
	if err != nil {
		return err
	}
	if t.inLink, err = index(t.in); err != nil {
		return err
	}
	if t.outLink, err = index(t.out); err != nil {
		return err
	}
	if err := netlink.LinkSetHardwareAddr(t.inLink, inMAC); err != nil {
		return fmt.Errorf("%s: set its address: %w", t.in, err)
	}
	if err := enableGRO(t.in); err != nil {
		return err
	}
	if t.sink, err = newSink(dst.Attrs().Index, of.want); err != nil {
		return err
	}
	for _, l := range []netlink.Link{src, t.inLink, t.outLink, dst} {
		if err := netlink.LinkSetUp(l); err != nil {
			return fmt.Errorf("%s: set it up: %w", l.Attrs().Name, err)
		}
	}
	if t.source, err = newSource(src.Attrs().Index, t.frame); err != nil {
		return err
	}
	// The kernel makes a way of its own to a program that an interface has, and waits for all CPUs to do so. Source is at one
	// that receives nothing, or each of its runs would begin and end with such a wait.
	t.known, err = link.AttachXDP(link.XDPOptions{Program: t.source, Interface: src.Attrs().Index, Flags: link.XDPDriverMode})
	if err != nil {
		return fmt.Errorf("%s: attach the source: %w", t.src, err)
	}
	attr := unix.SchedAttr{Policy: unix.SCHED_NORMAL}
	if of.process {
		attr.Nice = 10
	}
	if !of.softly {
		if t.receiver, err = newNAPI(t.in, t.cpus[0], attr); err != nil {
			return err
		}
	}
	if _, err = newNAPI(t.dst, t.cpus[1], unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 1}); err != nil {
		return err
	}
	if err := setting(t.dst, "gro_flush_timeout", flush); err != nil {
		return err
	}
	return setting(t.dst, "napi_defer_hard_irqs", defers)
}

// close removes the interfaces, and the namespace with its thread.
func (t *track) close() error {
	if t.ns == nil {
		return nil
	}
	defer t.ns.close()
	return t.ns.do(func() error {
		var errs []error
		if t.sink != nil {
			errs = append(errs, t.sink.close())
		}
		if t.known != nil {
			errs = append(errs, t.known.Close())
		}
		if t.source != nil {
			errs = append(errs, t.source.Close())
		}
		for _, name := range []string{t.src, t.out} { // the other end goes with it
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkDel(l)
			}
			if err != nil && !errors.As(err, &netlink.LinkNotFoundError{}) {
				errs = append(errs, fmt.Errorf("%s: remove it: %w", name, err))
			}
		}
		if t.handle != nil {
			t.handle.Close()
		}
		return errors.Join(errs...)
	})
}
