//go:build guest

package guest

import (
	"bytes"
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "glassnic/driver/afxdp"
	"glassnic/nic"
	"glassnic/packet"
)

// TestZeroCopy opens a card that Linux drives by AF_XDP, whose driver has it write frames into our buffers, and pings the
// machine at the other end of its wire. Twice, for the kernel lets go of the buffers a little late.
func TestZeroCopy(t *testing.T) {
	c := cards(t)
	if len(c) != 1 || c[0].driver != "ixgbe" {
		t.Fatalf("cards %+v", c)
	}
	j := &judge{netdev(t, c[0])}
	command(t, "ip", "link", "set", j.name, "mtu", "1500")
	command(t, "ethtool", "-X", j.name, "default")
	command(t, "ethtool", "-L", j.name, "combined", "1")
	command(t, "ethtool", "-K", j.name, "rxvlan", "off")
	for _, pings := range []int{150, 10} {
		j.up(t)
		port, err := nic.Open(t.Context(), "xdp:"+j.name, nic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if card := port.Info().Card; !strings.Contains(card, "native XDP, zero-copy") {
			t.Error(card)
		}
		j.up(t) // the driver starts the card again
		e := &echo{port: port, us: net.IPv4(192, 0, 2, 2).To4(), them: net.IPv4(192, 0, 2, 1).To4()}
		e.run(t, pings)
		s, err := port.Stats()
		if err != nil || s.RxPackets < uint64(pings) || s.TxPackets < uint64(pings) || s.RxDropped+s.RxErrors+s.TxDropped > 0 {
			t.Errorf("%+v, %v", s, err)
		}
		t.Logf("%+v", s)
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
	// The kernel has its card again.
	j.up(t)
	j.ping(t, peer, 56)
}

// echo pings by a port.
type echo struct {
	port     nic.Device
	us, them net.IP
	peer     []byte // MAC address
	batch    [16]*packet.Buf
}

// arp makes a request or an answer.
func (e *echo) arp(op byte, to []byte) []byte {
	mac := e.port.Info().MAC
	f := append(append(append([]byte(nil), to...), mac...), "\x08\x06\x00\x01\x08\x00\x06\x04\x00"...)
	f = append(append(append(f, op), mac...), e.us...)
	return append(append(append(f, to...), e.them...), make([]byte, 18)...)
}

func (e *echo) send(f []byte) {
	one := e.batch[:1]
	if e.port.Info().Pool.Alloc(one) == 1 {
		one[0].SetBytes(f)
		if e.port.TxQueue(0).Send(one) == 0 {
			packet.Free(one)
		}
	}
}

// answer sends a frame, once a second as it may be lost while the link comes up, until one comes that is wanted. It
// answers the other machine's own questions meanwhile.
func (e *echo) answer(t *testing.T, f []byte, wanted func([]byte) bool) (answer []byte) {
	t.Helper()
	var last time.Time
	for end := time.Now().Add(patience); answer == nil; runtime.Gosched() {
		now := time.Now()
		if now.After(end) {
			s, err := e.port.Stats()
			t.Fatalf("no answer to % x: %+v, %v", f[:42], s, err)
		}
		if now.Sub(last) > time.Second {
			e.send(f)
			last = now
		}
		e.port.TxQueue(0).Send(nil)
		n := e.port.RxQueue(0).Receive(e.batch[:])
		asked := false
		for _, b := range e.batch[:n] {
			if d := b.Bytes(); wanted(d) {
				answer = bytes.Clone(d)
			} else if len(d) >= 42 && bytes.Equal(d[12:14], []byte("\x08\x06")) && d[21] == 1 && bytes.Equal(d[38:42], e.us) {
				asked = true
			}
		}
		packet.Free(e.batch[:n])
		if asked && e.peer != nil {
			e.send(e.arp(2, e.peer))
		}
	}
	return answer
}

// run pings with all sizes.
func (e *echo) run(t *testing.T, count int) {
	said := e.answer(t, e.arp(1, []byte("\xff\xff\xff\xff\xff\xff")), func(b []byte) bool {
		return len(b) >= 42 && bytes.Equal(b[12:14], []byte("\x08\x06")) && b[21] == 2
	})
	e.peer = said[6:12]
	for i := range count {
		size := 60 + i*1454/count // up to 1514 bytes
		f := make([]byte, size)
		copy(f, e.peer)
		copy(f[6:], e.port.Info().MAC)
		copy(f[12:], "\x08\x00\x45\x00\x00\x00\x00\x00\x00\x00\x40\x01")
		binary.BigEndian.PutUint16(f[16:], uint16(size-14))
		copy(f[26:], e.us)
		copy(f[30:], e.them)
		binary.BigEndian.PutUint16(f[24:], ^sum(f[14:34]))
		f[34] = 8 // echo request (RFC 792)
		binary.BigEndian.PutUint16(f[40:], uint16(i))
		for k := 42; k < size; k++ {
			f[k] = byte(k * i)
		}
		binary.BigEndian.PutUint16(f[36:], ^sum(f[34:]))
		got := e.answer(t, f, func(b []byte) bool {
			return len(b) >= size && b[12] == 8 && b[13] == 0 && b[23] == 1 && b[34] == 0 && binary.BigEndian.Uint16(b[40:]) == uint16(i)
		})
		if !bytes.Equal(got[42:size], f[42:]) {
			t.Fatalf("echo %d of %d bytes is not what was sent: % x", i, size, got[:60])
		}
	}
}
