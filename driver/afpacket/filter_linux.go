package afpacket

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// anyLength is what a program returns to have all of a frame.
const anyLength = 1<<32 - 1

// Prefilter implements nic.Prefilter. What a filter of frames would misjudge, the kernel lets pass: of frames with a tag
// it has taken the tag out before it asks, and what is longer than the MTU is several segments still. Shorter ones of a
// connection with small segments, and checksums that are not complete yet, are judged as the kernel has them.
func (d *Device) Prefilter(program []bpf.RawInstruction) error {
	var all []unix.SockFilter
	if program != nil {
		guard, err := bpf.Assemble([]bpf.Instruction{
			bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 2},
			bpf.LoadExtension{Num: bpf.ExtLen},
			bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: uint32(d.mtu + ethernetSize), SkipFalse: 1},
			bpf.RetConstant{Val: anyLength},
		})
		if err != nil {
			return fmt.Errorf("%s: filter: %w", d.Info().Address, err)
		}
		for _, in := range append(guard, program...) {
			if in.Op == unix.BPF_RET|unix.BPF_K && in.K != 0 {
				in.K = anyLength // the rest is cut off elsewhere
			}
			all = append(all, unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K})
		}
	}
	for _, q := range d.rx {
		if err := attach(q.fd, all); err != nil {
			return fmt.Errorf("%s: filter of %d instructions: %w", d.Info().Address, len(program), err)
		}
	}
	return nil
}

// attach gives a socket a filter, or takes it away.
func attach(fd int, program []unix.SockFilter) error {
	switch {
	case len(program) > unix.BPF_MAXINSNS:
		return fmt.Errorf("SO_ATTACH_FILTER: the kernel takes no more than %d", unix.BPF_MAXINSNS)
	case len(program) > 0:
		err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
		if err != nil {
			return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
		}
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("SO_DETACH_FILTER: %w", err)
	}
	return nil
}
