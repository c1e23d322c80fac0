package ixgbe

import (
	"net/netip"
	"testing"

	chip "glassnic/chip/ixgbe"
)

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
		s.reg.Write32(chip.FDIRCMD, 0)
		// Of what the masks leave: eight bytes of the destination, and the destination port.
		s.reg.Write32(chip.FDIRM, chip.FdirmVLANID|chip.FdirmVLANP|chip.FdirmPOOL|chip.FdirmFLEX|chip.FdirmDIPV6)
		s.reg.Write32(chip.FDIRTCPM, 0xFFFF)
		s.reg.Write32(chip.FDIRIP6M, 0xFF00<<chip.Fdirip6mDIPMShift|0xFFFF)
		st = stream{}
		st.fill(&flowFields{kind: 6, dstPort: 55555})
		copy(st[20:], netip.MustParseAddr("2001:2::").AsSlice())
		s.command(st.hash(0x3DAD14E2)|st.hash(0x174D3614)<<chip.FdirhashINDEXShift, add|3<<chip.FdircmdRXQShift)
		s.arrives("masked", f, 3)
		s.arrives("masked, others of its network", flow("[2001:db8::7]:444", "[2001:2::ffff:2]:55555", protoTCP), 3)
		s.arrives("another network", flow("[2001:2::1]:443", "[2001:2:0:1::2]:55555", protoTCP), 0)
		s.arrives("another port", flow("[2001:2::1]:443", "[2001:2::2]:55556", protoTCP), 0)
		s.arrives("another protocol", flow("[2001:2::1]:443", "[2001:2::2]:55555", protoUDP), 0)
		s.reg.Write32(chip.FDIRCMD, chip.FdircmdCLEARHT)
		s.step(0)
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
