package ladder

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// callCounter counts the system calls of one thread: a program at the kernel's tracepoint sys_enter. It makes each of them
// dearer, so that it is there in a slice of its own, of which the time does not count.
type callCounter struct {
	count   *ebpf.Map
	program *ebpf.Program
	link    link.Link
}

// newCallCounter counts for the calling thread.
func newCallCounter() (_ *callCounter, err error) {
	c := &callCounter{}
	defer func() {
		if err != nil {
			err = errors.Join(leftOut("count system calls: %w: the kernel needs CONFIG_FTRACE_SYSCALLS", err), c.close())
		}
	}()
	c.count, err = ebpf.NewMap(&ebpf.MapSpec{Name: "ladder_calls", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, err
	}
	c.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "ladder_calls", Type: ebpf.RawTracepoint, License: "GPL", Instructions: asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(), // the thread's number is in the low half
		asm.LSh.Imm(asm.R0, 32),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, int32(unix.Gettid()), "end"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, c.count.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "end"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("end"),
		asm.Return(),
	}})
	if err != nil {
		return nil, err
	}
	c.link, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sys_enter", Program: c.program})
	return c, err
}

func (c *callCounter) read() (n uint64, err error) {
	if err := c.count.Lookup(uint32(0), &n); err != nil {
		return 0, fmt.Errorf("count system calls: %w", err)
	}
	return n, nil
}

func (c *callCounter) close() error {
	var errs []error
	if c.link != nil {
		errs = append(errs, c.link.Close())
	}
	if c.program != nil {
		errs = append(errs, c.program.Close())
	}
	if c.count != nil {
		errs = append(errs, c.count.Close())
	}
	return errors.Join(errs...)
}

// countCalls has each rung on which a thread of ours may make system calls forward for a slice, and returns how many there
// were per packet.
func (b *bed) countCalls(rungs []Rung, runners []runner, d time.Duration) (perPacket []float64, err error) {
	var c *callCounter
	if err := b.forwarder.do(func() (err error) { c, err = newCallCounter(); return err }); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	perPacket = make([]float64, len(runners))
	for i, r := range runners {
		switch r.(type) {
		case *sockets, *ports, xdpPoll, *vhost:
		default:
			continue
		}
		before, err := c.read()
		if err != nil {
			return nil, err
		}
		s, err := r.slice(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rungs[i].Name, err)
		}
		after, err := c.read()
		if err != nil {
			return nil, err
		}
		perPacket[i] = float64(after-before) / float64(max(s.sent, 1))
	}
	return perPacket, nil
}
