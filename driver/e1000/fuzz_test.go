package e1000_test

import (
	"encoding/binary"
	"testing"

	chip "glassnic/chip/e1000"
	"glassnic/driver/e1000"
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

// What the fuzzer, which plays the card, and the application do.
const (
	opDescriptor = iota // write one descriptor as the tape says
	opDone              // report a descriptor done, with a length
	opFill              // write the same word to all descriptors of a ring
	opRegister
	opReceive
	opSend
	opFree
	opLook
	opSet
	ops
)

// FuzzCard lets the fuzzer write what it likes to registers and both rings between the driver's calls.
// The driver stays within its buffers, hands no buffer out twice, and has all of them at the end.
func FuzzCard(f *testing.F) {
	f.Cleanup(e1000.LookOnce())
	for name, limit := range e1000.Limits {
		before := *limit
		*limit = 0
		f.Cleanup(func() { *e1000.Limits[name] = before })
	}
	for _, seed := range cardSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) { playCard(t, input) })
}

// cardSeeds are plays of honest, sloppy and hostile cards of each family.
func cardSeeds() (seeds [][]byte) {
	u16 := func(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	op := func(o byte, args ...[]byte) []byte { return append([]byte{o}, join(args...)...) }
	done := func(ring byte, at, size int, end byte) []byte {
		return op(opDone, []byte{ring}, u16(at), u16(size), []byte{end})
	}
	receive := op(opReceive, u16(64))
	var honest []byte
	for i := range 200 {
		honest = append(honest, done(0, i%64, 60+i, 1)...)
		if i%7 == 0 {
			honest = append(honest, receive...)
			honest = append(honest, op(opFree)...)
		}
	}
	plays := [][]byte{
		join(honest, receive),
		join(honest, receive, op(opSend, u16(100), u16(60)), op(opFill, []byte{1}, u64(chip.TxDD)), op(opSend, u16(100), u16(1500))),
	}
	for _, word := range []uint64{^uint64(0), chip.RxDD, 1, chip.RxDD | 2048, 1 | 2048<<32} {
		plays = append(plays, join(op(opFill, []byte{0}, u64(word)), receive, receive, receive, op(opLook), op(opFree)))
	}
	for _, size := range []int{0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 16384, 65535} {
		plays = append(plays, join(done(0, 0, size, 0), done(0, 1, size, 1), receive, done(0, 2, size, 1), receive))
	}
	for _, word := range []uint64{0, chip.TxDD, ^uint64(0)} {
		send, fill := op(opSend, u16(63), u16(60)), op(opFill, []byte{1}, u64(word))
		plays = append(plays, join(send, fill, send, fill, send))
	}
	for _, off := range []uint32{chip.STATUS, chip.CTRL, chip.MDIC, chip.GPTC, chip.RXDCTL(0), chip.TDH(0), chip.LEDCTL} {
		for _, v := range []uint64{0, 1 << 19, ^uint64(0)} {
			plays = append(plays, join(op(opRegister, u16(int(off/4)), u64(v)[:4]), op(opLook), op(opSet), receive, op(opSend, u16(5), u16(60)), op(opLook)))
		}
	}
	for i, play := range plays {
		for header := range 6 {
			if header < 3 || i < 20 {
				seeds = append(seeds, append([]byte{byte(header)}, play...))
			}
		}
	}
	return seeds
}

func playCard(t *testing.T, input []byte) {
	in := tape(input)
	header := in.bytes(1)
	c := newCard([]uint16{0x100e, 0x10d3, 0x10c9}[header%3])
	cfg := nic.Config{RxQueues: 1, TxQueues: 1, RxRing: 64, TxRing: 64, MTU: 1500, Buffers: 512, Room: 1024, ReportEvery: 8}
	if header/3%2 == 1 {
		cfg.MTU, cfg.Room = 9000, 2048
	}
	d, err := e1000.Prepare(c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever writes registers at random does not stop at those that a card looks after.
	wild := map[uint32]uint32{}
	c.onRead = func(off uint32) (uint32, bool) { v, ok := wild[off]; return v, ok }
	pool, room := d.Info().Pool, d.Info().Pool.Room()
	var held []*packet.Buf
	owned := map[*packet.Buf]bool{}
	own := func(b *packet.Buf) {
		for s := b; s != nil; s = s.Next() {
			if owned[s] {
				t.Fatal("a buffer was handed out twice")
			}
			owned[s] = true
			if s.Len() > room || s.Len() == 0 && b != s {
				t.Fatalf("%d bytes in a buffer of %d", s.Len(), room)
			}
		}
		if n := b.TotalLen(); n > cfg.MTU+22 {
			t.Fatalf("a frame of %d bytes", n)
		}
	}
	write := func(ring, at int, w0, w1 uint64) {
		mem := d.RingMemory(ring)
		at = at * chip.DescSize % len(mem)
		put64(mem[at:], w0)
		put64(mem[at+8:], w1)
	}
	for steps := 0; len(in) > 0 && steps < 2000; steps++ {
		switch in.bytes(1) % ops {
		case opDescriptor:
			write(int(in.bytes(1)%2), in.upTo(63), in.bytes(8), in.bytes(8))
		case opDone:
			ring, at, size := int(in.bytes(1)%2), in.upTo(63), in.bytes(2)
			w0, w1 := c.report(int(size), in.bytes(1)&1 != 0, 0)
			write(ring, at, w0, w1)
		case opFill:
			ring, w1 := int(in.bytes(1)%2), in.bytes(8)
			for i := range 64 {
				write(ring, i, w1, w1)
			}
		case opRegister:
			wild[uint32(in.bytes(2))*4%chip.BARSize] = uint32(in.bytes(4))
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
		case opSet:
			_ = d.SetLED(int(in.bytes(1)%4), nic.LEDBlink)
			_ = d.SetPromiscuous(in.bytes(1)&1 != 0)
			_ = d.SetMAC([]byte{2, 0, 0, 0, 0, 1})
			_ = d.RxQueue(0).(nic.Waiter).Arm()
		}
	}
	packet.Free(held)
	clear(wild)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := c.space.InUse(); n != 0 {
		t.Fatalf("%d bytes still allocated", n)
	}
}
