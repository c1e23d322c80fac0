//go:build amd64 || arm64

package sandbox

import (
	"runtime"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (linux/seccomp.h), in bytes. Arguments have 64 bits; both architectures are
// little-endian, so an argument's offset is that of its lower half.
const (
	atNumber = 0
	atArch   = 4
	atArgs   = 16
)

// What a filter returns (linux/seccomp.h).
const (
	retAllow = unix.SECCOMP_RET_ALLOW
	retEPERM = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retKill  = unix.SECCOMP_RET_KILL_PROCESS
)

// archs are the names of architectures to the audit system (linux/audit.h).
var archs = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// program is the filter for a table.
func program(table []call) ([]bpf.RawInstruction, error) {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: atArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: archs[runtime.GOARCH], SkipTrue: 1},
		bpf.RetConstant{Val: retKill},
	}
	for _, c := range table {
		p = append(p, row(c)...)
	}
	return bpf.Assemble(append(p, bpf.RetConstant{Val: retEPERM}))
}

// row lets one call through and otherwise ends behind itself.
func row(c call) []bpf.Instruction {
	const each = 3 // instructions for each argument
	left := uint8(each*len(c.args) + 1)
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: atNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(c.number), SkipTrue: left},
	}
	for _, a := range c.args {
		left -= each
		p = append(p,
			bpf.LoadAbsolute{Off: uint32(atArgs + 8*a.index), Size: 4},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: a.mask},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: a.want, SkipTrue: left})
	}
	return append(p, bpf.RetConstant{Val: retAllow})
}
