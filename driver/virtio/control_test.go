package virtio_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"glassnic/nic"
)

// controlled returns a modern and a legacy card with control queues, the latter also without ANY_LAYOUT.
func controlled() map[string]*card {
	const offered = fCtrl | fCtrlRx | fCtrlMAC
	m, e, l, o, p := newCard(), newCard(), legacyCard(), legacyCard(), packedCard()
	p.offered |= offered
	m.offered |= offered
	e.offered |= offered | fEventIdx
	l.offered |= offered
	o.offered = o.offered&^fAnyLayout | offered
	return map[string]*card{"modern": m, "event index": e, "legacy": l, "legacy, no layout": o, "packed": p}
}

// Settings go to the device as commands.
func TestCommands(t *testing.T) {
	for name, c := range controlled() {
		t.Run(name, func(t *testing.T) {
			r := open(t, c, nic.Config{Buffers: 1280, Promiscuous: true})
			group := net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}
			mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
			for _, err := range []error{
				r.dev.SetPromiscuous(false), r.dev.SetPromiscuous(true), r.dev.SetAllMulticast(true), r.dev.SetAllMulticast(false),
				r.dev.SetMulticast([]net.HardwareAddr{group, {0x33, 0x33, 0, 0, 0, 1}}), r.dev.SetMulticast(nil), r.dev.SetMAC(mac),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			want := []string{
				"0/0 01", "0/1 00", "1/0 00 00 00 00 00 00 00 00", // the start's
				"0/0 00", "0/0 01", "0/1 01", "0/1 00",
				"1/0 00 00 00 00 02 00 00 00 01 00 5e 00 00 01 33 33 00 00 00 01", "1/0 00 00 00 00 00 00 00 00",
				"1/1 02 00 00 00 00 09",
			}
			if !slices.Equal(c.commands, want) {
				t.Errorf("%q\nwant %q", c.commands, want)
			}
			if got := r.dev.Info().MAC.String(); got != mac.String() {
				t.Errorf("address %s", got)
			}
			// More commands than the ring has entries.
			for range 600 {
				if err := r.dev.SetPromiscuous(true); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What the device does not understand is refused by the feature's name, and so are arguments that make no sense.
func TestCommandsRefused(t *testing.T) {
	c := newCard()
	r := open(t, c, small)
	group, mac := net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for _, f := range []struct {
		err  error
		want string
	}{
		{r.dev.SetPromiscuous(true), "VIRTIO_NET_F_CTRL_RX"},
		{r.dev.SetAllMulticast(true), "VIRTIO_NET_F_CTRL_RX"},
		{r.dev.SetMulticast(nil), "VIRTIO_NET_F_CTRL_RX"},
		{r.dev.SetMAC(mac), "VIRTIO_NET_F_CTRL_MAC_ADDR"},
		{r.dev.SetMAC(group), "unicast"},
		{r.dev.SetMAC(nil), "unicast"},
		{r.dev.SetMulticast([]net.HardwareAddr{mac}), "multicast"},
	} {
		if f.err == nil || !strings.Contains(f.err.Error(), f.want) {
			t.Errorf("%v lacks %s", f.err, f.want)
		}
	}
	if i := r.dev.Info(); i.MAC.String() != "52:54:00:12:34:56" {
		t.Error(i.MAC)
	}
}

// The address of a legacy device is changed by writing it.
func TestLegacyMAC(t *testing.T) {
	c := legacyCard()
	r := open(t, c, nic.Config{Buffers: 1280})
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	if err := r.dev.SetMAC(mac); err != nil || string(c.own[:6]) != string(mac) {
		t.Errorf("%v, % x", err, c.own[:6])
	}
}

// A device that answers no command, or refuses it, is told; it is not asked again where its answer may still come.
func TestCommandsFail(t *testing.T) {
	shorten(t, time.Millisecond, "command")
	c := newCard()
	c.offered |= fCtrl | fCtrlRx
	r := open(t, c, small)
	c.answer = 1
	if err := r.dev.SetPromiscuous(true); err == nil || !strings.Contains(err.Error(), "refuses") {
		t.Error(err)
	}
	c.answer = 0
	if err := r.dev.SetPromiscuous(true); err != nil {
		t.Error(err)
	}
	groups := make([]net.HardwareAddr, 700)
	for i := range groups {
		groups[i] = net.HardwareAddr{1, 0, 0, 0, byte(i >> 8), byte(i)}
	}
	if err := r.dev.SetMulticast(groups); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
	if err := r.dev.SetMulticast(groups[:600]); err != nil {
		t.Error(err)
	}
	c.mute = true
	if err := r.dev.SetPromiscuous(true); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
	n := len(c.commands)
	c.mute = false
	if err := r.dev.SetPromiscuous(true); err == nil || !strings.Contains(err.Error(), "dead") || len(c.commands) != n {
		t.Error(err)
	}
}

// Each pair of queues works by itself, after the device was told how many there are.
func TestMultiqueue(t *testing.T) {
	for _, queues := range []struct{ rx, tx, has int }{{2, 2, 2}, {3, 3, 4}, {4, 1, 4}} {
		c := newCard()
		c.offered |= fCtrl | fMQ
		c.setPairs(queues.has)
		r := open(t, c, nic.Config{RxQueues: queues.rx, TxQueues: queues.tx, RxRing: 256, TxRing: 256, Buffers: 4096})
		if i := r.dev.Info(); i.RxQueues != queues.rx || i.TxQueues != queues.tx || c.active != queues.rx {
			t.Errorf("%+v, %d in use", i, c.active)
		}
		c.queue = func(f []byte) int { return int(f[len(f)-1]) }
		want := make([][][]byte, queues.rx)
		for i := range 300 {
			f := frame(100, byte(i))
			q := int(f[99]) % queues.rx
			want[q] = append(want[q], f)
			r.put(f)
			if i%40 == 39 {
				r.step()
			}
		}
		r.step()
		for q := range want {
			same(t, "received", r.receive(q, 16), want[q])
		}
		for q := range queues.tx {
			for i := range 200 {
				r.send(q, frame(60+q, byte(i)), 2048)
			}
		}
		r.step()
		if len(c.out) != 200*queues.tx {
			t.Errorf("%d sent", len(c.out))
		}
	}
}

// The device filters VLANs where the settings name some, and only there.
func TestVLANs(t *testing.T) {
	for name, c := range controlled() {
		t.Run(name, func(t *testing.T) {
			c.offered |= fCtrlVLAN
			r := open(t, c, nic.Config{Buffers: 1280, VLANs: []uint16{5, 4094}})
			if err := r.dev.SetVLANs([]uint16{4094, 0x102}); err != nil {
				t.Error(err)
			}
			if err := r.dev.SetVLANs(nil); err != nil {
				t.Error(err)
			}
			var got []string
			for _, cmd := range c.commands {
				if strings.HasPrefix(cmd, "2/") {
					got = append(got, cmd)
				}
			}
			want := []string{"2/0 05 00", "2/0 fe 0f", "2/0 02 01", "2/1 05 00", "2/1 02 01", "2/1 fe 0f"}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if err := r.dev.SetVLANs([]uint16{4095}); err == nil || !strings.Contains(err.Error(), "VLAN 4095: want 0 to 4094") {
				t.Error(err)
			}
		})
	}
	c := controlled()["modern"]
	c.offered |= fCtrlVLAN
	r := open(t, c, small)
	if err := r.dev.SetVLANs([]uint16{1}); err == nil || !strings.Contains(err.Error(), "opened without a list of VLANs") {
		t.Error(err)
	}
	if c.has(fCtrlVLAN) {
		t.Error("the device filters VLANs, and nobody asked for it")
	}
}
