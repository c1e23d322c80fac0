package e1000

import "testing"

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		vendor, device uint16
		model          Model
		ok             bool
	}{
		{0x8086, 0x100E, M8254x, true},
		{0x8086, 0x10D3, M82574, true},
		{0x8086, 0x150C, M82583, true},
		{0x8086, 0x10A7, M82575, true},
		{0x8086, 0x10C9, M82576, true},
		{0x8086, 0x1521, MI350, true},
		{0x8086, 0x1539, MI211, true},
		{0x8086, 0x10CA, 0, false}, // virtual function of the 82576
		{0x8086, 0x10E6, 0, false}, // 82576 with fiber
		{0x8086, 0x105E, 0, false}, // 82571
		{0x8086, 0x15B8, 0, false}, // I219
		{0x8086, 0x10FB, 0, false}, // 82599
		{0x1AF4, 0x10D3, 0, false},
	} {
		name, model, ok := Lookup(c.vendor, c.device)
		if ok != c.ok || model != c.model || (name != "") != c.ok {
			t.Errorf("Lookup(%04x, %04x) = %q, %v, %v", c.vendor, c.device, name, model, ok)
		}
	}
	for i, d := range Devices {
		if i > 0 && d.ID <= Devices[i-1].ID || d.Name == "" || int(d.Model) >= len(modelNames) {
			t.Errorf("%04x: %+v", d.ID, d)
		}
	}
}

func TestFacts(t *testing.T) {
	if len(models) != len(modelNames) {
		t.Fatalf("%d models, %d names", len(models), len(modelNames))
	}
	for _, m := range models {
		f := m.Facts()
		if f.Queues < 1 || f.Queues > 16 || f.LEDs < 3 || f.LEDs > 4 || f.MaxFrame < 9000 {
			t.Errorf("%v: %+v", m, f)
		}
		if (f.Vectors == 0) != (f.VectorsBy == NoIVAR) {
			t.Errorf("%v: %d vectors, given by %d", m, f.Vectors, f.VectorsBy)
		}
		// Each queue can have a vector of its own.
		if f.Vectors > 0 && f.Vectors < f.Queues {
			t.Errorf("%v: %d vectors for %d queues", m, f.Vectors, f.Queues)
		}
	}
	if (Model(99).Facts() != Facts{}) {
		t.Error("facts of a model that does not exist")
	}
}

func TestDescriptors(t *testing.T) {
	if RingMultiple*DescSize != RingAlign || RingMin%RingMultiple != 0 || RingMax%RingMultiple != 0 {
		t.Error("ring sizes are not multiples of 128 bytes")
	}
	if RDT(0) != 0x2818 || RDT(3) != 0x2B18 || RDT(4) != 0xC118 || TDT(15) != 0xE3D8 || RAL(15) != 0x5478 || RAH(16) != 0x54E4 {
		t.Error("offsets")
	}
	for name, fields := range map[string][]uint64{
		"rx":         {RxLenMask, RxDD, RxEOP, RxRXE},
		"rx, 8254x":  {RxLenMask, RxDD, RxEOP, RxRXE8},
		"tx":         {TxDTALENMask, TxDTYPAdvData, TxDCMDEOP, TxDCMDIFCS, TxDCMDRS, TxDCMDDEXT, TxDD, 0x3FFFF << TxPaylenShift},
		"tx, legacy": {TxDTALENMask, TxDTYPData, TxDCMDEOP, TxDCMDIFCS, TxDCMDRS, TxDCMDDEXT, TxDD},
	} {
		var used uint64
		for i, f := range fields {
			if f == 0 || used&f != 0 {
				t.Errorf("%s: field %d (%#x) is empty or overlaps", name, i, f)
			}
			used |= f
		}
	}
}
