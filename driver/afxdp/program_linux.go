package afxdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"glassnic/nic"
)

// program is the XDP program of a port, and the map of its sockets. The kernel keeps both as long as this process has
// their file descriptors: they go with it, however it ends.
type program struct {
	sockets *ebpf.Map
	prog    *ebpf.Program
	link    link.Link
	mode    mode
	meta    metadata
}

const (
	xdpPass = 2 // linux/bpf.h, enum xdp_action
	// Offsets in struct xdp_md: of data_meta and of rx_queue_index.
	dataMeta   = 8
	queueIndex = 16
)

// labelRedirect is where the frame goes to the socket.
const labelRedirect = "redirect"

// job is what a program is for.
type job struct {
	index   int // of the interface
	several bool
	filter  []bpf.RawInstruction
	asked   nic.Offloads
	card    bool // times are the card's
}

// open makes the map of sockets.
func (p *program) open(queues int) (err error) {
	if err := rlimit.RemoveMemlock(); err != nil { // before Linux 5.11
		return fmt.Errorf("RLIMIT_MEMLOCK: %w", err)
	}
	p.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "glassnic", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("map of sockets: %w: run as root, or give the program CAP_BPF and CAP_NET_ADMIN", err)
	}
	if err != nil {
		return fmt.Errorf("map of sockets: %w", err)
	}
	return nil
}

// start has the interface run a program: in its driver where that can, unless a mode is asked for.
func (p *program) start(j job, want mode) error {
	var errs []error
	for _, try := range []mode{modeNative, modeGeneric} {
		if want != modeAny && want != try {
			continue
		}
		meta, err := choose(j.index, j.asked, j.card, try == modeNative)
		if err == nil {
			err = p.load(j, meta)
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err = p.attach(j.index, try); err == nil {
			return nil
		}
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("attach the XDP program: %w: the interface has another one: end the program that uses it, or take it off by `ip link set IFNAME xdp off`", err)
		}
		errs = append(errs, fmt.Errorf("attach the XDP program in %v mode: %w", try, err), p.prog.Close())
		p.prog = nil
	}
	return errors.Join(errs...)
}

// load makes a program that redirects frames of a queue to the queue's socket, and leaves those of queues without one
// to the kernel, and those that a filter does not match.
func (p *program) load(j job, meta metadata) (err error) {
	ins, err := translate(j.filter, j.several)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	spec := &ebpf.ProgramSpec{Name: "glassnic", Type: ebpf.XDP, License: "GPL"}
	first := labelMatch
	if meta.any() {
		first = labelRedirect
		front, err := meta.write()
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		ins = append(ins, front...)
		if meta.bound() {
			spec.Flags, spec.Ifindex = spec.Flags|unix.BPF_F_XDP_DEV_BOUND_ONLY, uint32(j.index)
		}
	}
	ins = append(ins,
		asm.LoadMem(asm.R2, ctx, queueIndex, asm.Word).WithSymbol(first),
		asm.LoadMapPtr(asm.R1, p.sockets.FD()),
		asm.Mov.Imm(asm.R3, xdpPass),
		asm.FnRedirectMap.Call(),
		asm.Return(),
	)
	if len(j.filter) > 0 {
		ins = append(ins, asm.Mov.Imm(asm.R0, xdpPass).WithSymbol(labelPass), asm.Return())
	}
	spec.Instructions = ins
	if j.several {
		spec.Flags |= unix.BPF_F_XDP_HAS_FRAGS
	}
	var unfit *ebpf.VerifierError
	if p.prog, err = ebpf.NewProgram(spec); errors.As(err, &unfit) && len(j.filter) > 0 {
		return fmt.Errorf("the kernel does not take the program of the filter: %w: simplify it", err)
	}
	if err != nil {
		return fmt.Errorf("XDP program: %w", err)
	}
	p.meta = meta
	return nil
}

func (p *program) attach(index int, m mode) error {
	flags := link.XDPDriverMode
	if m == modeGeneric {
		flags = link.XDPGenericMode
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: p.prog, Interface: index, Flags: flags})
	if err == nil {
		p.link, p.mode = l, m
	}
	return err
}

// detach has the interface's frames go to the kernel again.
func (p *program) detach() error {
	if p.link == nil {
		return nil
	}
	l := p.link
	p.link = nil
	return l.Close()
}

func (p *program) close() error {
	err := p.detach()
	if p.prog != nil {
		err = errors.Join(err, p.prog.Close())
	}
	if p.sockets != nil {
		err = errors.Join(err, p.sockets.Close())
	}
	p.prog, p.sockets = nil, nil
	return err
}
