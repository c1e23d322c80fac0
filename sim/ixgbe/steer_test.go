package ixgbe

import (
	"encoding/binary"
	"net/netip"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// steered is a rig with four queues.
type steered struct {
	*rig
	rx [4]*rxRing
}

func newSteered(t *testing.T, polled bool) *steered {
	s := &steered{rig: newRig(t, polled)}
	s.start()
	for i := range s.rx {
		s.rx[i] = s.rig.rx(i, 64, 2, 0)
	}
	return s
}

// arrives wants a frame in a queue, and nothing in the others; -1 is none. It returns the write-back.
func (s *steered) arrives(what string, f []byte, queue int) (w0, w1 uint64) {
	s.t.Helper()
	s.port.push(f)
	s.step(16)
	for i, rx := range s.rx {
		got := rx.take()
		if want := i == queue; len(got) > 1 || len(got) == 1 != want {
			s.t.Errorf("%s: %d frames in queue %d, want them in %d", what, len(got), i, queue)
		} else if want {
			w0, w1 = got[0].w0, got[0].w1
		}
	}
	return w0, w1
}

// segment is a TCP segment or UDP datagram, with SYN or without.
func segment(src, dst string, proto byte, syn bool) []byte {
	f := flow(src, dst, proto)
	if syn {
		f[34+13] |= 2
	}
	return f
}

func ipWord(a string) uint32 { return binary.LittleEndian.Uint32(netip.MustParseAddr(a).AsSlice()) }

// portWord is a number of 16 bits as it lies on the wire, first byte lowest.
func portWord(p uint16) uint32 { return uint32(p>>8 | p<<8) }

func TestEtherTypeFilters(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		s := newSteered(t, polled)
		s.reg.Write32(chip.ETQF(3), 0x88f7|chip.EtqfFILTEREN)
		s.reg.Write32(chip.ETQS(3), 2<<chip.EtqsRXQShift|chip.EtqsQUEUEEN)
		s.reg.Write32(chip.ETQF(5), 0x88cc|chip.EtqfFILTEREN|chip.EtqfUPEN|6<<chip.EtqfUPShift)
		s.reg.Write32(chip.ETQS(5), 1<<chip.EtqsRXQShift|chip.EtqsQUEUEEN)
		s.reg.Write32(chip.ETQF(6), 0x88b6|chip.EtqfFILTEREN)
		typed := func(b ...byte) []byte {
			f := frame(60, 1)
			copy(f[12:], b)
			return f
		}
		w0, _ := s.arrives("EtherType", typed(0x88, 0xf7), 2)
		if w0&(chip.RxPktL2|7<<4) != chip.RxPktL2|3<<4 {
			t.Errorf("write-back %#x does not name filter 3", w0)
		}
		s.arrives("tagged", typed(0x81, 0, 0, 5, 0x88, 0xf7), 2)
		s.arrives("no priority", typed(0x88, 0xcc), 0)
		s.arrives("another priority", typed(0x81, 0, 0xa0, 5, 0x88, 0xcc), 0)
		s.arrives("priority", typed(0x81, 0, 0xc0, 5, 0x88, 0xcc), 1)
		if w0, _ := s.arrives("marked only", typed(0x88, 0xb6), 0); w0&chip.RxPktL2 == 0 {
			t.Errorf("write-back %#x does not name a filter", w0)
		}
		s.reg.Write32(chip.ETQF(3), 0x88f7)
		s.arrives("switched off", typed(0x88, 0xf7), 0)
		s.clean()
	})
}

func TestTupleFilters(t *testing.T) {
	const a, b = "198.18.0.1:1234", "198.19.0.2:80"
	const any = chip.FtqfMASKSource | chip.FtqfMASKDest | chip.FtqfMASKSPort | chip.FtqfMASKDPort | chip.FtqfMASKProtocol
	both(t, func(t *testing.T, polled bool) {
		s := newSteered(t, polled)
		set := func(i int, ftqf uint32, priority, queue uint32) {
			s.reg.Write32(chip.SAQF(i), ipWord("198.18.0.1"))
			s.reg.Write32(chip.DAQF(i), ipWord("198.19.0.2"))
			s.reg.Write32(chip.SDPQF(i), portWord(1234)|portWord(80)<<16)
			s.reg.Write32(chip.L34TIMIR(i), chip.L34timirReserved|chip.L34timirSIZEBP|queue<<chip.L34timirRXQShift)
			s.reg.Write32(chip.FTQF(i), chip.FtqfQUEUEEN|chip.FtqfPOOLMASK|priority<<chip.FtqfPRIORITYShift|ftqf)
		}
		tcp := segment(a, b, protoTCP, false)
		for _, c := range []struct {
			what         string
			ftqf         uint32
			other        []byte // does not match, nil for none
			otherAsWell  bool
			udp, reverse int // queues
		}{
			{"source", any &^ chip.FtqfMASKSource, segment("198.18.0.2:1234", b, protoTCP, false), false, 1, 0},
			{"destination", any &^ chip.FtqfMASKDest, segment(a, "198.19.0.1:80", protoTCP, false), false, 1, 0},
			{"source port", any &^ chip.FtqfMASKSPort, segment("198.18.0.1:1235", b, protoTCP, false), false, 1, 0},
			{"destination port", any &^ chip.FtqfMASKDPort, segment(a, "198.19.0.2:81", protoTCP, false), false, 1, 0},
			{"protocol", any&^chip.FtqfMASKProtocol | chip.TupleTCP, segment(a, b, protoUDP, false), false, 0, 1},
			{"all", chip.TupleTCP, segment("198.18.0.1:1235", b, protoTCP, false), false, 0, 0},
			{"none", any, nil, true, 1, 1},
		} {
			set(9, c.ftqf, 1, 1)
			s.arrives(c.what, tcp, 1)
			if c.other != nil {
				s.arrives(c.what+", another", c.other, 0)
			}
			s.arrives(c.what+", UDP", segment(a, b, protoUDP, false), c.udp)
			s.arrives(c.what+", reverse", segment(b, a, protoTCP, false), c.reverse)
		}
		// The highest priority wins, and of two alike the first. All before the hash.
		s.setRSS(chip.MrqcTCPIPv4, func(int) uint32 { return 3 })
		set(100, any, 7, 2)
		s.arrives("priority", tcp, 2)
		set(8, any, 7, 0)
		s.arrives("the first", tcp, 0)
		s.reg.Write32(chip.FTQF(8), 0)
		s.reg.Write32(chip.FTQF(100), 0)
		set(9, any&^chip.FtqfMASKDPort, 7, 1)
		s.arrives("before the hash", tcp, 1)
		s.arrives("the hash", segment(a, "198.19.0.2:81", protoTCP, false), 3)
		fragment := segment(a, b, protoTCP, false)
		fragment[20] |= 0x20 // more follow
		s.arrives("a fragment has no ports", fragment, 0)
		s.reg.Write32(chip.FTQF(9), 0)

		// SYN before or behind them.
		syn := segment(a, b, protoTCP, true)
		s.reg.Write32(chip.SYNQF, chip.SynqfQUEUEEN|2<<chip.SynqfRXQShift)
		s.arrives("SYN", syn, 2)
		s.arrives("no SYN", tcp, 3)
		s.arrives("UDP", segment(a, b, protoUDP, true), 0)
		set(9, any, 7, 1)
		s.arrives("SYN behind", syn, 1)
		s.reg.Write32(chip.SYNQF, chip.SynqfQUEUEEN|chip.SynqfSYNQFP|2<<chip.SynqfRXQShift)
		s.arrives("SYN before", syn, 2)
		s.clean()
	})
}

// Hashes of flow director, with the keys of Linux's driver and plain ones, computed by its formula
// (ixgbe_atr_compute_perfect_hash_82599).
func TestFlowHash(t *testing.T) {
	keys := []uint32{0x3DAD14E2, 0x174D3614, 0xFFFFFFFF, 1, 0x80000001, 0x80800101}
	for _, c := range []struct {
		v    flowFields
		v6   [2]string
		want [6]uint32
	}{
		{
			flowFields{kind: 2, src: ipWord("198.18.0.1"), dst: ipWord("198.19.0.2"), srcPort: 1234, dstPort: 80, flex: 0x0008},
			[2]string{}, [6]uint32{0x67c3, 0xc3a, 0x7ffc, 0xcd3, 0x1571, 0x667d},
		},
		{
			flowFields{kind: 1, vlan: 0xa005, src: ipWord("10.1.2.3"), dst: ipWord("10.4.5.6"), srcPort: 53, dstPort: 4096, flex: 0x0081},
			[2]string{}, [6]uint32{0x6c82, 0xe7a, 0x6002, 0x130, 0x353, 0x611c},
		},
		{
			flowFields{kind: 6, srcPort: 443, dstPort: 55555, flex: 0xdd86}, [2]string{"2001:2::1", "2001:2::2"},
			[6]uint32{0x1bb0, 0x5a9c, 0x7ffb, 0x766, 0x9a7, 0x4e92},
		},
		{flowFields{src: ipWord("192.0.2.1")}, [2]string{}, [6]uint32{0x483b, 0x5e48, 0, 0x4000, 0x4000, 0x41c4}},
	} {
		var s stream
		s.fill(&c.v)
		if c.v6[0] != "" {
			copy(s[4:], netip.MustParseAddr(c.v6[0]).AsSlice())
			copy(s[20:], netip.MustParseAddr(c.v6[1]).AsSlice())
		}
		for i, key := range keys {
			if got := s.hash(key); got != c.want[i] {
				t.Errorf("%+v, key %#x: %#x, want %#x", c.v, key, got, c.want[i])
			}
		}
	}
}

// command gives flow director one and waits until it is done.
func (s *steered) command(hash, cmd uint32) uint32 {
	s.t.Helper()
	s.reg.Write32(chip.FDIRHASH, hash)
	s.reg.Write32(chip.FDIRCMD, cmd)
	if !s.wait(chip.FDIRCMD, chip.FdircmdCMD, 0) {
		s.t.Fatalf("command %#x is not done", cmd)
	}
	return s.reg.Read32(chip.FDIRCMD)
}

// director makes tables.
func (s *steered) director(ctrl uint32) {
	s.t.Helper()
	s.reg.Write32(chip.FDIRHKEY, 0x3DAD14E2)
	s.reg.Write32(chip.FDIRSKEY, 0x174D3614)
	s.reg.Write32(chip.FDIRCTRL, ctrl|6<<chip.FdirctrlFLEXShift|127<<chip.FdirctrlDROPQShift)
	if !s.wait(chip.FDIRCTRL, chip.FdirctrlINITDONE, chip.FdirctrlINITDONE) {
		s.t.Fatal("flow director is not ready")
	}
}

func TestPerfectMatch(t *testing.T) {
	const a, b = "198.18.0.1:1234", "198.19.0.2:80"
	both(t, func(t *testing.T, polled bool) {
		s := newSteered(t, polled)
		s.setRSS(chip.MrqcTCPIPv4, func(int) uint32 { return 3 })
		s.reg.Write32(chip.FDIRM, chip.FdirmVLANID|chip.FdirmVLANP|chip.FdirmPOOL|chip.FdirmFLEX|chip.FdirmDIPV6)
		s.reg.Write32(chip.FDIRTCPM, 0xF000) // the source port but for its lowest four bits
		s.director(chip.FdirctrlPBALLOC64K | chip.FdirctrlPERFECT | chip.FdirctrlREPORT)
		if n := s.reg.Read32(chip.FDIRFREE); n != 2046 {
			t.Errorf("FDIRFREE %d", n)
		}
		v := flowFields{kind: 2, src: ipWord("198.18.0.1"), dst: ipWord("198.19.0.2"), srcPort: 1234 &^ 15, dstPort: 80}
		var st stream
		st.fill(&v)
		hash := st.hash(0x3DAD14E2)&0x7FF | 77<<chip.FdirhashINDEXShift
		s.reg.Write32(chip.FDIRIPSA, ipWord("198.18.0.1"))
		s.reg.Write32(chip.FDIRIPDA, ipWord("198.19.0.2"))
		s.reg.Write32(chip.FDIRPORT, 1234|80<<16)
		add := chip.FdircmdAdd | chip.FdircmdUPDATE | chip.FdircmdLAST | chip.FdircmdQUEUEEN | chip.FDIRL4TCP<<chip.FdircmdL4Shift
		s.command(hash, add|1<<chip.FdircmdRXQShift)
		w0, w1 := s.arrives("match", segment(a, b, protoTCP, false), 1)
		if w0&chip.RxRSSTypeMask != chip.RxRSSFDIR || chip.RxHash(w0) != hash || w1&chip.RxFLM == 0 {
			t.Errorf("write-back %#x %#x, want filter %#x", w0, w1, hash)
		}
		s.arrives("what is masked", segment("198.18.0.1:1239", b, protoTCP, false), 1)
		s.arrives("another port", segment("198.18.0.1:1240", b, protoTCP, false), 1)
		s.arrives("another port by more", segment("198.18.0.1:1248", b, protoTCP, false), 3)
		s.arrives("another address", segment("198.18.0.2:1234", b, protoTCP, false), 3)
		s.arrives("UDP", segment(a, b, protoUDP, false), 0)
		if m, n := s.reg.Read32(chip.FDIRMATCH), s.reg.Read32(chip.FDIRMISS); m != 3 || n != 3 {
			t.Errorf("%d matches and %d others, want 3 and 3", m, n)
		}
		s.command(hash, add&^chip.FdircmdUPDATE|2<<chip.FdircmdRXQShift)
		s.arrives("not replaced without UPDATE", segment(a, b, protoTCP, false), 1)
		s.command(hash, add|2<<chip.FdircmdRXQShift)
		s.arrives("replaced", segment(a, b, protoTCP, false), 2)
		s.command(hash, add|chip.FdircmdDROP|1<<chip.FdircmdRXQShift)
		s.arrives("dropped", segment(a, b, protoTCP, false), -1)
		if got := s.command(hash, chip.FdircmdQuery); got&chip.FdircmdVALID == 0 || got&chip.FdircmdDROP == 0 {
			t.Errorf("query %#x", got)
		}
		s.command(hash, chip.FdircmdRemove)
		if got := s.command(hash, chip.FdircmdQuery); got&chip.FdircmdVALID != 0 {
			t.Errorf("query %#x of what was removed", got)
		}
		s.arrives("removed", segment(a, b, protoTCP, false), 3)
		if n := s.reg.Read32(chip.FDIRFREE); n != 2046 {
			t.Errorf("FDIRFREE %d", n)
		}
		if n := s.reg.Read32(chip.FDIRFSTAT); n != 1 {
			t.Errorf("FDIRFSTAT %#x", n)
		}
		s.clean()
	})
}

// Signatures are of all fields as they are, of IPv6, too; what has no filter goes by the hash.
func TestSignatures(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		s := newSteered(t, polled)
		s.director(chip.FdirctrlPBALLOC64K)
		var st stream
		st.fill(&flowFields{kind: 6, srcPort: 443, dstPort: 55555, flex: 0xdd86})
		copy(st[4:], netip.MustParseAddr("2001:2::1").AsSlice())
		copy(st[20:], netip.MustParseAddr("2001:2::2").AsSlice())
		hash := st.hash(0x3DAD14E2) | st.hash(0x174D3614)<<chip.FdirhashINDEXShift
		add := chip.FdircmdAdd | chip.FdircmdUPDATE | chip.FdircmdLAST | chip.FdircmdQUEUEEN | 6<<chip.FdircmdL4Shift
		s.command(hash, add|2<<chip.FdircmdRXQShift)
		f := flow("[2001:2::1]:443", "[2001:2::2]:55555", protoTCP)
		if _, w1 := s.arrives("match", f, 2); w1&chip.RxFLM == 0 {
			t.Errorf("write-back %#x", w1)
		}
		s.arrives("another", flow("[2001:2::1]:444", "[2001:2::2]:55555", protoTCP), 0)
		s.reg.Write32(chip.FDIRCMD, chip.FdircmdCLEARHT)
		s.step(0)
		s.arrives("cleared", f, 0)
		// As many as there is room for.
		s.reg.Write32(chip.FDIRCMD, 0)
		for i := range uint32(8190) {
			s.command(i, add)
		}
		if n := s.reg.Read32(chip.FDIRFREE); n != 0 {
			t.Errorf("FDIRFREE %d", n)
		}
		s.command(1<<chip.FdirhashINDEXShift, add)
		if n := s.reg.Read32(chip.FDIRFSTAT); n != 1 {
			t.Errorf("FDIRFSTAT %#x", n)
		}
		s.clean()
	})
}
