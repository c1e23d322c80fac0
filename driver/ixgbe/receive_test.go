package ixgbe_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func TestReceiveBatches(t *testing.T) {
	r := open(t, nic.Config{RxRing: 512})
	for _, size := range []int{1, 2, 3, 7, 16, 31, 32, 33, 64, 100, 256, 511, 512, 700} {
		var want [][]byte
		for i := range 1100 {
			want = append(want, frame(60+i%7, byte(i)))
			r.wire.put(want[i])
		}
		r.step()
		same(t, fmt.Sprint("batch ", size), r.receiveFrom(0, size), want)
	}
	if n := r.dev.RxQueue(0).Receive(nil); n != 0 {
		t.Errorf("an empty batch got %d frames", n)
	}
}

// The tail is written seldom, but never so late that the card runs out of descriptors.
func TestReceiveTail(t *testing.T) {
	tails := 0
	s, w := card(t, model.Config{Trace: func(e model.Event) {
		if e.Write && strings.HasPrefix(e.String(), "write RDT[0]") {
			tails++
		}
	}})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxRing: 128, Buffers: 512})}
	f := frame(60, 0)
	const lag = 32
	tails = 0
	batch := make([]*packet.Buf, 1)
	for i := range 1000 {
		w.put(f)
		r.step()
		if r.dev.RxQueue(0).Receive(batch) != 1 {
			t.Fatalf("frame %d did not come", i)
		}
		packet.Free(batch)
		// All that the driver does not hold back arrives at once.
		if i%7 == 0 {
			for range 128 - lag {
				w.put(f)
			}
			r.step()
			if len(w.in) > 0 {
				t.Fatalf("after %d frames the card lacks descriptors for %d", i, len(w.in))
			}
			r.receive()
		}
	}
	received := int(r.stats().RxPackets)
	if most := received/lag + 1; tails > most || tails < received/128 {
		t.Errorf("the tail was written %d times for %d frames, want %d to %d", tails, received, received/128, most)
	}
}

// A port whose pool is empty hands out what its ring has, counts that it lacks buffers, and loses no frame.
func TestReceivePoolEmpty(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64, Buffers: 128})
	var want, got [][]byte
	var held []*packet.Buf
	for i := range 300 {
		want = append(want, frame(60+i*11%1400, byte(i)))
		r.wire.put(want[i])
	}
	batch := make([]*packet.Buf, 8)
	waited := uint64(0)
	for round := 0; len(got) < len(want); round++ {
		if round == 1000 {
			t.Fatalf("stuck after %d frames", len(got))
		}
		r.step()
		n := r.dev.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			got = append(got, b.AppendTo(nil))
			held = append(held, b)
		}
		if n > 0 || len(held) == 0 {
			continue
		}
		if now := r.stats().RxNoBuffer; now == waited {
			t.Fatal("a frame waits for a buffer and is not counted")
		} else {
			waited = now
		}
		// What the card has filled does not wait for fresh buffers. One is in the descriptor that stays back.
		if len(held) != 127 && len(got) < len(want) {
			t.Errorf("%d frames came from a pool of 128 buffers, want 127", len(held))
		}
		packet.Free(held)
		held = held[:0]
	}
	packet.Free(held)
	same(t, "received", got, want)
	if s := r.stats(); s.RxMissed+s.RxDropped+s.RxErrors != 0 || s.RxPackets != 300 {
		t.Errorf("stats %s", brief(s))
	}
}

// On a wire that does not wait, each frame is received or counted as missed.
func TestReceiveMissed(t *testing.T) {
	w := &script{lossy: true}
	s, _ := card(t, model.Config{Wire: w})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxRing: 64, Buffers: 128})}
	got := 0
	for i := range 50 {
		for range 10 * i {
			w.put(frame(1514, byte(i)))
		}
		r.step()
		got += len(r.receive())
	}
	stats := r.stats()
	total := 10 * 49 * 50 / 2
	if stats.RxMissed == 0 || uint64(got) != stats.RxPackets || got+int(stats.RxMissed) != total {
		t.Errorf("%d frames: %d received, %d counted, %d missed", total, got, stats.RxPackets, stats.RxMissed)
	}
}

func TestReceivePort(t *testing.T) {
	r := open(t, nic.Config{Port: 201, MTU: 9000, Room: 1024})
	r.wire.put(frame(60, 1))
	r.wire.put(frame(3000, 2))
	r.step()
	batch := make([]*packet.Buf, 4)
	n := r.dev.RxQueue(0).Receive(batch)
	if n != 2 {
		t.Fatalf("%d frames", n)
	}
	for _, b := range batch[:n] {
		for s := b; s != nil; s = s.Next() {
			if s.Port() != 201 || s.Span().Offset() != packet.Headroom {
				t.Errorf("port %d, offset %d", s.Port(), s.Span().Offset())
			}
		}
	}
	packet.Free(batch[:n])
	if p := r.dev.Info().Port; p != 201 {
		t.Errorf("Info: port %d", p)
	}
}

// Frames that are damaged or of a forbidden length stay outside and are counted.
func TestReceiveErrors(t *testing.T) {
	r := open(t, nic.Config{})
	good := frame(60, 1)
	r.wire.in = []wire.Frame{
		{Data: good, Bad: true}, {Data: frame(1515, 0)}, {Data: frame(59, 0)}, {Data: good},
		{Data: frame(30, 0), Bad: true}, {Data: frame(2000, 0), Bad: true},
	}
	r.step()
	if got := r.receive(); len(got) != 1 || !bytes.Equal(got[0], good) {
		t.Errorf("received %d frames", len(got))
	}
	if s := r.stats(); s.RxErrors != 5 || s.RxPackets != 1 {
		t.Errorf("%d errors, %d packets, want 5, 1", s.RxErrors, s.RxPackets)
	}
	for _, name := range []string{"CRCERRS", "ROC", "RUC", "RFC", "RJC"} {
		if n := r.counter(name); n != 1 {
			t.Errorf("%s is %d, want 1", name, n)
		}
	}
}
