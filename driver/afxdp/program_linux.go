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
)

// program is the XDP program of a port, and the map of its sockets. The kernel keeps both as long as this process has
// their file descriptors: they go with it, however it ends.
type program struct {
	sockets *ebpf.Map
	prog    *ebpf.Program
	link    link.Link
	mode    mode
}

const (
	xdpPass = 2 // linux/bpf.h, enum xdp_action
	// queueIndex is the offset of rx_queue_index in struct xdp_md.
	queueIndex = 16
)

// load makes a program that redirects frames of a queue to the queue's socket, and leaves those of queues without one
// to the kernel, and those that a filter does not match. several is for frames in several buffers.
func (p *program) load(queues int, several bool, filter []bpf.RawInstruction) (err error) {
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
	redirect := asm.Instructions{
		asm.LoadMem(asm.R2, ctx, queueIndex, asm.Word).WithSymbol(labelMatch),
		asm.LoadMapPtr(asm.R1, p.sockets.FD()),
		asm.Mov.Imm(asm.R3, xdpPass),
		asm.FnRedirectMap.Call(),
		asm.Return(),
	}
	if len(filter) > 0 {
		redirect = append(redirect, asm.Mov.Imm(asm.R0, xdpPass).WithSymbol(labelPass), asm.Return())
	}
	ins, err := translate(filter, several)
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	spec := &ebpf.ProgramSpec{Name: "glassnic", Type: ebpf.XDP, License: "GPL", Instructions: append(ins, redirect...)}
	if several {
		spec.Flags = unix.BPF_F_XDP_HAS_FRAGS
	}
	var unfit *ebpf.VerifierError
	if p.prog, err = ebpf.NewProgram(spec); errors.As(err, &unfit) && len(filter) > 0 {
		return fmt.Errorf("the kernel does not take the program of the filter: %w: simplify it", err)
	}
	if err != nil {
		return fmt.Errorf("XDP program: %w", err)
	}
	return nil
}

// attach has the interface run the program: in its driver where that can, unless a mode is asked for.
func (p *program) attach(index int, want mode) error {
	var errs []error
	for _, try := range []struct {
		mode  mode
		flags link.XDPAttachFlags
	}{{modeNative, link.XDPDriverMode}, {modeGeneric, link.XDPGenericMode}} {
		if want != modeAny && want != try.mode {
			continue
		}
		l, err := link.AttachXDP(link.XDPOptions{Program: p.prog, Interface: index, Flags: try.flags})
		if err == nil {
			p.link, p.mode = l, try.mode
			return nil
		}
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("attach the XDP program: %w: the interface has another one: end the program that uses it, or take it off by `ip link set IFNAME xdp off`", err)
		}
		errs = append(errs, fmt.Errorf("attach the XDP program in %v mode: %w", try.mode, err))
	}
	return errors.Join(errs...)
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
