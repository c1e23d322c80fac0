package afxdp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"glassnic/internal/filter"
	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// judge loads a filter as a program that answers 1 where it matches and 0 where not.
func judge(t *testing.T, ins []bpf.RawInstruction, several bool) *ebpf.Program {
	t.Helper()
	out, err := translate(ins, several)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "GPL", Instructions: append(out,
		asm.Mov.Imm(asm.R0, 1).WithSymbol(labelMatch), asm.Return(), asm.Mov.Imm(asm.R0, 0).WithSymbol(labelPass), asm.Return())})
	if errors.Is(err, unix.EPERM) && os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("no privilege to load programs, and GLASSNIC_NO_NETNS is set")
	}
	if err != nil {
		t.Fatalf("%v\n%v", err, out)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func verdict(t *testing.T, p *ebpf.Program, frame []byte) bool {
	t.Helper()
	v, err := p.Run(&ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+512)})
	if err != nil {
		t.Fatal(err)
	}
	return v == 1
}

// samples are frames of some kinds, each also cut short.
func samples(t *testing.T) (list [][]byte) {
	const macs, ip4, ip6 = "020000000002 020000000001", "40 11 0000 0a010203 c0a80101", "fe80000000000000 0000000000000001 20010db800000000 0000000000000002"
	for _, text := range []string{
		macs + "0800 4500003c 00000000" + ip4 + "0035 1000 0028 0000",
		macs + "0800 46000040 00000000" + ip4 + "01010101 1000 0035 0028 0000",
		macs + "0800 4500003c 00002010" + ip4 + "0035 1000 0028 0000",
		macs + "0800 4500003c 00000000 4006 0000 0a010203 c0a80101 0050 1000 00000001 00000002 5012 1000",
		macs + "0800 4500003c 00000000 4001 0000 0a010203 c0a80101 0800 0000",
		macs + "86dd 60000000 0028 11 40" + ip6 + "0035 1000 0028 0000",
		macs + "86dd 60000000 0028 06 40" + ip6 + "0050 1000 00000001 00000002 5012 1000",
		macs + "86dd 60000000 0028 2c 40" + ip6 + "1100000100000000 0035 1000 0028 0000",
		macs + "8100 2005 0800 4500003c 00000000" + ip4 + "0035 1000 0028 0000",
		macs + "88a8 0007 8100 0005 0800 4500003c 00000000" + ip4 + "0035 1000 0028 0000",
		macs + "0806 0001 0800 0604 0001 020000000001 0a010203 000000000000 c0a80101",
		"ffffffffffff 020000000001 88b5",
		macs + "8847 00005140 4500003c 00000000" + ip4 + "0035 1000 0028 0000",
	} {
		f, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f[:14], f[:min(len(f), 35)], f, append(f, make([]byte, 100)...))
	}
	return list
}

// TestFilter: the kernel judges frames as our own machine does.
func TestFilter(t *testing.T) {
	frames := samples(t)
	for _, expr := range []string{
		"arp", "ip", "ip6", "udp port 53", "tcp dst port 80", "tcp[tcpflags] & tcp-syn != 0", "host 10.1.2.3 and not icmp", "net 192.168.0.0/16",
		"vlan", "vlan 7 and vlan 5 and udp", "ether broadcast", "ether proto 0x88b5", "greater 60", "less 100", "len - 14 > 50", "ip[0] & 0xf > 5",
		"ip[ip[0] & 0xf * 4 : 2] = 53", "ether[14:4] / 3 = 384307200", "ether[0] << 3 = 16 or ether[12] % 7 = 1", "udp portrange 50-60", "icmp[0] = 8",
		"mpls", "ip6 proto 17", "ip6 protochain 17", "dst host 2001:db8::2", "1000 / ether[0] = 500", "ether[60000] = 0", "1 << len > 0", "1000 / ether[19] = 0",
	} {
		p, err := filter.Compile(t.Context(), expr, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(p.Instructions(), func(i bpf.RawInstruction) bool { return i.Op == opJump && int32(i.K) < 0 }) {
			continue // a loop
		}
		yes := 0
		for _, several := range []bool{false, true} {
			prog := judge(t, p.Instructions(), several)
			for _, f := range frames {
				want := p.Match(f, len(f)) != 0
				if got := verdict(t, prog, f); got != want {
					t.Errorf("%s (%v): the kernel says %v, want %v, of % x", expr, several, got, want, f)
				}
				if want {
					yes++
				}
			}
		}
		if yes == len(frames)*2 {
			t.Errorf("%s matches all", expr)
		}
	}
}

// opJump is "ja", with which our filters make no loops but those of protochain.
const opJump = 0x05

var aluList = slices.Sorted(maps.Keys(aluOps))

// TestFilterArithmetic compares calculations with those of another machine for classic BPF.
func TestFilterArithmetic(t *testing.T) {
	values := []uint32{0, 1, 2, 7, 31, 32, 33, 255, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 0xdeadbeef}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() uint32 { return values[r.IntN(len(values))] }
	frame := make([]byte, 64)
	for i := range frame {
		frame[i] = byte(r.Uint32())
	}
	binary.BigEndian.PutUint32(frame[20:], 33)
	for range 150 {
		prog := []bpf.Instruction{bpf.LoadAbsolute{Off: uint32(r.IntN(62)), Size: []int{1, 2, 4}[r.IntN(3)]}}
		for range 6 {
			op := aluList[r.IntN(len(aluList))]
			v := pick()
			if shift := op == bpf.ALUOpShiftLeft || op == bpf.ALUOpShiftRight; shift || op == bpf.ALUOpDiv || op == bpf.ALUOpMod {
				v = 1 + v%31
			}
			switch r.IntN(3) {
			case 0:
				prog = append(prog, bpf.ALUOpConstant{Op: op, Val: v})
			case 1:
				prog = append(prog, bpf.LoadConstant{Dst: bpf.RegX, Val: v}, bpf.ALUOpX{Op: op})
			case 2:
				prog = append(prog, bpf.StoreScratch{Src: bpf.RegA, N: 3}, bpf.LoadConstant{Dst: bpf.RegX, Val: v}, bpf.ALUOpX{Op: op},
					bpf.StoreScratch{Src: bpf.RegA, N: 15}, bpf.LoadScratch{Dst: bpf.RegX, N: 3}, bpf.ALUOpX{Op: bpf.ALUOpXor}, bpf.TAX{}, bpf.TXA{})
			}
		}
		cond := bpf.JumpTest(r.IntN(8))
		prog = append(prog, bpf.JumpIf{Cond: cond, Val: pick(), SkipTrue: 1}, bpf.RetConstant{Val: 0}, bpf.RetA{})
		vm, err1 := bpf.NewVM(prog)
		raw, err2 := bpf.Assemble(prog)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		n, err := vm.Run(frame)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdict(t, judge(t, raw, false), frame); got != (n != 0) {
			t.Errorf("%v: the kernel says %v, want %d", prog, got, n)
		}
	}
}

// TestFilterRefused: what cannot be translated is an error.
func TestFilterRefused(t *testing.T) {
	for _, ins := range [][]bpf.RawInstruction{
		{{Op: 0xffff}}, {{Op: opJump, K: 1}}, {{Op: 0x15, Jt: 5}, {Op: 0x06}}, {{Op: 0x20, K: 0xfffff000 + 4}, {Op: 0x06}},
	} {
		if _, err := translate(ins, false); err == nil {
			t.Errorf("%v was translated", ins)
		}
	}
}

// TestFiltered: a port with a filter takes what matches, and the kernel receives the rest.
func TestFiltered(t *testing.T) {
	for _, mode := range []string{"native", "generic"} {
		// With several queues the kernel would choose one for its answer, by a hash that each boot has another key for.
		netns.RunPair(t, 1500, 1, func() {
			netns.Command(t, "ip address add 192.0.2.1/24 dev left")
			a, b := open(t, "left,mode="+mode+",filter=ether proto 0x88b5", nic.Config{}), open(t, "right", nic.Config{})
			defer closeAll(t, a, b)
			send(t, b, 0, 2048, testFrame(80, "\x88\xb5"))
			receive(t, a.rx[0], 1)
			// The kernel answers the question for its address.
			ask := testFrame(60, "\x08\x06")
			copy(ask[14:], "\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\xc0\x00\x02\x02\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x01")
			send(t, b, 0, 2048, ask)
			if got := receive(t, b.rx[0], 1)[0]; len(got) < 42 || !bytes.Equal(got[12:22], []byte("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x02")) {
				t.Errorf("%s: % x", mode, got)
			}
			if n := a.rx[0].Receive(make([]*packet.Buf, 1)); n != 0 {
				t.Error("the question came to the port")
			}
		})
	}
	netns.RunPair(t, 1500, 4, func() {
		if _, err := nic.Open(t.Context(), "xdp:left,filter=nonsense at all", nic.Config{}); err == nil || !strings.Contains(err.Error(), "filter") {
			t.Error(err)
		}
	})
}
