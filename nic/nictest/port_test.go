package nictest

import (
	"bytes"
	"errors"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

var _ nic.Device = (*Port)(nil)

func TestCable(t *testing.T) {
	a, err := New(Config{Name: "a", Queues: 2, Ring: 4, Buffers: 64, Room: 64})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{Name: "b", Ring: 4, Buffers: 64, Room: 64})
	if err != nil {
		t.Fatal(err)
	}
	Connect(a, b)
	long := bytes.Repeat([]byte("0123456789"), 20) // four buffers
	if n := a.Arrive(1, long, []byte("x")); n != 2 {
		t.Fatalf("%d arrived", n)
	}
	batch := make([]*packet.Buf, 8)
	if n := a.RxQueue(1).Receive(batch); n != 2 || batch[0].Segments() != 4 || a.RxQueue(0).Receive(batch[2:]) != 0 {
		t.Fatalf("received %d frames", n)
	}
	if n := a.TxQueue(1).Send(batch[:2]); n != 2 {
		t.Fatalf("sent %d", n)
	}
	if n := b.RxQueue(0).Receive(batch); n != 2 || !bytes.Equal(batch[0].AppendTo(nil), long) {
		t.Fatalf("%d frames came through", n)
	}
	packet.Free(batch[:2])

	// The cable has room for 4 frames and then pushes back.
	a.Arrive(0, []byte{1}, []byte{2}, []byte{3}, []byte{4}, []byte{5})
	a.RxQueue(0).Receive(batch)
	a.TxQueue(0).Send(batch[:4])
	a.Arrive(0, []byte{6})
	a.RxQueue(0).Receive(batch)
	if n := a.TxQueue(0).Send(batch[:1]); n != 0 {
		t.Error("a full cable took a frame")
	}
	packet.Free(batch[:1])
	if s, _ := a.Stats(); s.RxMissed != 1 || s.TxPackets != 6 || s.RxPackets != 7 {
		t.Errorf("%+v", s)
	}
	if n := b.RxQueue(0).Receive(batch[:1]); n != 1 {
		t.Fatal("nothing arrived")
	}
	if err := b.Close(); !errors.Is(err, packet.ErrLeaked) {
		t.Errorf("Close with a frame out: %v", err)
	}
	packet.Free(batch[:1])
	for _, p := range []*Port{a, b} {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
