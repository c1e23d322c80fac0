package ixgbe

import (
	"bytes"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// i2c drives the two lines as a master does.
type i2c struct{ r *rig }

func (m i2c) set(scl, sda bool) {
	v := uint32(0)
	if scl {
		v |= chip.I2cctlClk
	}
	if sda {
		v |= chip.I2cctlDataOut
	}
	m.r.reg.Write32(chip.I2CCTL, v)
}

func (m i2c) start() { m.set(true, true); m.set(true, false); m.set(false, false) }
func (m i2c) stop()  { m.set(false, false); m.set(true, false); m.set(true, true) }

// bit sends a bit, or lets one come, and returns what is on the line.
func (m i2c) bit(v bool) bool {
	m.set(false, v)
	m.set(true, v)
	seen := m.r.reg.Read32(chip.I2CCTL)&chip.I2cctlDataIn != 0
	m.set(false, v)
	return seen
}

// put sends a byte and tells whether somebody answers.
func (m i2c) put(v byte) bool {
	for i := 7; i >= 0; i-- {
		m.bit(v>>i&1 != 0)
	}
	return !m.bit(true)
}

func (m i2c) take(last bool) (v byte) {
	for range 8 {
		v <<= 1
		if m.bit(true) {
			v |= 1
		}
	}
	m.bit(last)
	return v
}

// A module is read by I2C, byte by byte or in a row, and nobody answers where there is none, or at another address.
func TestModule(t *testing.T) {
	r := newRig(t, false, func(c *Config) { c.Module = true })
	m := i2c{r}
	var got []byte
	for i := range 128 {
		m.start()
		if !m.put(0xA0) || !m.put(byte(i)) {
			t.Fatal("no answer")
		}
		m.start()
		if !m.put(0xA1) {
			t.Fatal("no answer")
		}
		got = append(got, m.take(true))
		m.stop()
	}
	m.start()
	m.put(0xA1) // goes on from there
	for i := range 128 {
		got = append(got, m.take(i == 127))
	}
	m.stop()
	if !bytes.Equal(got, moduleBytes[:]) {
		t.Errorf("% x", got)
	}
	m.start()
	if m.put(0xA2) {
		t.Error("an answer at another address")
	}
	m.stop()
	if r.reg.Read32(chip.ESDP)&chip.EsdpSDP2 == 0 || r.reg.Read32(chip.AUTOC)&chip.AutocLMS != chip.AutocLMS10GSerial {
		t.Error("no module, or no SFI")
	}
	none := i2c{newRig(t, false)}
	none.start()
	if none.put(0xA0) || none.r.reg.Read32(chip.ESDP)&chip.EsdpSDP2 != 0 {
		t.Error("an answer without a module")
	}
}

// Whatever is done to the lines, nothing breaks.
func FuzzModule(f *testing.F) {
	f.Add([]byte{0xe0, 0x31})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := i2cBus{scl: true, sda: true, present: true}
		for _, v := range data {
			for ; v != 0; v >>= 2 {
				b.drive(uint32(v&1)*chip.I2cctlClk | uint32(v>>1&1)*chip.I2cctlDataOut)
				b.lines(0)
			}
		}
	})
}
