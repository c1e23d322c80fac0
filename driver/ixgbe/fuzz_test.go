package ixgbe_test

import (
	"encoding/binary"
	"testing"

	chip "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
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
	f.Cleanup(ixgbe.LookOnce())
	for name, limit := range ixgbe.Limits {
		before := *limit
		*limit = 0
		f.Cleanup(func() { *ixgbe.Limits[name] = before })
	}
	for _, seed := range cardSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) { playCard(t, input) })
}

// cardSeeds are plays of honest, sloppy and hostile cards.
func cardSeeds() (seeds [][]byte) {
	add := func(parts ...[]byte) {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		seeds = append(seeds, all)
	}
	u16 := func(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	op := func(o byte, args ...[]byte) []byte {
		all := []byte{o}
		for _, a := range args {
			all = append(all, a...)
		}
		return all
	}
	done := func(ring byte, at, size int, end byte) []byte {
		return op(opDone, []byte{ring}, u16(at), u16(size), []byte{end})
	}
	receive := op(opReceive, u16(64))
	header := []byte{0}
	var honest []byte
	for i := range 200 {
		honest = append(honest, done(0, i%64, 60+i, 1)...)
		if i%7 == 0 {
			honest = append(honest, receive...)
			honest = append(honest, op(opFree)...)
		}
	}
	add(header, honest, receive)
	add([]byte{1}, honest, receive, op(opSend, u16(100), u16(60)), op(opFill, []byte{2}, u64(chip.TxDD)), op(opSend, u16(100), u16(1500)))
	add(header, op(opFill, []byte{0}, u64(^uint64(0))), receive, receive, op(opLook), op(opFree))
	add(header, op(opFill, []byte{0}, u64(chip.RxDD)), receive, receive, receive, op(opLook))
	add([]byte{1}, op(opFill, []byte{0}, u64(chip.RxDD|2048<<chip.RxLenShift)), receive, receive, receive, op(opLook))
	for _, size := range []int{0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 16384, 65535} {
		add(header, done(0, 0, size, 0), done(0, 1, size, 1), receive, done(0, 2, size, 1), receive)
		add([]byte{1}, done(0, 0, size, 0), done(0, 1, size, 1), receive, done(0, 2, size, 1), receive)
	}
	// A card that coalesces, and one that says so of anything.
	chained := func(at, count, next int, end uint64) []byte {
		w1 := chip.RxDD | end | uint64(next)<<chip.RxNextShift | 1000<<chip.RxLenShift
		return op(opDescriptor, []byte{0}, u16(at), u64(uint64(count)<<chip.RxRSCCntShift), u64(w1))
	}
	for _, next := range []int{0, 1, 2, 3, 62, 63, 64, 0xffff} {
		add([]byte{2}, chained(0, 2, next, 0), chained(1, 15, next, 0), chained(2, 1, 3, chip.RxEOP), receive, op(opFree),
			op(opFill, []byte{0}, u64(chip.RxDD|3<<chip.RxRSCCntShift|1000<<chip.RxLenShift)), receive, receive, op(opLook), receive)
	}
	for _, word := range []uint64{0, chip.TxDD, ^uint64(0)} {
		add(header, op(opSend, u16(63), u16(60)), op(opFill, []byte{2}, u64(word)), op(opSend, u16(63), u16(60)), op(opFill, []byte{2}, u64(word)), op(opSend, u16(63), u16(60)))
	}
	for _, off := range []uint32{chip.STATUS, chip.CTRL, chip.LINKS, chip.GPTC, chip.RXDCTL(0), chip.TDH(0), chip.LEDCTL} {
		for _, v := range []uint64{0, 1 << 19, ^uint64(0)} {
			add(header, op(opRegister, u16(int(off/4)), u64(v)[:4]), op(opLook), op(opSet), receive, op(opSend, u16(5), u16(60)), op(opLook))
		}
	}
	return seeds
}

func playCard(t *testing.T, input []byte) {
	in := tape(input)
	b := newBlank()
	cfg := nic.Config{RxQueues: 2, RxRing: 64, TxRing: 64, Buffers: 512, Room: 1024, ReportEvery: 8}
	how := in.bytes(1)
	if how&1 != 0 {
		cfg.MTU, cfg.Room = 9000, 2048
	}
	longest := 9022
	if how&2 != 0 {
		cfg.Offloads = nic.RxSegment
		longest = 65535 + 22
	}
	d, err := ixgbe.Prepare(b, cfg)
	if err != nil {
		t.Fatal(err)
	}
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
		if n := b.TotalLen(); n > max(room, longest) {
			t.Fatalf("a frame of %d bytes", n)
		}
	}
	disown := func(b *packet.Buf) {
		for s := b; s != nil; s = s.Next() {
			delete(owned, s)
		}
	}
	write := func(ring, at int, w0, w1 uint64) {
		mem := d.RingMemory(ring)
		at = at * chip.DescSize % len(mem)
		binary.LittleEndian.PutUint64(mem[at:], w0)
		binary.LittleEndian.PutUint64(mem[at+8:], w1)
	}
	for steps := 0; len(in) > 0 && steps < 2000; steps++ {
		switch in.bytes(1) % ops {
		case opDescriptor:
			write(int(in.bytes(1)%3), in.upTo(63), in.bytes(8), in.bytes(8))
		case opDone:
			ring, at, size := int(in.bytes(1)%3), in.upTo(63), in.bytes(2)
			w1 := chip.RxDD | size<<chip.RxLenShift
			if in.bytes(1)&1 != 0 {
				w1 |= chip.RxEOP
			}
			write(ring, at, 0, w1)
		case opFill:
			ring, w1 := int(in.bytes(1)%3), in.bytes(8)
			for i := range 64 {
				write(ring, i, w1, w1)
			}
		case opRegister:
			b.set(uint32(in.bytes(2))*4%chip.BARSize, uint32(in.bytes(4)))
		case opReceive:
			batch := make([]*packet.Buf, in.upTo(300))
			n := d.RxQueue(len(batch) % 2).Receive(batch)
			for _, b := range batch[:n] {
				own(b)
			}
			held = append(held, batch[:n]...)
		case opSend:
			count, size := in.upTo(100), in.upTo(2000)
			batch := make([]*packet.Buf, count)
			batch = batch[:pool.Alloc(batch)]
			for _, b := range batch {
				own(b)
				b.SetOffsetLen(packet.Headroom, min(size, room))
			}
			batch = append(batch, held...)
			n := d.TxQueue(0).Send(batch)
			// What the ring took may be free or in another frame by now: only the rest can be walked.
			held = append([]*packet.Buf(nil), batch[n:]...)
			clear(owned)
			for _, b := range held {
				own(b)
			}
		case opFree:
			for _, b := range held {
				disown(b)
			}
			packet.Free(held)
			held = nil
		case opLook:
			d.Stats()
			d.Link()
			if in.bytes(1)&7 == 0 {
				d.Registers()
			}
			d.Info()
		case opSet:
			on := in.bytes(1)&1 != 0
			d.SetPromiscuous(on)
			d.SetAllMulticast(on)
			d.SetLED(int(in.bytes(1)%4), nic.LEDBlink)
			d.SetMAC(stranger)
			var cache *packet.Cache
			if on {
				cache = pool.NewCache()
			}
			d.RxQueue(0).(nic.CacheUser).UseCache(cache)
			d.TxQueue(0).(nic.CacheUser).UseCache(cache)
			d.TxQueue(0).Send(nil)
		}
	}
	packet.Free(held)
	// A card that never stops its DMA keeps the memory, which another test looks at.
	b.set(chip.STATUS, b.region().Read32(chip.STATUS)&^chip.StatusGIO)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := b.space.InUse(); n != 0 {
		t.Fatalf("%d bytes of DMA memory still allocated", n)
	}
}
