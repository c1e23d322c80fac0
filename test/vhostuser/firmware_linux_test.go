package vhostuser

import (
	"bytes"
	"encoding/binary"
	"net"
	"os/exec"
	"testing"
	"time"

	_ "glassnic/driver/all"
	"glassnic/nic"
	"glassnic/packet"
)

// QEMU's firmware boots from a network whose only card is our device end: it asks for an address (RFC 2131), is offered
// one, and asks for that one. Then QEMU is killed and a second one does the same.
func TestFirmware(t *testing.T) {
	path := socket(t)
	port, err := nic.Open(t.Context(), "vhost-user:"+path, nic.Config{LinkWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		var said bytes.Buffer
		qemu := exec.Command("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-M", "q35", "-m", "64",
			"-object", "memory-backend-memfd,id=mem,size=64M,share=on", "-numa", "node,memdev=mem", "-boot", "n",
			"-chardev", "socket,id=c0,path="+path, "-netdev", "vhost-user,id=n0,chardev=c0", "-device", "virtio-net-pci,netdev=n0,disable-legacy=on")
		qemu.Stdout, qemu.Stderr = &said, &said
		if err := qemu.Start(); err != nil {
			t.Fatalf("%v: apt-get install qemu-system-x86", err)
		}
		ok := boots(port)
		_ = qemu.Process.Kill()
		_ = qemu.Wait()
		if !ok {
			s, err := port.Stats()
			t.Fatalf("no request for the address that was offered; %+v, %v; trouble: %v\n%s", s, err, port.(nic.Watched).Trouble(), said.String())
		}
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			if l, err := port.Link(); err == nil && !l.Up {
				break
			}
			if time.Since(begin) > patience {
				t.Fatal("the link stays up without a guest")
			}
		}
		if err := port.(nic.Watched).Trouble(); err != nil {
			t.Error(err)
		}
	}
}

// boots answers the firmware until it asks for what it was offered.
func boots(port nic.Device) bool {
	batch := make([]*packet.Buf, 32)
	for begin := time.Now(); time.Since(begin) < 2*patience; time.Sleep(100 * time.Microsecond) {
		n := port.RxQueue(0).Receive(batch)
		asked := false
		for _, b := range batch[:n] {
			kind, ask := dhcp(b.Bytes())
			asked = asked || kind == 3
			if kind == 1 {
				offer(port, ask)
			}
		}
		packet.Free(batch[:n])
		if asked {
			return true
		}
	}
	return false
}

// Places in a frame of DHCP: behind Ethernet (14 bytes), IPv4 (20) and UDP (8) the message, with its options at 240.
const (
	dhcpAt    = 42
	optionsAt = dhcpAt + 240
)

// dhcp returns the kind of a client's message (RFC 2132, 9.6) and the message, 0 for other frames.
func dhcp(f []byte) (kind byte, message []byte) {
	if len(f) < optionsAt+3 || binary.BigEndian.Uint16(f[12:]) != 0x0800 || f[14] != 0x45 || f[23] != 17 || binary.BigEndian.Uint16(f[36:]) != 67 {
		return 0, nil
	}
	for o := f[optionsAt:]; len(o) > 2 && o[0] != 255; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		if o[0] == 53 && o[1] == 1 {
			return o[2], f[dhcpAt:]
		}
		o = o[min(len(o), 2+int(o[1])):]
	}
	return 0, nil
}

// offer sends an offer of 192.0.2.2 from 192.0.2.1.
func offer(port nic.Device, ask []byte) {
	server := net.IPv4(192, 0, 2, 1).To4()
	f := make([]byte, 342)
	copy(f, ask[28:34])
	copy(f[6:], port.Info().MAC)
	copy(f[12:], []byte{8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255})
	binary.BigEndian.PutUint16(f[16:], uint16(len(f)-14))
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum>>16+sum&0xffff))
	copy(f[34:], []byte{0, 67, 0, 68})
	binary.BigEndian.PutUint16(f[38:], uint16(len(f)-34))
	m := f[dhcpAt:]
	copy(m, []byte{2, 1, 6, 0})
	copy(m[4:8], ask[4:8]) // transaction
	copy(m[16:], []byte{192, 0, 2, 2})
	copy(m[20:], server)
	copy(m[28:], ask[28:34]) // hardware address
	copy(m[236:], []byte{99, 130, 83, 99, 53, 1, 2, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 255})
	b := make([]*packet.Buf, 1)
	if port.Info().Pool.Alloc(b) == 1 {
		if !b[0].SetBytes(f) || port.TxQueue(0).Send(b) == 0 {
			packet.Free(b) // the firmware asks again
		}
	}
}
