package afxdp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// leave runs a program on what leaves by an interface.
func leave(t *testing.T, name string, ins asm.Instructions) {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Error(err)
		return
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: append(ins, asm.Mov.Imm(asm.R0, -1), asm.Return())}) // TCX_NEXT
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { p.Close() })
	l, err := link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: p, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { l.Close() })
}

// kernelSend has the kernel send a frame by its own queues.
func kernelSend(t *testing.T, name string, frame []byte) {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Error(err)
		return
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: i.Index, Protocol: binary.NativeEndian.Uint16(frame[12:])}); err != nil {
		t.Error(err)
	}
}

// hashes has the kernel note the hash of what leaves by an interface, as it computes that itself.
func hashes(t *testing.T, name string) func() uint32 {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { m.Close() })
	leave(t, name, asm.Instructions{
		asm.FnGetHashRecalc.Call(),
		asm.StoreMem(asm.RFP, -4, asm.R0, asm.Word), asm.StoreImm(asm.RFP, -8, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -8), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -4), asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	})
	return func() (h uint32) {
		if err := m.Lookup(uint32(0), &h); err != nil {
			t.Error(err)
		}
		return h
	}
}

// offers tells whether the kernel's veth tells XDP programs of something.
func offers(t *testing.T, what netif.Metadata) bool {
	t.Helper()
	i, err := net.InterfaceByName("right")
	if err != nil {
		t.Error(err)
		return false
	}
	has, err := netif.MetadataOf(i.Index)
	if err != nil {
		t.Error(err)
	}
	return has&what == what
}

// told receives one frame and returns it, with what is known of it, to be freed.
func told(t *testing.T, d *Device) *packet.Buf {
	t.Helper()
	batch := make([]*packet.Buf, 1)
	wait(t, "frame", func() bool { return d.rx[0].Receive(batch) == 1 })
	return batch[0]
}

func udp(port uint16) []byte {
	f := make([]byte, 60)
	copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x2e\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02")
	binary.BigEndian.PutUint16(f[34:], port)
	f[37], f[39] = 53, 26
	return f
}

// TestHash: frames come with the hash that the kernel computes of them, frames of one flow with the same.
func TestHash(t *testing.T) {
	for _, c := range []struct {
		options string
		mtu     int
	}{{"", 1500}, {"", 9000}, {",filter=udp", 1500}, {",mode=generic", 1500}} {
		t.Run(fmt.Sprint(c.options, c.mtu), func(t *testing.T) {
			netns.RunPair(t, c.mtu, 1, func() {
				b := open(t, "right"+c.options, nic.Config{Offloads: nic.RxHash, MTU: c.mtu})
				defer closeAll(t, b)
				want := offers(t, netif.MetaHash) && c.options != ",mode=generic"
				if got := b.Info().Offloads == nic.RxHash; got != want {
					t.Errorf("offers %v, and the kernel does: %v", b.Info().Offloads, want)
				}
				kernel := hashes(t, "left")
				seen := map[uint32]bool{}
				for i := range 20 {
					f := udp(uint16(1000 + i/2))
					if i%4 > 1 {
						f = append(f, make([]byte, c.mtu+14-len(f))...)
						binary.BigEndian.PutUint16(f[16:], uint16(c.mtu))
						binary.BigEndian.PutUint16(f[38:], uint16(c.mtu-20))
					}
					kernelSend(t, "left", f)
					got := told(t, b)
					if data := got.AppendTo(nil); !bytes.Equal(data, f) {
						t.Errorf("%d bytes: % x", len(data), data[:16])
					}
					if has := got.Flags()&packet.HasHash != 0; has != want {
						t.Errorf("frame %d: hash %v", i, has)
					} else if has && (got.Hash() != kernel() || got.Hash() == 0) {
						t.Errorf("frame %d: hash %#x, the kernel's %#x", i, got.Hash(), kernel())
					}
					seen[got.Hash()] = true
					packet.Free([]*packet.Buf{got})
				}
				if want && len(seen) != 10 {
					t.Errorf("%d hashes of 10 flows", len(seen))
				}
			})
		})
	}
}

// TestSystemTime: frames come with the time at which the kernel had them, also without the driver.
func TestSystemTime(t *testing.T) {
	for _, options := range []string{"", ",mode=generic"} {
		netns.RunPair(t, 1500, 1, func() {
			a, b := open(t, "left", nic.Config{}), open(t, "right"+options, nic.Config{Offloads: nic.Timestamps})
			defer closeAll(t, a, b)
			if o := b.Info().Offloads; o != nic.Timestamps {
				t.Error(o)
			}
			for range 10 {
				before := time.Now().UnixNano()
				send(t, a, 0, 2048, udp(1))
				got := told(t, b)
				if ns, ok := got.Timestamp(); !ok || ns < before || ns > time.Now().UnixNano() {
					t.Errorf("%d %v, sent after %d", ns, ok, before)
				}
				packet.Free([]*packet.Buf{got})
			}
		})
	}
}

// TestCardTime: veth has the function that tells a card's time, and no card: frames have none. Where there is no such
// function a port that asks for it is not opened.
func TestCardTime(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a := open(t, "left", nic.Config{})
		defer closeAll(t, a)
		_, err := nic.Open(t.Context(), "xdp:right,mode=generic,card-time", nic.Config{Offloads: nic.Timestamps})
		if !errors.Is(err, errNoCardTime) {
			t.Error(err)
		}
		if !offers(t, netif.MetaTime) {
			if _, err := nic.Open(t.Context(), "xdp:right,card-time", nic.Config{Offloads: nic.Timestamps}); !errors.Is(err, errNoCardTime) {
				t.Error(err)
			}
			return
		}
		b := open(t, "right,card-time", nic.Config{Offloads: nic.Timestamps})
		defer closeAll(t, b)
		send(t, a, 0, 2048, udp(1))
		got := told(t, b)
		if ns, ok := got.Timestamp(); ok {
			t.Error("a time: ", ns)
		}
		packet.Free([]*packet.Buf{got})
	})
}

// TestTag: a tag that the card took out, as veth does with those that the kernel has beside its frames, comes beside the frame
// where that is asked for, and in it where something else is.
func TestTag(t *testing.T) {
	for _, c := range []struct {
		proto uint16
		asked nic.Offloads
		tpid  string // in the frame
	}{
		{0x8100, nic.RxVLAN, ""}, {0x8100, nic.RxHash, "\x81\x00"}, {0x88a8, nic.RxVLAN, "\x88\xa8"},
	} {
		netns.RunPair(t, 1500, 1, func() {
			proto := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, c.proto))
			leave(t, "left", asm.Instructions{asm.Mov.Imm(asm.R2, int32(proto)), asm.Mov.Imm(asm.R3, 3<<13|5), asm.FnSkbVlanPush.Call()})
			b := open(t, "right", nic.Config{Offloads: c.asked})
			defer closeAll(t, b)
			if !offers(t, netif.MetaVLAN) {
				if o := b.Info().Offloads; o&nic.RxVLAN != 0 {
					t.Error(o)
				}
				return
			}
			if o := b.Info().Offloads; o != c.asked {
				t.Error(o)
			}
			f := udp(7)
			kernelSend(t, "left", f)
			got := told(t, b)
			tci, beside := got.VLAN()
			if beside != (c.tpid == "") || beside && tci != 3<<13|5 {
				t.Errorf("%+v: tag %#x %v", c, tci, beside)
			}
			want := f
			if !beside {
				want = append(append(append([]byte(nil), f[:12]...), c.tpid+"\x60\x05"...), f[12:]...)
			}
			if data := got.AppendTo(nil); !bytes.Equal(data, want) {
				t.Errorf("%+v: % x", c, data)
			}
			packet.Free([]*packet.Buf{got})
			if s, _ := b.Stats(); s.RxPackets != 1 || s.RxBytes != uint64(len(want)) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestStale: what a buffer held before is no metadata, and what is read once is not read again.
func TestStale(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		d := open(t, "right", nic.Config{Offloads: nic.Timestamps})
		defer closeAll(t, d)
		b := build(t, d.Info().Pool, 100, udp(1))
		defer packet.Free([]*packet.Buf{b})
		front := make([]byte, 2*metaSize)
		v := front[metaSize:]
		binary.NativeEndian.PutUint64(v[metaTime:], 7)
		binary.NativeEndian.PutUint32(v[metaFlags:], hasTime|hasVLAN|hasHash)
		m := metadata{taken: true}
		m.read(b, front)
		m.read(b, front[:metaSize-1])
		if b.Flags()&(packet.HasTimestamp|packet.HasVLAN|packet.HasHash) != 0 {
			t.Errorf("%#x", b.Flags())
		}
		binary.NativeEndian.PutUint32(v[metaMagic:], magic)
		m.read(b, front)
		if ns, ok := b.Timestamp(); !ok || ns != 7 {
			t.Error(ns, ok)
		}
		b.Reset()
		if m.read(b, front); b.Flags()&packet.HasTimestamp != 0 {
			t.Error("read twice")
		}
	})
}

// TestMetadataAllocs: metadata costs no allocation.
func TestMetadataAllocs(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{Offloads: nic.Timestamps | nic.RxHash | nic.RxVLAN})
		defer closeAll(t, a, b)
		tx, rx := make([]*packet.Buf, 1), make([]*packet.Buf, 1)
		tx[0] = build(t, a.Info().Pool, 2048, udp(1))
		frame := udp(1)
		n := testing.AllocsPerRun(1000, func() {
			for a.tx[0].Send(tx) != 1 {
			}
			for b.rx[0].Receive(rx) != 1 {
			}
			packet.Free(rx)
			a.Info().Pool.Alloc(tx)
			tx[0].SetBytes(frame)
		})
		packet.Free(tx)
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
