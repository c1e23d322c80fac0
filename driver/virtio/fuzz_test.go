package virtio_test

import (
	"context"
	"encoding/binary"
	"testing"

	"glassnic/bus/irq"
	"glassnic/driver/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

// tape is the fuzzer's input, read from front to back; beyond its end there are zeros.
type tape []byte

func (t *tape) bytes(n int) uint64 {
	var b [8]byte
	k := copy(b[:n], *t)
	*t = (*t)[k:]
	return binary.LittleEndian.Uint64(b[:])
}

func (t *tape) upTo(n int) int { return int(t.bytes(2) % uint64(n+1)) }

// What the fuzzer, which plays the device, and the application do.
const (
	opWrite  = iota // write a word anywhere in a ring
	opUse           // use a buffer, with a length
	opUseAll        // use all buffers in order, with a length
	opHeader        // write a word anywhere in a received buffer
	opStatus
	opReceive
	opSend
	opFree
	opLook
	opSet
	ops
)

// FuzzDevice lets the fuzzer write what it likes to the rings and to buffers between the driver's calls. The driver
// stays within its buffers, hands no buffer out twice, and has all of them at the end.
func FuzzDevice(f *testing.F) {
	f.Cleanup(virtio.LookOnce())
	for name, limit := range virtio.Limits {
		before := *limit
		*limit = 0
		f.Cleanup(func() { *virtio.Limits[name] = before })
	}
	u16 := func(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
	u32 := func(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	use := func(queue byte, id, n int) []byte { return join([]byte{opUse, queue}, u32(id), u32(n)) }
	receive, free, look, set := join([]byte{opReceive}, u16(64)), []byte{opFree}, []byte{opLook}, []byte{opSet, 1}
	send := join([]byte{opSend}, u16(40), u16(60))
	var plays [][]byte
	for _, n := range []int{0, 5, 12, 13, 72, 1012, 1036, 1037, 1535, 65535, 1 << 31, -1} {
		all := join([]byte{opUseAll, 0}, u32(n))
		plays = append(plays, join(use(0, 0, n), receive, use(0, 5, n), use(0, 5, n), receive, free, all, receive, send, free, look, receive, set))
	}
	for _, id := range []int{0, 1, 15, 16, 63, 64, 65535, -1} {
		all := join([]byte{opUseAll, 1}, u32(0))
		plays = append(plays, join(send, use(1, id, 0), send, use(1, id, 0), send, all, send, all, receive, look, set))
	}
	for _, n := range []int{0, 2, 3, 255} {
		header := join([]byte{opHeader}, u16(126), []byte{byte(n), 0, 0, 0, 0, 0, 0, 0})
		plays = append(plays, join(header, use(0, 0, 1036), use(0, 1, 1036), use(0, 2, 100), receive, free, receive))
	}
	plays = append(plays, join([]byte{opStatus, 64}, look, receive, send), join([]byte{opStatus, 255}, look, receive, send))
	for _, play := range plays {
		for header := range byte(64) {
			f.Add(append([]byte{header}, play...))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) { playDevice(t, input) })
}

func playDevice(t *testing.T, input []byte) {
	in := tape(input)
	header := in.bytes(1)
	c := newCard()
	cfg := nic.Config{RxRing: 64, TxRing: 64, MTU: 1000, Buffers: 512, Room: 1024, ReportEvery: 8, Interrupts: true}
	c.offered |= fCtrl | fCtrlRx
	c.set = &interrupts{kind: irq.MSIX, vectors: 1}
	if header&16 != 0 {
		c.offered |= fCSum | fGuestCSum
		cfg.Offloads = nic.RxPartial
	}
	if header&1 != 0 {
		c.offered |= fPacked
	}
	if header&2 != 0 {
		c.offered |= fEventIdx
	}
	if header&4 != 0 {
		c.offered |= fMrg
		cfg.MTU = 9000
	}
	if header&48 == 48 {
		c.offered |= fMrg | fGuestTSO | fHostTSO
		cfg.Offloads |= nic.RxSegment | nic.TxSegment
		cfg.RxRing, cfg.Buffers = 128, 1024
	}
	if header&8 != 0 && header&23 != 0 {
		c.offered |= fInOrder
	}
	if header&8 != 0 && header&23 == 0 {
		c = legacyCard()
		c.offered &^= fAnyLayout
		cfg.Buffers = 1024
	}
	port, err := nic.OpenFunction(context.Background(), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := port.(*virtio.Device)
	c.mute = true
	pool, room := d.Info().Pool, d.Info().Pool.Room()
	var held []*packet.Buf
	owned := map[*packet.Buf]bool{}
	own := func(b *packet.Buf) {
		for s := b; s != nil; s = s.Next() {
			if owned[s] {
				t.Fatal("a buffer was handed out twice")
			}
			owned[s] = true
			if s.Len() > room+12 || s.Len() == 0 {
				t.Fatalf("%d bytes in a buffer of %d", s.Len(), room)
			}
		}
		longest := cfg.MTU + 22
		if b.Flags()&packet.NeedsSegment != 0 {
			longest = 65557
		}
		if n := b.TotalLen(); n > longest {
			t.Fatalf("a frame of %d bytes", n)
		}
	}
	for steps := 0; len(in) > 0 && steps < 2000; steps++ {
		switch in.bytes(1) % ops {
		case opWrite:
			mem := d.RingMemory(int(in.bytes(1)))
			at := int(in.bytes(2)) % (len(mem) - 8)
			binary.LittleEndian.PutUint64(mem[at:], in.bytes(8))
		case opUse:
			q := c.vqs[in.bytes(1)%2]
			c.tell(q, uint32(in.bytes(4)), uint32(in.bytes(4)))
			c.interrupt(q)
		case opUseAll:
			q, n := c.vqs[in.bytes(1)%2], uint32(in.bytes(4))
			for i := range q.size {
				c.tell(q, uint32(i), n)
			}
		case opHeader:
			off, word := int(in.bytes(2))%room, in.bytes(8)
			for i := range 4 { // where the first buffers lie
				addr := le.Uint64(d.RingMemory(0)[16*i:])
				if b, ok := c.space.At("fuzzer", addr+uint64(off)-116, 8, true); ok {
					le.PutUint64(b, word)
				}
			}
		case opStatus:
			c.status = uint8(in.bytes(1))
		case opReceive:
			batch := make([]*packet.Buf, in.upTo(300))
			n := d.RxQueue(0).Receive(batch)
			for _, b := range batch[:n] {
				own(b)
			}
			held = append(held, batch[:n]...)
		case opSend:
			count, size := in.upTo(100), in.upTo(2000)
			batch := make([]*packet.Buf, count)
			batch = batch[:pool.Alloc(batch)]
			for _, b := range batch {
				b.SetOffsetLen(packet.Headroom, min(size, room))
			}
			batch = append(batch, held...)
			n := d.TxQueue(0).Send(batch)
			// What the ring took may be free or in another frame by now: only the rest can be walked.
			held = append([]*packet.Buf(nil), batch[n:]...)
			clear(owned)
			for _, b := range held {
				for s := b; s != nil; s = s.Next() {
					owned[s] = true
				}
			}
		case opFree:
			packet.Free(held)
			held = nil
			clear(owned)
		case opLook:
			_, _ = d.Stats()
			_, _ = d.Link()
			_, _ = d.Registers()
			_ = d.Trouble()
		case opSet:
			_ = d.SetPromiscuous(in.bytes(1)&1 != 0)
			w := d.RxQueue(0).(nic.Waiter)
			_ = w.Arm()
			w.Disarm()
		}
	}
	packet.Free(held)
	c.status &= 15
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := c.space.InUse(); n != 0 {
		t.Fatalf("%d bytes still allocated", n)
	}
}
