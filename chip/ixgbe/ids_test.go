package ixgbe

import "testing"

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		vendor, device uint16
		model          Model
		ok             bool
	}{
		{0x8086, 0x10FB, M82599, true},
		{0x8086, 0x154D, M82599, true},
		{0x8086, 0x1528, MX540, true},
		{0x8086, 0x1563, MX550, true},
		{0x8086, 0x15AC, MX550EMx, true},
		{0x8086, 0x15E5, MX550EMa, true},
		{0x8086, 0x10ED, 0, false}, // virtual function of the 82599
		{0x8086, 0x10C6, 0, false}, // 82598
		{0x8086, 0x1572, 0, false}, // X710
		{0x1AF4, 0x10FB, 0, false},
	} {
		name, model, ok := Lookup(c.vendor, c.device)
		if ok != c.ok || model != c.model || (name != "") != c.ok {
			t.Errorf("Lookup(%04x, %04x) = %q, %v, %v", c.vendor, c.device, name, model, ok)
		}
	}
}

func TestDevices(t *testing.T) {
	for i, d := range Devices {
		if i > 0 && d.ID <= Devices[i-1].ID {
			t.Errorf("%04x is out of order", d.ID)
		}
		if d.Name == "" || int(d.Model) >= len(modelNames) || d.Media > CX4 {
			t.Errorf("%04x: %+v", d.ID, d)
		}
		if got, ok := LookupDevice(VendorIntel, d.ID); !ok || got != d {
			t.Errorf("LookupDevice(%04x) = %+v, %v", d.ID, got, ok)
		}
	}
}

func TestFacts(t *testing.T) {
	for _, m := range allModels {
		f := m.Facts()
		if uint32(f.RxBufferKiB)<<RxpbsizeSIZEShift > RxpbsizeMax || uint32(f.TxBufferKiB)<<TxpbsizeSIZEShift > TxpbsizeMax {
			t.Errorf("%v: packet buffers %+v", m, f)
		}
		regs := 32
		if off, ok := m.Registers().Offset("ERETA", 95); ok && off == ERETA(95) {
			regs += 96
		}
		if f.RETAEntries != 4*regs {
			t.Errorf("%v: %d RETA entries, the registers have %d", m, f.RETAEntries, 4*regs)
		}
	}
	if Model(99).String() != "unknown" || MX540.String() != "X540" {
		t.Error("model names")
	}
}
