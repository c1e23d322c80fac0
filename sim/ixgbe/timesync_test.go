package ixgbe

import (
	"encoding/binary"
	"testing"
	"time"

	chip "glassnic/chip/ixgbe"
)

// TestSystim: every INCPERIOD clocks of 6.4 ns add INCVALUE; the high half is that of the low half read before; TIMADJ
// adds and takes off at once.
func TestSystim(t *testing.T) {
	clk := &clock{now: time.Hour}
	r := newRig(t, false, func(c *Config) { c.Clock = clk.read })
	read := func() uint64 {
		low := r.reg.Read32(chip.SYSTIML)
		return uint64(low) | uint64(r.reg.Read32(chip.SYSTIMH))<<32
	}
	is := func(what string, want uint64) {
		t.Helper()
		if v := read(); v != want {
			t.Errorf("%s: %#x, want %#x", what, v, want)
		}
	}
	clk.now += time.Second
	is("without a pace", 0)
	r.reg.Write32(chip.TIMINCA, 5<<chip.TimincaINCPShift|32) // 32 each 32 ns
	is("at first", 0)
	clk.now += 31
	is("after 31 ns", 0)
	clk.now++
	is("after 32 ns", 32)
	clk.now += time.Second
	is("a second later", 1_000_000_032)
	r.reg.Write32(chip.TIMINCA, 1<<chip.TimincaINCPShift|7)
	clk.now += 64
	is("ten clocks of another pace later", 1_000_000_032+70)

	r.reg.Write32(chip.TIMINCA, 0)
	r.reg.Write32(chip.SYSTIML, 0xffff_fffe)
	r.reg.Write32(chip.SYSTIMH, 0x12)
	is("set", 0x12_ffff_fffe)
	r.reg.Write32(chip.TIMADJL, 3)
	is("before TIMADJH", 0x12_ffff_fffe)
	r.reg.Write32(chip.TIMADJH, 1)
	is("moved on", 0x15_0000_0001-1<<32)
	r.reg.Write32(chip.TIMADJL, 5)
	r.reg.Write32(chip.TIMADJH, chip.TimadjhSIGN|2)
	is("moved back", 0x11_ffff_fffc)

	r.reg.Read32(chip.SYSTIML)
	r.reg.Write32(chip.SYSTIMH, 0x99)
	if v := r.reg.Read32(chip.SYSTIMH); v != 0x11 {
		t.Errorf("SYSTIMH %#x, want what it was at the read of SYSTIML", v)
	}
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	is("after a reset", 0)
}

// ptp is a message of PTP of a version and type in a frame: by EtherType, or by UDP to port 319.
func ptp(version, kind, control byte, byUDP bool) []byte {
	f := frame(14+46, 0)
	at := 14
	if byUDP {
		f = frame(14+20+8+44, 0)
		at = 14 + 20 + 8
	}
	message := f[at:]
	clear(message)
	message[0], message[1], message[ptpControl] = kind, version, control
	copy(message[ptpSource:], []byte{1, 2, 3, 4, 5, 6})
	binary.BigEndian.PutUint16(message[ptpSeq:], 0x789a)
	if !byUDP {
		binary.BigEndian.PutUint16(f[12:], 0x88f7)
		return f
	}
	udp(f)
	binary.BigEndian.PutUint16(f[36:], 319) // and so with a wrong checksum, which is no matter
	return f
}

// TestReceiveStamps has each setting stamp what it is to, and nothing before the time of the last was read.
func TestReceiveStamps(t *testing.T) {
	clk := &clock{now: time.Hour}
	r := newRig(t, false, func(c *Config) { c.Clock = clk.read })
	clk.now += time.Second
	r.start2(clk)
	q := r.rx(0, 16, 1, 0)
	r.reg.Write32(chip.TIMINCA, 5<<chip.TimincaINCPShift|32)
	r.reg.Write32(chip.ETQF(2), chip.Etqf1588|0x88f7)
	const port = 319 << chip.RxmtrlUDPTShift
	const sync, request, pRequest, pResponse, general = 0, 1, 2, 3, 8
	for _, c := range []struct {
		what    string
		control uint32
		match   uint32
		frame   []byte
		want    bool
	}{
		{"off", chip.TsyncrxctlTYPEEvents, port, ptp(2, sync, 0, false), false},
		{"L2 V2", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL2V2, port, ptp(2, sync, 0, false), true},
		{"L2 V2 other message", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL2V2, port | request<<chip.RxmtrlMSGTShift, ptp(2, sync, 0, false), false},
		{"L2 V2 delay message", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL2V2, port, ptp(2, pRequest, 0, false), true},
		{"L2 V2 by UDP", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL2V2, port, ptp(2, sync, 0, true), false},
		{"L2 V2 version 1", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL2V2, port, ptp(1, sync, 0, false), false},
		{"L4 V1", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL4V1, port | 1, ptp(1, 5, 1, true), true},
		{"L4 V1 other control", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL4V1, port | 1, ptp(1, 5, 0, true), false},
		{"L4 V1 version 2", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL4V1, port | 1, ptp(2, 5, 1, true), false},
		{"L4 V1 by EtherType", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEL4V1, port | 1, ptp(1, 5, 1, false), false},
		{"V2 by UDP", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEV2, port | request<<chip.RxmtrlMSGTShift, ptp(2, request, 0, true), true},
		{"V2 by EtherType", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEV2, port | request<<chip.RxmtrlMSGTShift, ptp(2, request, 0, false), true},
		{"V2 version 1", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEV2, port, ptp(1, sync, 0, true), false},
		{"events", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEEvents, port, ptp(2, pResponse, 0, true), true},
		{"events general", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEEvents, port, ptp(2, general, 0, true), false},
		{"events version 1", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEEvents, port, ptp(1, sync, 0, false), false},
		{"events other port", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEEvents, port + 1<<chip.RxmtrlUDPTShift, ptp(2, sync, 0, true), false},
		{"events no PTP", chip.TsyncrxctlEN | chip.TsyncrxctlTYPEEvents, port, frame(60, 0), false},
		{"reserved", chip.TsyncrxctlEN | 3<<1, port, ptp(2, sync, 0, false), false},
	} {
		r.reg.Write32(chip.TSYNCRXCTL, c.control)
		r.reg.Write32(chip.RXMTRL, c.match)
		clk.now += time.Microsecond
		at := r.card.systim()
		for i, again := range []bool{false, true} { // the second finds no room
			r.port.push(c.frame)
			r.step(1)
			clk.now += time.Millisecond
			got := q.take()
			if len(got) != 1 {
				t.Fatalf("%s: %d frames", c.what, len(got))
			}
			if stamped := got[0].w1&chip.RxTS != 0; stamped != (c.want && !again) {
				t.Errorf("%s, frame %d: stamped %v", c.what, i, stamped)
			}
		}
		if valid := r.reg.Read32(chip.TSYNCRXCTL)&chip.TsyncrxctlRXTT != 0; valid != c.want {
			t.Errorf("%s: RXTT %v", c.what, valid)
		}
		if !c.want {
			continue
		}
		if lo, hi := r.reg.Read32(chip.RXSATRL), r.reg.Read32(chip.RXSATRH); lo != 0x03040506 || hi != 0x789a0102 {
			t.Errorf("%s: attributes %#x %#x", c.what, lo, hi)
		}
		if v := uint64(r.reg.Read32(chip.RXSTMPL)) | uint64(r.reg.Read32(chip.RXSTMPH))<<32; v != at {
			t.Errorf("%s: time %d, want %d", c.what, v, at)
		}
		if r.reg.Read32(chip.TSYNCRXCTL)&chip.TsyncrxctlRXTT != 0 {
			t.Errorf("%s: no room after RXSTMPH was read", c.what)
		}
	}
}

// start2 is start with a clock that a test moves.
func (r *rig) start2(clk *clock) {
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	for range 3 {
		clk.now += time.Second
		r.step(0)
	}
	r.reg.Set(chip.FCTRL, chip.FctrlBAM)
	r.reg.Set(chip.HLREG0, chip.Hlreg0RXCRCSTRP|chip.Hlreg0TXCRCEN|chip.Hlreg0TXPADEN)
}

// TestTransmitStamps: the frame that asks for it is stamped when the wire takes it, and no second one before its time
// was read.
func TestTransmitStamps(t *testing.T) {
	clk := &clock{now: time.Hour}
	r := newRig(t, false, func(c *Config) { c.Clock = clk.read })
	r.start2(clk)
	q := r.tx(0, 16)
	r.reg.Write32(chip.TIMINCA, 5<<chip.TimincaINCPShift|32)
	send := func(stamp uint64) {
		f := frame(60, 0)
		q.add(f, txPlain|chip.TxDCMDEOP|chip.TxDCMDRS|stamp|uint64(len(f))<<chip.TxPaylenShift)
	}
	valid := func() bool { return r.reg.Read32(chip.TSYNCTXCTL)&chip.TsynctxctlTXTT != 0 }
	send(chip.TxMACTSTAMP)
	q.kick()
	r.step(16)
	if valid() {
		t.Error("stamped although off")
	}
	r.reg.Write32(chip.TSYNCTXCTL, chip.TsynctxctlEN)
	r.port.take = 1 // frames a call
	for _, stamp := range []uint64{0, chip.TxMACTSTAMP, 0, chip.TxMACTSTAMP} {
		send(stamp)
	}
	q.kick()
	clk.now += time.Second
	r.step(1)
	if valid() {
		t.Error("stamped before it was sent")
	}
	clk.now += time.Second
	at := r.card.systim()
	r.step(1)
	if !valid() {
		t.Error("not stamped")
	}
	clk.now += time.Second
	r.port.take = -1
	r.step(16)
	if v := uint64(r.reg.Read32(chip.TXSTMPL)) | uint64(r.reg.Read32(chip.TXSTMPH))<<32; v != at {
		t.Errorf("time %d, want %d", v, at)
	}
	if valid() {
		t.Error("no room after TXSTMPH was read")
	}
	if n := len(r.port.out); n != 5 {
		t.Errorf("%d frames were sent, want 5", n)
	}
}
