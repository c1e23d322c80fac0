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
