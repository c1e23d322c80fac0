//go:build guest

package guest

import (
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"

	_ "glassnic/driver/afpacket"
	"glassnic/nic"
	"glassnic/packet"
)

const (
	vlanPeer = "203.0.113.1" // of the machine in VLAN 5
	stranger = 6             // a VLAN that the guest is not in, where there is traffic as well
)

// vlans has the kernel use a VLAN, whose tags the card puts in and takes out or the kernel does, with segments cut by the
// card or not. Frames of another VLAN are kept away by the card's table, or not.
func (j *judge) vlans(t *testing.T) {
	t.Helper()
	command(t, "ip", "link", "add", "link", j.name, "name", "vlan5", "type", "vlan", "id", "5")
	command(t, "ip", "addr", "add", "203.0.113.2/24", "dev", "vlan5")
	command(t, "ip", "link", "set", "vlan5", "up")
	port, err := nic.Open(t.Context(), "packet:"+j.name, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		features string
		others   bool // come
		transfer bool
	}{
		{"rx-vlan-filter on rxvlan on txvlan on tso on", false, true},
		{"rxvlan off", false, true},
		{"rx-vlan-filter off", true, false},
		{"rxvlan on", true, false},
		{"rx-vlan-filter on txvlan off", false, true},
		{"txvlan on tso off", false, true},
		{"tso on", false, false},
	} {
		command(t, "ethtool", append([]string{"-K", j.name}, strings.Fields(c.features)...)...)
		j.up(t)
		await(t, "the link of the VLAN", func() bool {
			out, err := exec.Command("ip", "link", "show", "vlan5").CombinedOutput()
			return err == nil && strings.Contains(string(out), "LOWER_UP")
		})
		j.ping(t, vlanPeer, 1400)
		seen(port)
		j.ping(t, vlanPeer, 1400)
		if ours, others := seen(port); ours == 0 || others > 0 != c.others {
			t.Errorf("%s: %d frames of VLAN 5, %d of another", c.features, ours, others)
		}
		if c.transfer {
			j.transfer(t, "VLAN, "+c.features, vlanPeer, false)
			j.transfer(t, "VLAN, "+c.features, vlanPeer, true)
		}
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
	command(t, "ip", "link", "del", "vlan5")
}

// seen counts the frames of VLAN 5 and of the stranger that a port has received.
func seen(port nic.Device) (ours, others int) {
	batch := make([]*packet.Buf, 64)
	for {
		n := port.RxQueue(0).Receive(batch)
		if n == 0 {
			return ours, others
		}
		for _, b := range batch[:n] {
			if f := b.Bytes(); binary.BigEndian.Uint16(f[12:]) != 0x8100 {
				continue
			}
			switch binary.BigEndian.Uint16(b.Bytes()[14:]) & 0xfff {
			case 5:
				ours++
			case stranger:
				others++
			}
		}
		packet.Free(batch[:n])
	}
}
