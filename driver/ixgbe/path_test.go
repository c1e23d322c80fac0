package ixgbe_test

import (
	"bytes"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

func TestReceive(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64})
	var want [][]byte
	// Several times round the ring, with all sizes of the standard MTU.
	for i := range 1000 {
		f := frame(60+(i*37)%1455, byte(i))
		want = append(want, f)
		r.wire.put(f)
	}
	r.step()
	got := r.receive()
	if len(got) != len(want) {
		t.Fatalf("received %d frames of %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("frame %d: %x, want %x", i, got[i], want[i])
		}
	}
	s, err := r.dev.Stats()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range want {
		n += len(f)
	}
	if s.RxPackets != uint64(len(want)) || s.RxBytes != uint64(n) {
		t.Errorf("stats: %d packets, %d bytes, want %d, %d", s.RxPackets, s.RxBytes, len(want), n)
	}
}

func TestSend(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64})
	q := r.dev.TxQueue(0)
	var want [][]byte
	for i := range 1000 {
		f := frame(60+(i*37)%1455, byte(i))
		want = append(want, f)
		part := len(f)
		if i%3 == 0 {
			part = len(f)/3 + 1
		}
		b := r.buf(f, part)
		for try := 0; q.Send([]*packet.Buf{b}) == 0; try++ {
			if try == 3 {
				t.Fatal("the ring stays full")
			}
			r.step()
		}
	}
	r.step()
	if len(r.wire.out) != len(want) {
		t.Fatalf("sent %d frames of %d", len(r.wire.out), len(want))
	}
	for i := range want {
		if !bytes.Equal(r.wire.out[i], want[i]) {
			t.Fatalf("frame %d: %x, want %x", i, r.wire.out[i], want[i])
		}
	}
	s, err := r.dev.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.TxPackets != 1000 || s.TxDropped != 0 {
		t.Errorf("stats: %d packets, %d dropped", s.TxPackets, s.TxDropped)
	}
}
