package ixgbe_test

import (
	"testing"

	"glassnic/chip"
	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

func TestRegisters(t *testing.T) {
	var read []model.Event
	s, w := card(t, model.Config{Trace: func(e model.Event) { read = append(read, e) }})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxRing: 64, TxRing: 128, Room: 4096})}
	r.send(frame(60, 0), 60)
	r.step()
	read = nil
	regs, err := r.dev.Registers()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range read {
		row, _ := facts.Registers.Find(e.Off)
		switch {
		case e.Write:
			t.Errorf("a dump does %v", e)
		case row == nil:
			t.Errorf("a dump reads %#x, where no register is", e.Off)
		case row.Access == chip.RC || row.Access == chip.RCW || row.Access == chip.WO:
			t.Errorf("a dump reads %s, which is %v", row.Name, row.Access)
		case e.Off == facts.EICR || e.Off == facts.SWSM || e.Off == facts.RXSTMPH || e.Off == facts.TXSTMPH:
			t.Errorf("a dump reads %s, which changes it", row.Name)
		}
	}
	byName := map[string]nic.Register{}
	for _, reg := range regs {
		if _, twice := byName[reg.Name]; twice || reg.Section == "" || reg.Doc == "" {
			t.Errorf("%+v twice, or without section or description", reg)
		}
		byName[reg.Name] = reg
	}
	for _, c := range []struct {
		name, field string
		want        uint32
	}{
		{"RDLEN[0]", "LEN", 64 * 16},
		{"TDLEN[0]", "LEN", 128 * 16},
		{"SRRCTL[0]", "BSIZEPACKET", 4},
		{"SRRCTL[0]", "DROP_EN", 1},
		{"RXDCTL[0]", "ENABLE", 1},
		{"RXDCTL[1]", "ENABLE", 0},
		{"TDT[0]", "TDT", 1},
		{"TDH[0]", "TDH", 1},
		{"RDT[127]", "RDT", 0},
		{"RXCTRL", "RXEN", 1},
		{"LEDCTL", "LED1_MODE", 1},
		{"LINKS", "UP", 1},
	} {
		reg, ok := byName[c.name]
		got, found := uint32(0), false
		for _, f := range reg.Fields {
			if f.Name == c.field {
				got, found = f.Value, true
			}
		}
		if !ok || !found || got != c.want {
			t.Errorf("%s.%s is %d (register %v, field %v), want %d", c.name, c.field, got, ok, found, c.want)
		}
	}
	if at := byName["RDT[127]"].Offset; at != facts.RDT(127) {
		t.Errorf("RDT[127] at %#x", at)
	}
	if n := r.stats().TxPackets; n != 1 {
		t.Errorf("a dump took the counters along: %d frames sent, want 1", n)
	}
}

// A relative of the 82599 shows what it has.
func TestRegistersOfModels(t *testing.T) {
	for _, c := range []struct {
		device uint16
		name   string
		want   bool
	}{{0x10fb, "ERETA[0]", false}, {0x1528, "MACC", true}, {0x1528, "ERETA[0]", false}, {0x1563, "ERETA[95]", true}, {0x15c8, "FWSM_X550EMA", true}, {0x15c8, "SWSM_X550EMA", false}} {
		b := newBlank()
		b.device = c.device
		d, err := ixgbe.Prepare(b, nic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		regs, err := d.Registers()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, r := range regs {
			found = found || r.Name == c.name
		}
		if found != c.want {
			t.Errorf("device %04x shows %s: %v", c.device, c.name, found)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInfo(t *testing.T) {
	r := open(t, nic.Config{RxQueues: 3, TxQueues: 5, RxRing: 64, TxRing: 128, MTU: 4000, Port: 9})
	got := r.dev.Info()
	if got.Driver != "ixgbe" || got.Address != "sim:test" || got.Card != "82599ES 10-Gigabit SFI/SFP+ Network Connection" ||
		got.NUMANode != -1 || got.RxQueues != 3 || got.TxQueues != 5 || got.RxRing != 64 || got.TxRing != 128 ||
		got.MTU != 4000 || got.Port != 9 || got.Domain != r.sim.Space.Domain() || got.Pool == nil || got.Pool.Domain() != got.Domain {
		t.Errorf("%+v", got)
	}
	if _, ok := nic.Device(r.dev).(nic.LEDs); !ok {
		t.Error("no LEDs")
	}
	if _, ok := nic.Device(r.dev).(nic.Registers); !ok {
		t.Error("no register dump")
	}
	if _, ok := nic.Device(r.dev).(nic.Multicaster); !ok {
		t.Error("no multicast list")
	}
	if _, ok := nic.Device(r.dev).(nic.MACSetter); !ok {
		t.Error("no MAC setter")
	}
}
