package filter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
)

func compile(t testing.TB, expr string) *Program {
	t.Helper()
	p, err := Compile(t.Context(), expr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOtherMachine: golang.org/x/net/bpf runs our programs to the same end.
func TestOtherMachine(t *testing.T) {
	all := frames()
	for _, expr := range primitives {
		p := compile(t, expr)
		ins, ok := bpf.Disassemble(p.Instructions())
		if !ok {
			t.Fatalf("%s: unknown instructions:\n%s", expr, p)
		}
		vm, err := bpf.NewVM(ins)
		if err != nil {
			t.Errorf("%s: %v:\n%s", expr, err, p)
			continue
		}
		for i := 0; i < len(all); i += 3 {
			want, err := vm.Run(all[i])
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(all[i], len(all[i])); int(got) != want {
				t.Fatalf("%s: %d, want %d: % x\n%s", expr, got, want, all[i], p)
			}
		}
	}
}

func TestPrint(t *testing.T) {
	p := compile(t, "tcp[13] & 2 != 0 and not net 10.0.0.0/9")
	want := `(000) ldh      [12]
(001) jeq      #0x800           jt 2	jf 15
(002) ldb      [23]
(003) jeq      #0x6             jt 4	jf 15
(004) ldh      [20]
(005) jset     #0x1fff          jt 15	jf 6
(006) ldxb     4*([14]&0xf)
(007) ldb      [x + 27]
(008) jset     #0x2             jt 9	jf 15
(009) ld       [26]
(010) and      #0xff800000
(011) jeq      #0xa000000       jt 15	jf 12
(012) ld       [30]
(013) and      #0xff800000
(014) jeq      #0xa000000       jt 15	jf 16
(015) ret      #0
(016) ret      #262144
`
	if p.String() != want {
		t.Errorf("%s", p)
	}
	if d := p.Decimal(); !strings.HasPrefix(d, "17\n40 0 0 12\n21 0 13 2048\n48 0 0 23\n") {
		t.Errorf("%s", d)
	}
	if c := p.C(); !strings.HasPrefix(c, "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 13, 0x00000800 },\n") {
		t.Errorf("%s", c)
	}
}

// TestSnap: the program returns the snap length that it was given, and the length of a frame is that on the wire.
func TestSnap(t *testing.T) {
	p, err := Compile(t.Context(), "greater 1000", Options{Snap: 96})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Match(make([]byte, 60), 1500); got != 96 {
		t.Errorf("%d", got)
	}
	if got := p.Match(make([]byte, 60), 60); got != 0 {
		t.Errorf("%d", got)
	}
	if got := compile(t, "").Match(nil, 0); got != Snap {
		t.Errorf("empty expression: %d", got)
	}
	// What a port hands out came in.
	if p := compile(t, "inbound and not outbound"); p.Match(nil, 0) == 0 {
		t.Errorf("inbound:\n%s", p)
	}
}

// known is a machine with a few names.
type known struct{ System }

func (known) Host(_ context.Context, name string) ([]netip.Addr, error) {
	if name == "gate" {
		return []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::ffff:10.1.2.4"), netip.MustParseAddr("fe80::1")}, nil
	}
	return nil, errors.New("no such host")
}

func (known) Net(name string) (uint32, bool) { return 0x0a0102, name == "lab" }

func (known) Ether(name string) ([6]byte, bool) { return [6]byte{2, 0, 0, 0, 0, 1}, name == "gate" }

func (known) Service(name string) (int, int) {
	if name == "odd" {
		return 53, 80
	}
	return -1, -1
}

func TestNames(t *testing.T) {
	for _, c := range [][2]string{
		{"host gate", "host 10.1.2.3 or host 10.1.2.4 or host fe80::1"},
		{"ip src gate", "ip src 10.1.2.3 or 10.1.2.4"},
		{"ip6 dst gate", "dst host fe80::1"},
		{"net lab", "net 10.1.2"},
		{"ether src gate", "ether src 2:0:0:0:0:1"},
		{"port odd", "tcp port 53"},
		{`host \gate`, "host gate"},
	} {
		var match [2]*Program
		for i, expr := range c {
			var err error
			if match[i], err = Compile(t.Context(), expr, Options{Names: known{}}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for _, f := range frames() {
			a, b := match[0].Match(f, len(f)), match[1].Match(f, len(f))
			if a != b {
				t.Fatalf("%q and %q differ: % x", c[0], c[1], f)
			}
			if a != 0 {
				n++
			}
		}
		if n == 0 {
			t.Errorf("%q matches nothing", c[0])
		}
	}
	for _, c := range [][2]string{
		{"host nobody", "no such host"}, {"net nobody", "/etc/networks"}, {"ether host nobody", "/etc/ethers"},
		{"port nobody", "/etc/services"}, {"arp host fe80::1", "IPv6"}, {"sctp port odd", "tcp has that port"},
	} {
		if _, err := Compile(t.Context(), c[0], Options{Names: known{}}); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%q: %v", c[0], err)
		}
	}
}

// TestLimits: expressions that would take long are refused.
func TestLimits(t *testing.T) {
	for _, expr := range []string{
		strings.Repeat("(", 40_000), strings.Repeat("not ", 10_000) + "tcp", "len = " + strings.Repeat("-", 10_000) + "1",
		"port 1" + strings.Repeat(" or 2", 30_000), strings.Repeat("len+(", 10_000) + "1",
		"tcp port 1 " + strings.Repeat("or portrange 5-99 ", 3000),
		"len=" + strings.Repeat("(len+1)*(", 100) + "1" + strings.Repeat(")", 100),
	} {
		if p, err := Compile(t.Context(), expr, Options{Names: known{}}); err == nil && len(p.ins) > maxProgram+1000 {
			t.Errorf("%s: %d instructions", shorten(expr), len(p.ins))
		} else if err == nil && len(expr) > 20_000 {
			t.Errorf("%s: taken", shorten(expr))
		}
	}
}

// TestLongJumps: a condition whose ends are further away than a jump reaches.
func TestLongJumps(t *testing.T) {
	var b strings.Builder
	b.WriteString("udp and (dst port 1")
	for i := range 400 {
		b.WriteString(" or " + string(rune('2'+i%4)) + fmt.Sprint(100+i))
	}
	p := compile(t, b.String()+" or 53)")
	yes, no := join(macs, "08 00", ip4(17, 0, 0, net10a, net10b, ports(9, 53, 0))), join(macs, "08 00", ip4(6, 0, 0, net10a, net10b, ports(9, 53, 0)))
	if p.Match(yes, len(yes)) == 0 || p.Match(no, len(no)) != 0 {
		t.Errorf("%d instructions: %d, %d", len(p.ins), p.Match(yes, len(yes)), p.Match(no, len(no)))
	}
	if len(p.ins) < 300 {
		t.Errorf("%d instructions", len(p.ins))
	}
}

func TestMatchAllocates(t *testing.T) {
	p := compile(t, "ip protochain 6 and tcp port 80 or geneve")
	f := join(macs, "08 00", ip4(6, 0, 0, net10a, net10b, ports(80, 53, 0)))
	if n := testing.AllocsPerRun(100, func() { p.Match(f, len(f)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCompile(f *testing.F) {
	for _, e := range append(append(primitives[:len(primitives):len(primitives)], refused...), combined()...) {
		f.Add(e, []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45"))
	}
	all := frames()
	f.Fuzz(func(t *testing.T, expr string, frame []byte) {
		start := time.Now()
		p, err := Compile(t.Context(), expr, Options{Names: known{}})
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("took %v", d)
		}
		if err != nil {
			return
		}
		// A valid program, which only goes forward, does the same everywhere.
		ins, ok := bpf.Disassemble(p.Instructions())
		if !ok {
			t.Fatalf("unknown instructions:\n%s", p)
		}
		vm, err := bpf.NewVM(ins)
		if err != nil {
			if strings.Contains(err.Error(), "divid") {
				return
			}
			t.Fatalf("%v:\n%s", err, p)
		}
		for _, fr := range [][]byte{frame, all[len(expr)%len(all)], all[len(frame)%len(all)]} {
			want, err := vm.Run(fr)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(fr, len(fr)); int(got) != want && uint32(want) != got {
				t.Fatalf("%d, want %d\n%s", got, want, p)
			}
		}
	})
}

// BenchmarkMatch compares this package's machine with that of golang.org/x/net/bpf.
func BenchmarkMatch(b *testing.B) {
	p, err := Compile(b.Context(), "tcp dst port 53 and net 192.168", Options{})
	if err != nil {
		b.Fatal(err)
	}
	f := join(macs, "08 00", ip4(6, 0, 0, net10a, net192, ports(80, 53, 0)))
	b.Run("filter", func(b *testing.B) {
		for b.Loop() {
			p.Match(f, len(f))
		}
	})
	ins, _ := bpf.Disassemble(p.Instructions())
	vm, err := bpf.NewVM(ins)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("x-net", func(b *testing.B) {
		for b.Loop() {
			if _, err := vm.Run(f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
