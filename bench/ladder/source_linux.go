package ladder

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// liveFrames is BPF_F_TEST_XDP_LIVE_FRAMES (linux/bpf.h; Documentation/bpf/bpf_prog_run.rst): the program's verdict is
// carried out on real frames. The kernel makes them of pages that it uses again, in batches, and sockets and copies have no
// part in it, so that one core sends several times what any forwarder here takes.
const liveFrames = 1 << 1

// run is how many frames are sent in one go.
const run = 1 << 15

// struct xdp_md (linux/bpf.h).
const (
	mdData    = 0
	mdDataEnd = 4
)

const (
	xdpDrop     = 1
	xdpRedirect = 4
)

// newSource makes a program that sends a frame out of an interface. The frame comes back from who had it as it was left
// there, so it is written anew.
func newSource(ifindex int, frame []byte) (*ebpf.Program, error) {
	code := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, mdData, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, mdDataEnd, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, int32(len(frame))),
		asm.JGT.Reg(asm.R4, asm.R3, "drop"),
	}
	for at := 0; at+8 <= headers; at += 8 {
		code = append(code,
			asm.LoadImm(asm.R5, int64(binary.NativeEndian.Uint64(frame[at:])), asm.DWord),
			asm.StoreMem(asm.R2, int16(at), asm.R5, asm.DWord))
	}
	code = append(code,
		asm.Mov.Imm(asm.R1, int32(ifindex)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return(),
	)
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "ladder_source", Type: ebpf.XDP, Instructions: code})
	if err != nil {
		return nil, fmt.Errorf("load the source's program: %w", err)
	}
	return p, nil
}

// send offers a run of frames, on the thread of the namespace.
func send(p *ebpf.Program, frame []byte) error {
	if _, err := p.Run(&ebpf.RunOptions{Data: frame, Repeat: run, Flags: liveFrames}); err != nil {
		return fmt.Errorf("source: BPF_PROG_TEST_RUN with live frames: %w: it needs Linux 5.18", err)
	}
	return nil
}
