package textbook

import (
	"bytes"
	"fmt"
	"testing"
)

func TestReceive(t *testing.T) {
	r := newRig(t)
	a, _ := r.open(t, Config{})
	want := numbered(100)
	r.wires[0].in = want
	r.step()
	var got [][]byte
	batch := make([]*Buf, 7)
	for n := a.Receive(batch); n > 0; n = a.Receive(batch) {
		for _, b := range batch[:n] {
			got = append(got, bytes.Clone(b.Bytes()))
		}
		Free(batch[:n])
	}
	same(t, got, want)
	account(t, a, 0)
}

func TestSend(t *testing.T) {
	r := newRig(t)
	a, _ := r.open(t, Config{})
	want := numbered(100)
	var batch []*Buf
	for _, f := range want {
		b := a.Alloc()
		if err := b.SetBytes(f); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, b)
	}
	if n := a.Send(batch); n != len(batch) {
		t.Fatalf("sent %d of %d", n, len(batch))
	}
	r.step()
	same(t, r.wires[0].out, want)
	a.Send(nil) // frees what was sent
	if got := a.unsent(); got >= cleanBatch {
		t.Errorf("%d buffers still in the ring", got)
	}
	account(t, a, a.unsent())
	if err := a.Alloc().SetBytes(make([]byte, 2048)); err == nil {
		t.Error("2048 bytes fit a buffer of 1984")
	}
	a.pool.top++ // what the line before allocated
}

// Frames go through both cards several times round the rings, with every setting.
func TestForwardRoundTheRings(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Ring: 64, Buffers: 256}, {Stride: 2176}, {ReportEvery: 32}, {Ring: 64, Stride: 2176, ReportEvery: 32, Apart: true},
	} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			r := newRig(t)
			a, b := r.open(t, cfg)
			want := numbered(2500)
			r.wires[0].in = want
			batch := make([]*Buf, 32)
			for range 200 {
				r.step()
				n := a.Receive(batch)
				if sent := b.Send(batch[:n]); sent != n {
					t.Fatalf("sent %d of %d", sent, n)
				}
			}
			r.step()
			same(t, r.wires[1].out, want)
			account(t, a, b.unsent())
			account(t, b, 0)
		})
	}
}

func TestSendStopsAtAFullRing(t *testing.T) {
	r := newRig(t)
	a, _ := r.open(t, Config{Ring: 64})
	r.wires[0].full = true
	var batch []*Buf
	for _, f := range numbered(80) {
		b := a.Alloc()
		if err := b.SetBytes(f); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, b)
	}
	if n := a.Send(batch); n != 63 {
		t.Fatalf("a ring of 64 took %d frames, want 63", n)
	}
	r.step()
	if n := a.Send(batch[63:]); n != 0 {
		t.Fatalf("a full ring took %d frames", n)
	}
	r.wires[0].full = false
	r.step()
	if n := a.Send(batch[63:]); n != 17 {
		t.Fatalf("sent %d, want 17", n)
	}
	r.step()
	same(t, r.wires[0].out, numbered(80))
}

func TestFramesWaitForBuffers(t *testing.T) {
	r := newRig(t)
	a, _ := r.open(t, Config{Ring: 64, Buffers: 128})
	want := numbered(100)
	r.wires[0].in = want
	var held []*Buf
	batch := make([]*Buf, 32)
	for range 10 {
		r.step()
		held = append(held, batch[:a.Receive(batch)]...)
	}
	if len(held) != 64 || a.NoBuffer == 0 {
		t.Fatalf("%d frames with 64 spare buffers, NoBuffer %d", len(held), a.NoBuffer)
	}
	var got [][]byte
	for len(held) > 0 {
		for _, b := range held {
			got = append(got, bytes.Clone(b.Bytes()))
		}
		Free(held)
		r.step()
		held = append(held[:0], batch[:a.Receive(batch)]...)
	}
	same(t, got, want)
}

func TestNothingAllocated(t *testing.T) {
	r := newRig(t)
	a, b := r.open(t, Config{})
	f := numbered(1)[0]
	batch := make([]*Buf, 32)
	in := make([][]byte, 32)
	for i := range in {
		in[i] = f
	}
	ran := 0
	allocs := testing.AllocsPerRun(100, func() {
		n := a.Receive(batch)
		ran += b.Send(batch[:n])
		r.wires[0].in = in
		r.wires[1].out = r.wires[1].out[:0]
		r.cards[0].Card.Step(64)
	})
	if allocs != 0 || ran == 0 {
		t.Errorf("%v allocations in a batch, %d frames", allocs, ran)
	}
}
