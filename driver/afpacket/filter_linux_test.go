package afpacket

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"glassnic/internal/netns"
	"glassnic/nic"
)

// program has frames shorter than 1,000 bytes pass that are of type 0x88b5, of TCP or of IPv4.
func program(t *testing.T, size int) []bpf.RawInstruction {
	p := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtLen},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: 1000, SkipTrue: 4},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x88b5, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x0800, SkipTrue: 1},
		bpf.RetConstant{Val: 20}, // of which all is wanted nevertheless
	}
	for len(p) < size {
		p = append(p, bpf.RetConstant{Val: 0})
	}
	raw, err := bpf.Assemble(p)
	if err != nil {
		t.Error(err)
	}
	return raw
}

// TestPrefilter: the kernel passes over what does not match, and lets pass what it would misjudge.
func TestPrefilter(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{})
		defer closeAll(t, a, b)
		right, wrong := testFrame(100, "\x88\xb5"), testFrame(100, "\x88\xb6")
		last := testFrame(60, "\x88\xb5")
		// The frame of a tag, of which the kernel sees only what follows.
		tagged := testFrame(100, "\x81\x00\x00\x05\x88\xb6")
		expect := func(when string, want ...[]byte) {
			got := receive(t, b, len(want))
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Errorf("%s: frame %d is % x", when, i, got[i][:20])
				}
			}
			if s, _ := b.Stats(); s.RxMissed+s.RxDropped+s.RxErrors != 0 {
				t.Errorf("%s: %+v", when, s)
			}
		}
		if err := b.Prefilter(program(t, 7)); err != nil {
			t.Error(err)
			return
		}
		send(t, a, 2048, wrong, right, tagged, testFrame(1000, "\x88\xb5"), wrong, last)
		expect("with a filter", right, tagged, last)

		// One packet for the kernel, of segments of 500 bytes each.
		payload := make([]byte, 2000)
		data, tcp := super(t, false, 0, payload)
		sendLarge(t, "left", data, tcp, 500)
		for i, f := range receive(t, b, 4) {
			if len(f) != 54+500 {
				t.Errorf("segment %d of %d bytes", i, len(f))
			}
		}

		if err := b.Prefilter(program(t, 5000)); err == nil {
			t.Error("a filter of 5,000 instructions")
		}
		for range 2 { // also where there is none
			if err := b.Prefilter(nil); err != nil {
				t.Error(err)
			}
		}
		send(t, a, 2048, wrong, right)
		expect("without", wrong, right)
	})
}

// sendLarge sends a packet of several segments with a size from an interface, which leaves it as it is.
func sendLarge(t *testing.T, name string, data []byte, tcp, size int) {
	fd, err := socket()
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	ifi, err := net.InterfaceByName(name)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	}
	if err == nil {
		h := make([]byte, vnetSize)
		h[0], h[1] = vnetNeedsSum, vnetTCP4
		for i, v := range []int{tcp + 20, size, tcp, 16} {
			binary.NativeEndian.PutUint16(h[2+2*i:], uint16(v))
		}
		err = unix.Sendto(fd, append(h, data...), 0, &unix.SockaddrLinklayer{Ifindex: ifi.Index, Protocol: 8})
	}
	if err != nil {
		t.Error(err)
	}
}
