package afxdp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/nic"
	"glassnic/packet"
)

// metadata is what a program puts in front of frames, for the queues to read (networking/xdp-rx-metadata.rst, AF_XDP).
type metadata struct {
	hash, vlan bool // the driver's
	clock      clock
	taken      bool  // tags are left beside the frame, else put back into it
	offset     int64 // nanoseconds from the clock to the time of a frame
}

// clock is whose time a frame gets.
type clock int

const (
	noClock     clock = iota
	systemClock       // the program asks the kernel for the time
	cardClock         // the driver tells the card's
)

func (m metadata) any() bool { return m.hash || m.vlan || m.clock != noClock }

// bound tells whether a program that serves m works at its interface only: it calls functions of the driver's.
func (m metadata) bound() bool { return m.hash || m.vlan || m.clock == cardClock }

// offloads are those that m serves.
func (m metadata) offloads() (o nic.Offloads) {
	if m.hash {
		o |= nic.RxHash
	}
	if m.vlan && m.taken {
		o |= nic.RxVLAN
	}
	if m.clock != noClock {
		o |= nic.Timestamps
	}
	return o
}

// functions are the kernel's that a program calls for it, by what a driver says that it has.
var functions = map[netif.Metadata]string{
	netif.MetaTime: "bpf_xdp_metadata_rx_timestamp", netif.MetaHash: "bpf_xdp_metadata_rx_hash", netif.MetaVLAN: "bpf_xdp_metadata_rx_vlan_tag",
}

// errNoCardTime is what card-time ends in.
var errNoCardTime = errors.New("card-time: the driver does not tell XDP programs when frames arrived, or the kernel is older than Linux 6.7, or XDP is generic: leave it out")

// choose finds out which of what is wanted the kernel has. Of the driver's there is something in native mode only. Tags
// that a card takes out are told of wherever a program tells of something.
func choose(index int, asked nic.Offloads, card, native bool) (m metadata, err error) {
	if asked &= nic.RxHash | nic.RxVLAN | nic.Timestamps; asked == 0 {
		return m, nil
	}
	var has netif.Metadata
	if native {
		if has, err = netif.MetadataOf(index); err != nil {
			return m, fmt.Errorf("metadata of the driver: %w", err)
		}
	}
	m.hash, m.vlan, m.taken = asked&nic.RxHash != 0 && has&netif.MetaHash != 0, has&netif.MetaVLAN != 0, asked&nic.RxVLAN != 0
	if _, err := (metadata{hash: m.hash, vlan: m.vlan}).calls(); err != nil {
		m.hash, m.vlan = false, false // a kernel without its types in /sys/kernel/btf
	}
	switch {
	case asked&nic.Timestamps == 0:
	case card && has&netif.MetaTime == 0:
		return m, errNoCardTime
	case card:
		m.clock = cardClock
	case features.HaveProgramHelper(ebpf.XDP, asm.FnKtimeGetTaiNs) == nil: // Linux 6.1
		m.clock = systemClock
		// TAI is ahead of UTC, by as much as whoever keeps the clock has told the kernel (adjtimex(2)).
		var t unix.Timex
		if _, err := unix.Adjtimex(&t); err != nil {
			return m, fmt.Errorf("adjtimex: %w", err)
		}
		m.offset = -int64(t.Tai) * 1e9
	}
	return m, nil
}

// calls looks the functions of the kernel up that m needs.
func (m metadata) calls() (map[netif.Metadata]asm.Instruction, error) {
	need := map[netif.Metadata]bool{netif.MetaTime: m.clock == cardClock, netif.MetaHash: m.hash, netif.MetaVLAN: m.vlan}
	all := map[netif.Metadata]asm.Instruction{}
	var kernel *btf.Spec
	for what, name := range functions {
		if !need[what] {
			continue
		}
		if kernel == nil {
			var err error
			if kernel, err = btf.LoadKernelSpec(); err != nil {
				return nil, fmt.Errorf("types of the kernel: %w", err)
			}
		}
		var f *btf.Func
		if err := kernel.TypeByName(name, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		id, err := kernel.TypeID(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[what] = asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall, Constant: int64(id)}
	}
	return all, nil
}

// What lies in front of a frame, from its first byte backwards, and meanwhile on the program's stack, below the filter's
// scratch memory.
const (
	metaSize  = 24
	metaTime  = 0  // 64 bits, nanoseconds
	metaHash  = 8  // 32 bits
	metaTPID  = 12 // 16 bits, in the network's byte order
	metaTCI   = 14 // 16 bits
	metaFlags = 16 // 32 bits
	metaMagic = 20 // 32 bits

	hasHash, hasTime, hasVLAN = 1, 2, 4 // flags

	// magic tells it from what a buffer held before, should the kernel have had no room for it. Who reads it takes it away.
	magic = 0x676c_6173

	stackMeta = -64 - metaSize
	stackType = stackMeta - 8 // kind of a hash
)

// write are the instructions that put m in front of the frame, and go on at labelRedirect.
func (m metadata) write() (asm.Instructions, error) {
	calls, err := m.calls()
	if err != nil {
		return nil, err
	}
	const flags = length // which the filter needs no more
	field := func(r asm.Register, at int32) asm.Instructions {
		return asm.Instructions{asm.Mov.Reg(r, asm.RFP), asm.Add.Imm(r, at)}
	}
	ins := asm.Instructions{asm.Mov.Imm(flags, 0)}
	for at := int16(stackType); at < stackMeta+metaSize; at += 8 {
		ins = append(ins, asm.StoreMem(asm.RFP, at, flags, asm.DWord))
	}
	// ask calls a function, which returns 0 where it knows.
	ask := func(what netif.Metadata, otherwise string, fields ...int32) {
		for i, at := range fields {
			ins = append(ins, field(asm.R2+asm.Register(i), at)...)
		}
		ins = append(ins, asm.Mov.Reg(asm.R1, ctx), calls[what], asm.JNE.Imm(asm.R0, 0, otherwise))
	}
	if m.hash {
		ask(netif.MetaHash, "nohash", stackMeta+metaHash, stackType)
		// Neither a hash nor a kind (net/xdp.h, XDP_RSS_TYPE_NONE): of what the card has no rule for.
		ins = append(ins,
			asm.LoadMem(asm.R1, asm.RFP, stackMeta+metaHash, asm.Word), asm.LoadMem(asm.R2, asm.RFP, stackType, asm.Word), asm.Or.Reg(asm.R1, asm.R2),
			asm.JEq.Imm(asm.R1, 0, "nohash"), asm.Or.Imm(flags, hasHash),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("nohash"))
	}
	switch m.clock {
	case systemClock:
		ins = append(ins, asm.FnKtimeGetTaiNs.Call(), asm.StoreMem(asm.RFP, stackMeta+metaTime, asm.R0, asm.DWord), asm.Or.Imm(flags, hasTime))
	case cardClock:
		ask(netif.MetaTime, "notime", stackMeta+metaTime)
		ins = append(ins, asm.LoadMem(asm.R1, asm.RFP, stackMeta+metaTime, asm.DWord), asm.JEq.Imm(asm.R1, 0, "notime"), asm.Or.Imm(flags, hasTime),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("notime"))
	}
	if m.vlan {
		ask(netif.MetaVLAN, "notag", stackMeta+metaTPID, stackMeta+metaTCI)
		ins = append(ins, asm.Or.Imm(flags, hasVLAN), asm.Mov.Imm(asm.R0, 0).WithSymbol("notag"))
	}
	ins = append(ins, asm.StoreMem(asm.RFP, stackMeta+metaFlags, flags, asm.Word), asm.StoreImm(asm.RFP, stackMeta+metaMagic, magic, asm.Word),
		asm.Mov.Reg(asm.R1, ctx), asm.Mov.Imm(asm.R2, -metaSize), asm.FnXdpAdjustMeta.Call(), asm.JNE.Imm(asm.R0, 0, labelRedirect),
		asm.LoadMem(asm.R2, ctx, dataMeta, asm.Word), asm.LoadMem(asm.R3, ctx, 0, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R2), asm.Add.Imm(asm.R1, metaSize), asm.JGT.Reg(asm.R1, asm.R3, labelRedirect))
	for at := int16(0); at < metaSize; at += 8 {
		ins = append(ins, asm.LoadMem(asm.R1, asm.RFP, stackMeta+at, asm.DWord), asm.StoreMem(asm.R2, at, asm.R1, asm.DWord))
	}
	ins[0] = ins[0].WithSymbol(labelMatch)
	return ins, nil
}

// read takes what lies in front of a frame's first buffer, whose memory ends with that, and gives it to the frame.
func (m *metadata) read(b *packet.Buf, front []byte) {
	if len(front) < metaSize {
		return
	}
	v, ne := front[len(front)-metaSize:], binary.NativeEndian
	if ne.Uint32(v[metaMagic:]) != magic {
		return
	}
	ne.PutUint32(v[metaMagic:], 0)
	flags := ne.Uint32(v[metaFlags:])
	if flags&hasHash != 0 {
		b.SetHash(ne.Uint32(v[metaHash:]))
	}
	if flags&hasTime != 0 {
		b.SetTimestamp(int64(ne.Uint64(v[metaTime:])) + m.offset)
	}
	if flags&hasVLAN == 0 {
		return
	}
	tpid, tci := binary.BigEndian.Uint16(v[metaTPID:]), ne.Uint16(v[metaTCI:])
	if m.taken && tpid == 0x8100 {
		b.SetVLAN(tci)
	} else if b.Len() >= 12 && b.Prepend(4) != nil {
		f := b.Bytes()
		copy(f, f[4:16])
		binary.BigEndian.PutUint16(f[12:], tpid)
		binary.BigEndian.PutUint16(f[14:], tci)
	}
}
