package e1000_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"glassnic/chip"
	facts "glassnic/chip/e1000"
	"glassnic/nic"
)

// An LED does what it is told and no other changes; Close leaves them as they were.
func TestLEDs(t *testing.T) {
	const before = 0x07068302
	for device, leds := range map[uint16]int{0x100e: 4, 0x10d3: 3, 0x10c9: 4} {
		c := newCard(device)
		r := open(t, c, small)
		c.regs[facts.LEDCTL] = before
		if r.dev.LEDs() != leds {
			t.Fatalf("%04x: %d LEDs, want %d", device, r.dev.LEDs(), leds)
		}
		for led := range leds {
			shift := 8 * led
			for _, s := range []struct {
				state nic.LEDState
				want  uint32 // of mode and blink, in the lowest byte
			}{{nic.LEDOn, 0xe}, {nic.LEDOff, 0xf}, {nic.LEDBlink, 0x8e}, {nic.LEDOn, 0xe}, {nic.LEDAuto, before >> shift & 0x8f}} {
				if err := r.dev.SetLED(led, s.state); err != nil {
					t.Fatal(err)
				}
				want := uint32(before)&^(0x8f<<shift) | s.want<<shift
				if got := c.regs[facts.LEDCTL]; got != want {
					t.Errorf("%04x: LED %d in state %d: %#x, want %#x", device, led, s.state, got, want)
				}
			}
		}
		for _, bad := range []struct {
			led   int
			state nic.LEDState
			want  string
		}{{-1, nic.LEDOn, "LED -1"}, {leds, nic.LEDOn, "want 0 to"}, {0, nic.LEDBlink + 1, "state 4"}} {
			if err := r.dev.SetLED(bad.led, bad.state); err == nil || !strings.Contains(err.Error(), "e1000 test:card: set LED: ") || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("SetLED(%d, %d): %v", bad.led, bad.state, err)
			}
		}
		var last uint32
		c.onAccess = func(e event) {
			if e.write && e.off == facts.LEDCTL {
				last = e.value
			}
		}
		if err := r.dev.SetLED(0, nic.LEDBlink); err != nil {
			t.Fatal(err)
		}
		if err := r.dev.Close(); err != nil || last != before {
			t.Errorf("%04x: LEDCTL %#x at Close, %v", device, last, err)
		}
	}
}

func TestLink(t *testing.T) {
	for status, want := range map[uint32]nic.Link{
		0x2: {Up: true, Speed: 10}, 0x42: {Up: true, Speed: 100}, 0x82: {Up: true, Speed: 1000}, 0xc3: {Up: true, Speed: 1000},
		0x80: {}, 0: {},
	} {
		c := newCard(0x10d3)
		r := open(t, c, small)
		c.status = &status
		if l, err := r.dev.Link(); err != nil || l != want {
			t.Errorf("STATUS %#x: %+v, %v, want %+v", status, l, err, want)
		}
		c.status = nil
	}
}

// Frames for others come in only where that is asked for.
func TestFilters(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		to := func(a string) []byte {
			mac, err := net.ParseMAC(a)
			if err != nil {
				t.Fatal(err)
			}
			f := frame(60, 0)
			copy(f, mac)
			return f
		}
		const own, other, broadcast = "52:54:00:12:34:56", "52:54:00:12:34:57", "ff:ff:ff:ff:ff:ff"
		const group, group2 = "01:00:5e:00:00:fb", "33:33:00:00:00:01"
		check := func(what string, want ...string) {
			t.Helper()
			var frames [][]byte
			for _, a := range []string{own, other, broadcast, group, group2} {
				r.put(to(a))
			}
			for _, a := range want {
				frames = append(frames, to(a))
			}
			r.step()
			same(t, what, r.receive(0, 8), frames)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check("at first", own, broadcast)
		must(r.dev.SetPromiscuous(true))
		check("promiscuous", own, other, broadcast, group, group2)
		must(r.dev.SetPromiscuous(false))
		must(r.dev.SetAllMulticast(true))
		check("all multicast", own, broadcast, group, group2)
		must(r.dev.SetAllMulticast(false))
		g, _ := net.ParseMAC(group)
		must(r.dev.SetMulticast([]net.HardwareAddr{g}))
		check("one group", own, broadcast, group)
		must(r.dev.SetMulticast(nil))
		check("no group", own, broadcast)
		o, _ := net.ParseMAC(other)
		must(r.dev.SetMAC(o))
		check("another address", other, broadcast)
		if mac := r.dev.Info().MAC.String(); mac != other {
			t.Errorf("MAC %s", mac)
		}
		if err := r.dev.SetMulticast([]net.HardwareAddr{o}); err == nil {
			t.Error("a unicast address in the multicast list")
		}
		for _, bad := range []net.HardwareAddr{nil, g, make(net.HardwareAddr, 6), make(net.HardwareAddr, 8)} {
			if err := r.dev.SetMAC(bad); err == nil {
				t.Errorf("address %v", bad)
			}
		}
	})
}

// A card without an address gets one that is locally administered.
func TestNoAddress(t *testing.T) {
	c := newCard(0x10d3)
	c.onAccess = func(e event) {
		if !e.write && e.off == facts.RAL(0) {
			c.regs[facts.RAL(0)], c.regs[facts.RAH(0)] = 0, 0
		}
	}
	r := open(t, c, small)
	if mac := r.dev.Info().MAC; len(mac) != 6 || mac[0]&3 != 2 {
		t.Errorf("MAC %v", mac)
	}
	if c.regs[facts.RAH(0)]>>31 == 0 {
		t.Error("the card does not know")
	}
}

// The redirection table leads to all queues in equal parts, the 82575's in its upper bits; one queue needs none.
func TestRSS(t *testing.T) {
	for device, shift := range map[uint16]int{0x10c9: 0, 0x10a7: 6} {
		for queues := 1; queues <= 4; queues++ {
			c := newCard(device)
			open(t, c, nic.Config{RxQueues: queues, RxRing: 64, TxRing: 64})
			if queues == 1 {
				if c.regs[facts.MRQC] != 0 {
					t.Errorf("%04x: MRQC %#x with one queue", device, c.regs[facts.MRQC])
				}
				continue
			}
			uses := make([]int, queues)
			for i := range 128 {
				b := c.regs[facts.RETA(i/4)] >> (8 * (i % 4)) & 0xff
				if int(b>>shift) >= queues || b&(1<<shift-1) != 0 {
					t.Fatalf("%04x: entry %d is %#x", device, i, b)
				}
				uses[b>>shift]++
			}
			for q, n := range uses {
				if n < 128/queues || n > 128/queues+1 {
					t.Errorf("%04x: queue %d of %d has %d entries", device, q, queues, n)
				}
			}
			if c.regs[facts.RSSRK(0)] != 0x5a6d5a6d || c.regs[facts.RXCSUM]&(1<<13) == 0 {
				t.Errorf("%04x: key %#x, RXCSUM %#x", device, c.regs[facts.RSSRK(0)], c.regs[facts.RXCSUM])
			}
		}
	}
}

// Key, table and protocols of the hash are those that were set; cards with one queue have no hash.
func TestSetHash(t *testing.T) {
	for device, shift := range map[uint16]int{0x10c9: 0, 0x10a7: 6} {
		c := newCard(device)
		d := open(t, c, nic.Config{RxQueues: 2, RxRing: 64, TxRing: 64}).dev
		if d.Hash() != nic.DefaultHashing(2) || d.Hashable() != nic.HashAll {
			t.Errorf("%04x: as opened %v of %v", device, d.Hash().Protocols, d.Hashable())
		}
		h := nic.Hashing{Key: nic.VerificationKey, Protocols: nic.HashTCP4 | nic.HashUDP6}
		h.Table[5] = 1
		if err := d.SetHash(h); err != nil || d.Hash() != h {
			t.Fatal(err)
		}
		if c.regs[facts.MRQC] != 2|1<<16|1<<23 || c.regs[facts.RSSRK(9)] != 0xfa01acbe {
			t.Errorf("%04x: MRQC %#x, last of the key %#x", device, c.regs[facts.MRQC], c.regs[facts.RSSRK(9)])
		}
		for i := range 32 {
			want := uint32(0)
			if i == 1 {
				want = 1 << (8 + shift)
			}
			if got := c.regs[facts.RETA(i)]; got != want {
				t.Errorf("%04x: RETA[%d] %#x, want %#x", device, i, got, want)
			}
		}
		h.Table[0] = 2
		if err := d.SetHash(h); err == nil || !strings.Contains(err.Error(), "queue 2 in entry 0") {
			t.Error(err)
		}
	}
	d := open(t, newCard(0x10d3), small).dev
	if err := d.SetHash(nic.DefaultHashing(1)); d.Hashable() != 0 || err == nil || !strings.Contains(err.Error(), "no hash") {
		t.Error(err)
	}
}

// A dump decodes registers and changes none.
func TestRegisters(t *testing.T) {
	for _, device := range []uint16{0x100e, 0x10d3, 0x10c9, 0x1533, 0x10a7} {
		c := newCard(device)
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 128, Room: 4096})
		r.send(0, frame(60, 0), 60)
		r.step()
		c.trace = nil
		regs, err := r.dev.Registers()
		if err != nil {
			t.Fatal(err)
		}
		table := c.model.Registers()
		for _, e := range c.trace {
			row, _ := table.Find(e.off)
			switch {
			case e.write:
				t.Errorf("a dump writes %s", c.label(e.off))
			case row == nil:
				t.Errorf("a dump reads %#x, where no register is", e.off)
			case row.Access == chip.RC || row.Access == chip.RCW || row.Access == chip.WO || e.off == facts.SWSM:
				t.Errorf("a dump reads %s, which is %v", row.Name, row.Access)
			}
		}
		byName := map[string]nic.Register{}
		for _, reg := range regs {
			if _, twice := byName[reg.Name]; twice || reg.Section == "" || reg.Doc == "" {
				t.Errorf("%+v twice, or without section or description", reg)
			}
			byName[reg.Name] = reg
		}
		want := map[string]uint32{
			"RDLEN[0].LEN": 64 * 16, "TDLEN[0].LEN": 128 * 16, "TDT[0].TDT": 1, "TDH[0].TDH": 1, "RCTL.EN": 1, "RCTL.SECRC": 1,
			"TCTL.CT": 15, "CTRL.SLU": 1, "STATUS.LU": 1, "RAH[0].AV": 1,
		}
		switch c.Kind {
		case facts.Advanced:
			want["SRRCTL[0].BSIZEPACKET"], want["RXDCTL[0].ENABLE"], want["RXDCTL[1].ENABLE"] = 4, 1, 0
		case facts.Extended:
			want["RFCTL.EXSTEN"], want["RCTL.BSIZE"], want["RCTL.BSEX"] = 1, 3, 1
		}
		for name, v := range want {
			label, field, _ := strings.Cut(name, ".")
			found := false
			for _, f := range byName[label].Fields {
				if f.Name == field {
					found = true
					if f.Value != v {
						t.Errorf("%04x: %s is %d, want %d", device, name, f.Value, v)
					}
				}
			}
			if !found {
				t.Errorf("%04x: no %s", device, name)
			}
		}
		if n := r.stats().TxPackets; n != 1 {
			t.Errorf("a dump took the counters along: %d frames sent, want 1", n)
		}
	}
}

func TestInfo(t *testing.T) {
	c := newCard(0x10c9)
	r := open(t, c, nic.Config{RxQueues: 3, TxQueues: 5, RxRing: 64, TxRing: 128, MTU: 4000, Port: 9})
	got := r.dev.Info()
	if got.Driver != "e1000" || got.Address != "test:card" || got.Card != "82576 Gigabit Network Connection" || got.MAC.String() != "52:54:00:12:34:56" ||
		got.NUMANode != -1 || got.RxQueues != 3 || got.TxQueues != 5 || got.RxRing != 64 || got.TxRing != 128 ||
		got.MTU != 4000 || got.Port != 9 || got.Domain != c.space.Domain() || got.Pool == nil || got.Pool.Domain() != got.Domain {
		t.Errorf("%+v", got)
	}
}

// The port receives the VLANs that it was told, and frames without a tag.
func TestVLANs(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		var r *rig
		hears := func(what string, want ...int) {
			t.Helper()
			var frames [][]byte
			for _, id := range []int{-1, 0, 5, 6, 4094} {
				f := frame(60, 7)
				if id >= 0 {
					copy(f[12:], []byte{0x81, 0, 0x60 | byte(id>>8), byte(id)})
				}
				r.put(f)
				if slices.Contains(want, id) {
					frames = append(frames, f)
				}
			}
			r.step()
			same(t, what, r.receive(0, 8), frames)
		}
		cfg := small
		cfg.VLANs = []uint16{5, 4094}
		r = open(t, c, cfg)
		hears("as opened", -1, 5, 4094)
		if err := r.dev.SetVLANs([]uint16{0, 6}); err != nil {
			t.Fatal(err)
		}
		hears("others", -1, 0, 6)
		if err := r.dev.SetVLANs(nil); err != nil {
			t.Fatal(err)
		}
		hears("none", -1)
		if err := r.dev.SetVLANs([]uint16{4095}); err == nil || !strings.Contains(err.Error(), "VLAN 4095: want 0 to 4094") {
			t.Error(err)
		}
	})
	r := open(t, newCard(0x10d3), small)
	if err := r.dev.SetVLANs([]uint16{1}); err == nil || !strings.Contains(err.Error(), "opened without a list of VLANs") {
		t.Error(err)
	}
}
