package virtio_test

import (
	"encoding/binary"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// offloading returns cards of all kinds that complete and verify checksums, and settings that use them.
func offloading() (map[string]*card, nic.Config) {
	cards := map[string]*card{"modern": newCard(), "packed": packedCard(), "legacy": legacyCard()}
	for _, c := range cards {
		c.offered |= fCSum | fGuestCSum
	}
	cfg := small
	cfg.Offloads = nic.RxPartial
	return cards, cfg
}

// A frame with a partial checksum is completed: by the device where it can, else by the driver; the VLAN tag always by the
// driver. One whose checksum does not lie within it is dropped.
func TestSendPartial(t *testing.T) {
	cards, cfg := offloading()
	plain, apart := newCard(), legacyCard()
	apart.offered = apart.offered&^fAnyLayout | fCSum
	cards["no offload"], cards["header apart"] = plain, apart
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			if name == "header apart" {
				cfg.Buffers = 1280
			}
			r := open(t, c, cfg)
			if by := r.dev.Info().Offloads&nic.TxChecksum != 0; by != (name != "no offload") {
				t.Errorf("offloads %v", r.dev.Info().Offloads)
			}
			for i := range 100 {
				whole := frame(200, byte(i))
				want := append(append(append([]byte(nil), whole[:12]...), 0x81, 0, 0x20, 5), whole[12:]...)
				binary.BigEndian.PutUint16(want[54:], checksum(want[38:]))
				part := []int{2048, 40}[i%2]
				b, bad := r.buf(whole, part), r.buf(whole, part)
				b.SetVLAN(0x2005)
				b.SetChecksum(34, 16)
				bad.SetChecksum(34, 165)
				batch := []*packet.Buf{r.buf(whole, 2048), bad, b, r.buf(whole, 2048)}
				if i%4 > 1 { // without headroom for a header
					b.Prepend(packet.Headroom - 4)
					copy(b.Bytes(), b.Bytes()[packet.Headroom-4:])
					b.Truncate(b.Len() - packet.Headroom + 4)
					b.SetChecksum(34, 16)
				}
				if n := r.dev.TxQueue(0).Send(batch); n != 4 {
					t.Fatalf("took %d of 4", n)
				}
				r.step()
				same(t, "sent", c.out, [][]byte{whole, want, whole})
				c.out = nil
			}
			if n := r.stats().TxDropped; n != 100 {
				t.Errorf("%d dropped, want 100", n)
			}
		})
	}
}

// Received frames say what the device says of their checksums, where the settings ask for it.
func TestReceivePartial(t *testing.T) {
	cards, cfg := offloading()
	merging := newCard()
	merging.offered |= fGuestCSum | fMrg
	merging.buffers = 3
	cards["merging"] = merging
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			if name == "legacy" {
				cfg.Buffers = 1280
			}
			if name == "merging" {
				cfg.MTU, cfg.Room = 1500, 512
			}
			r := open(t, c, cfg)
			if r.dev.Info().Offloads&nic.RxPartial == 0 {
				t.Fatalf("offloads %v", r.dev.Info().Offloads)
			}
			f := frame(700, 1)
			var batch [2]*packet.Buf
			for range 200 {
				c.partial = nil
				r.put(f)
				r.step()
				c.partial = &[2]uint16{34, 16}
				r.put(f)
				r.step()
				if n := r.dev.RxQueue(0).Receive(batch[:]); n != 2 {
					t.Fatalf("%d frames", n)
				}
				const mask = packet.L4ChecksumGood | packet.NeedsChecksum
				if got := batch[0].Flags() & mask; got != packet.L4ChecksumGood {
					t.Fatalf("a verified checksum: flags %#x", got)
				}
				if start, offset, ok := batch[1].Checksum(); !ok || start != 34 || offset != 16 || batch[1].Flags()&packet.L4ChecksumGood != 0 {
					t.Fatalf("a partial checksum: flags %#x, from %d at %d", batch[1].Flags(), start, offset)
				}
				same(t, "received", [][]byte{batch[0].AppendTo(nil), batch[1].AppendTo(nil)}, [][]byte{f, f})
				packet.Free(batch[:])
			}
			c.partial = &[2]uint16{690, 9}
			r.put(f)
			r.step()
			c.partial = nil
			r.put(f)
			r.step()
			same(t, "after one that lies", r.receive(0, 4), [][]byte{f})
			if s := r.stats(); s.RxDropped != 1 || s.RxPackets != 401 {
				t.Errorf("stats %s", brief(s))
			}
		})
	}
}

// Without being asked for, offloads of the receive side stay off, and nothing is believed of what a header says.
func TestReceiveUnasked(t *testing.T) {
	cards, _ := offloading()
	for name, c := range cards {
		t.Run(name, func(t *testing.T) {
			cfg := small
			if name == "legacy" {
				cfg.Buffers = 1280
			}
			r := open(t, c, cfg)
			if c.has(fGuestCSum) || r.dev.Info().Offloads != nic.TxChecksum {
				t.Errorf("accepted %#x, offloads %v", c.accepted, r.dev.Info().Offloads)
			}
			c.partial = &[2]uint16{34, 16}
			r.put(frame(100, 1))
			r.step()
			var batch [1]*packet.Buf
			if n := r.dev.RxQueue(0).Receive(batch[:]); n != 1 || batch[0].Flags() != packet.PortFlags(0) {
				t.Errorf("%d frames, flags %#x", n, batch[0].Flags())
			}
			packet.Free(batch[:])
		})
	}
}
