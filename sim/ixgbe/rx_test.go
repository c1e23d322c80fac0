package ixgbe

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

func TestReceiveSpread(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.reg.Write32(chip.MAXFRS, 9018<<chip.MaxfrsMFSShift)
		r.reg.Set(chip.HLREG0, chip.Hlreg0JUMBOEN)
		rx := r.rx(0, 16, 2, 0)
		for _, c := range []struct{ size, descs int }{{60, 1}, {2048, 1}, {2049, 2}, {4096, 2}, {9014, 5}} {
			f := frame(c.size, c.size)
			r.port.push(f)
			r.step(16)
			got := rx.take()
			if len(got) != 1 || got[0].descs != c.descs || !bytes.Equal(got[0].data, f) {
				t.Fatalf("%d bytes: %d frames, %d descriptors", c.size, len(got), got[0].descs)
			}
		}
		r.port.push(frame(9015, 0))
		r.step(16)
		if len(rx.take()) != 0 || r.reg.Read32(chip.ROC) != 1 {
			t.Error("a frame beyond MAXFRS is not counted in ROC")
		}
		r.clean()
	})
}

func (r *rig) clean() {
	r.t.Helper()
	if n := r.space.Count(); n != 0 {
		r.t.Errorf("%d DMA faults: %v", n, r.space.Faults())
	}
	want := r.card.Totals()
	if want.RxFrames != want.RxHost+want.RxFiltered+want.RxBadCRC+want.RxShort+want.RxLong+want.RxMissed+want.RxNoDescriptor+want.RxDisabled+want.RxFault {
		r.t.Errorf("the account does not add up: %+v", want)
	}
}

func TestReceiveErrors(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		tagged := frame(1518, 1)
		copy(tagged[12:], []byte{0x81, 0x00})
		for _, c := range []struct {
			what    string
			f       wire.Frame
			sbp     bool
			host    int
			counter uint32
		}{
			{"good", wire.Frame{Data: frame(60, 0)}, false, 1, chip.GPRC},
			{"longest", wire.Frame{Data: frame(1514, 0)}, false, 1, chip.GPRC},
			{"longest with a tag", wire.Frame{Data: tagged}, false, 1, chip.GPRC},
			{"too long", wire.Frame{Data: frame(1515, 0)}, false, 0, chip.ROC},
			{"too long with a tag", wire.Frame{Data: append(tagged[:1518:1518], 0)}, false, 0, chip.ROC},
			{"jabber", wire.Frame{Data: frame(1515, 0), Bad: true}, false, 0, chip.RJC},
			{"short", wire.Frame{Data: frame(59, 0)}, false, 0, chip.RUC},
			{"fragment", wire.Frame{Data: frame(59, 0), Bad: true}, false, 0, chip.RFC},
			{"nothing", wire.Frame{}, false, 0, chip.TPR},
			{"bad CRC", wire.Frame{Data: frame(60, 0), Bad: true}, false, 0, chip.CRCERRS},
			{"bad CRC stored", wire.Frame{Data: frame(60, 0), Bad: true}, true, 1, chip.CRCERRS},
			{"short although stored", wire.Frame{Data: frame(59, 0)}, true, 0, chip.RUC},
		} {
			r.reg.Clear(chip.FCTRL, chip.FctrlSBP)
			if c.sbp {
				r.reg.Set(chip.FCTRL, chip.FctrlSBP)
			}
			before := r.reg.Read32(c.counter)
			if !polled {
				before = 0
			}
			r.port.in = append(r.port.in, c.f)
			r.step(16)
			got := rx.take()
			if len(got) != c.host {
				t.Errorf("%s: %d frames in host memory, want %d", c.what, len(got), c.host)
			}
			if c.host == 1 && len(got) == 1 && c.f.Bad != (got[0].w1&chip.RxRXE != 0) {
				t.Errorf("%s: status %#x", c.what, got[0].w1)
			}
			if n := r.reg.Read32(c.counter) - before; n != 1 {
				t.Errorf("%s: %s counts %d", c.what, Event{Off: c.counter}, n)
			}
		}
		r.clean()
	})
}

func TestKeepCRC(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.reg.Clear(chip.HLREG0, chip.Hlreg0RXCRCSTRP)
		r.reg.Clear(chip.RDRXCTL, chip.RdrxctlCRCSTRIP)
		rx := r.rx(0, 64, 1, 0)
		for _, size := range []int{60, 1020, 1021, 1024} {
			f := frame(size, 7)
			r.port.push(f)
			r.step(16)
			got := rx.take()
			if len(got) != 1 || !bytes.Equal(got[0].data, binary.LittleEndian.AppendUint32(bytes.Clone(f), crc32.ChecksumIEEE(f))) {
				t.Fatalf("%d bytes: not the frame with its CRC", size)
			}
		}
		r.clean()
	})
}

func TestLegacyDescriptor(t *testing.T) {
	r := newRig(t, false)
	r.start()
	rx := r.rx(0, 64, 2, 0)
	r.reg.Clear(chip.SRRCTL(0), chip.SrrctlDESCTYPE)
	r.port.push(frame(100, 1))
	r.step(1)
	if d := asDescriptors(rx.ring.Bytes)[0]; d.lo != rx.bufs[0].IOVA || d.hi != 100|3<<32 {
		t.Errorf("write-back %#x", d)
	}
}

// Frames for which there is no descriptor wait on the wire, in the card's packet buffer, or are lost,
// each by its rule.
func TestNoDescriptors(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, c := range []struct {
			lossy bool
			drop  uint32
		}{{false, 0}, {false, chip.SrrctlDropEN}, {true, 0}, {true, chip.SrrctlDropEN}} {
			r := newRig(t, polled, func(cfg *Config) { cfg.Wire.(*port).lossy = c.lossy })
			r.start()
			rx := r.rx(0, 32, 2, c.drop)
			const n = 2000 // more than the packet buffer holds
			for i := range n {
				r.port.push(frame(1000, i))
			}
			for range 20 {
				r.step(256)
			}
			if d := rx.size - 1; int(r.reg.Read32(chip.RDH(0))) != d {
				t.Fatalf("%+v: RDH is not at the tail", c)
			}
			switch {
			case !c.lossy:
				if len(r.port.in) != n-31 {
					t.Errorf("%+v: %d frames are left on the wire, want %d", c, len(r.port.in), n-31)
				}
			case len(r.port.in) != 0:
				t.Errorf("%+v: %d frames wait on a wire that does not wait", c, len(r.port.in))
			}
			seen, next := 0, -1
			for range 5000 {
				for _, g := range rx.take() {
					seq := int(binary.BigEndian.Uint32(g.data[14:]))
					if seq <= next {
						t.Fatalf("%+v: frame %d after %d", c, seq, next)
					}
					next = seq
					seen++
				}
				r.step(256)
			}
			missed, dropped := int(r.reg.Read32(chip.MPC(0))), int(r.reg.Read32(chip.QPRDC(0)))
			if seen+missed+dropped != n {
				t.Errorf("%+v: received %d, missed %d, dropped %d: not %d", c, seen, missed, dropped, n)
			}
			if want := c.lossy && c.drop == 0; (missed > 0) != want {
				t.Errorf("%+v: missed %d", c, missed)
			}
			if c.lossy && c.drop == 0 && (seen < 400 || seen > 700) {
				t.Errorf("%+v: the packet buffer held %d frames of 1000 bytes, not some 512 KiB", c, seen)
			}
			if !c.lossy && seen != n {
				t.Errorf("%+v: lost frames on a wire that waits", c)
			}
			r.clean()
		}
	})
}

// A frame that needs more descriptors than are free must not be lost, nor may the wire's memory be kept.
func TestWaitingFrameSurvivesSend(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.reg.Write32(chip.MAXFRS, 9018<<chip.MaxfrsMFSShift)
		r.reg.Set(chip.HLREG0, chip.Hlreg0JUMBOEN)
		rx, tx := r.rx(0, 8, 2, 0), r.tx(0, 64)
		a, b, c := frame(9000, 1), frame(9000, 2), frame(60, 3)
		r.port.push(a, b, c)
		tx.send(frame(60, 9))
		tx.kick()
		var got []got
		for range 8 {
			r.step(16)
			got = append(got, rx.take()...)
		}
		if len(got) != 3 || !bytes.Equal(got[0].data, a) || !bytes.Equal(got[1].data, b) || !bytes.Equal(got[2].data, c) {
			t.Fatalf("%d frames arrived whole, want 3", len(got))
		}
		r.clean()
	})
}

// Frames that wait in the packet buffer are gone after a reset, and counted.
func TestResetDropsWaiting(t *testing.T) {
	r := newRig(t, false, func(c *Config) { c.Wire.(*port).lossy = true })
	r.start()
	r.rx(0, 8, 2, 0)
	for i := range 20 {
		r.port.push(frame(60, i))
	}
	r.step(64)
	r.start()
	rx := r.rx(0, 32, 2, 0)
	r.port.push(frame(60, 99))
	r.step(64)
	if got := rx.take(); len(got) != 1 || !bytes.Equal(got[0].data, frame(60, 99)) || r.card.Totals().RxDisabled != 13 {
		t.Errorf("received %d, %+v", len(got), r.card.Totals())
	}
	r.clean()
}

func TestReceiverOff(t *testing.T) {
	r := newRig(t, false, func(c *Config) { c.Wire.(*port).lossy = true })
	r.start()
	rx := r.rx(0, 32, 2, 0)
	r.reg.Clear(chip.RXCTRL, chip.RxctrlRXEN)
	r.port.push(frame(60, 1), frame(60, 2))
	r.step(16)
	r.reg.Set(chip.RXCTRL, chip.RxctrlRXEN)
	r.port.push(frame(60, 3))
	r.step(16)
	if got := rx.take(); len(got) != 1 || r.card.Totals().RxDisabled != 2 {
		t.Errorf("received %d, %+v", len(got), r.card.Totals())
	}
	r.reg.Clear(chip.RXDCTL(0), chip.RxdctlENABLE)
	r.port.push(frame(60, 4))
	r.step(16)
	if got := rx.take(); len(got) != 0 || r.card.Totals().RxDisabled != 3 {
		t.Errorf("queue off: received %d, %+v", len(got), r.card.Totals())
	}
	r.clean()
}

func TestStrayDMA(t *testing.T) {
	r := newRig(t, false)
	r.start()
	rx, tx := r.rx(0, 32, 2, 0), r.tx(0, 32)
	binary.LittleEndian.PutUint64(rx.ring.Bytes[16:], 0x1234)
	r.port.push(frame(60, 1), frame(60, 2), frame(60, 3))
	r.step(16)
	if got := rx.take(); len(got) != 1 {
		t.Errorf("received %d frames, want the one before the bad address", len(got))
	}
	tx.send(frame(60, 1))
	tx.raw(1<<40, txPlain|chip.TxDCMDEOP|60|60<<chip.TxPaylenShift)
	tx.send(frame(60, 3))
	tx.kick()
	for range 5 {
		r.step(16)
	}
	if len(r.port.out) != 1 {
		t.Errorf("sent %d frames, want the one before the bad address", len(r.port.out))
	}
	f := r.space.Faults()
	if len(f) != 2 || f[0].IOVA != 0x1234 || !f[0].Write || f[1].IOVA != 1<<40 || f[1].Write {
		t.Errorf("faults: %v", f)
	}
	// Enabled anew, the queues go on.
	binary.LittleEndian.PutUint64(rx.ring.Bytes[16:], rx.bufs[1].IOVA)
	for _, off := range []uint32{chip.RXDCTL(0), chip.TXDCTL(0)} {
		r.reg.Clear(off, enable)
		r.reg.Set(off, enable)
	}
	r.port.push(frame(60, 4))
	r.step(16)
	if got := rx.take(); len(got) == 0 {
		t.Error("the queue does not go on")
	}
	// Freed memory is not reached any more.
	r.space.Free(rx.ring)
	r.port.push(frame(60, 5))
	before := r.space.Count()
	r.step(16)
	if r.space.Count() == before {
		t.Error("no fault for a ring that was freed")
	}
}
