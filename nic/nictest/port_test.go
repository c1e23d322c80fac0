package nictest

import (
	"bytes"
	"errors"
	"testing"

	"glassnic/internal/wake"
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

// A queue with a frame cannot be armed, and one that was armed wakes by the next frame until it is disarmed.
func TestWaiter(t *testing.T) {
	p, err := New(Config{Buffers: 64, Interrupts: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	q := p.RxQueue(0).(nic.Waiter)
	var set wake.Set
	set.Add(q.WaitFD())
	woken := func() bool {
		ok, err := set.Sleep(0)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	p.Arrive(0, []byte{1})
	if woken() || q.Arm() {
		t.Error("armed with a frame in the queue, or woken without having been armed")
	}
	batch := make([]*packet.Buf, 8)
	packet.Free(batch[:p.RxQueue(0).Receive(batch)])
	for range 2 {
		if !q.Arm() || woken() {
			t.Error("not armed when it is empty")
		}
	}
	p.Arrive(0, []byte{1})
	if !woken() || q.Arm() {
		t.Error("not woken")
	}
	q.Disarm()
	p.Arrive(0, []byte{1})
	if woken() {
		t.Error("woken after Disarm")
	}
	if other, err := New(Config{}); err != nil || other.RxQueue(0).(nic.Waiter).WaitFD() != -1 || other.RxQueue(0).(nic.Waiter).Arm() {
		t.Error("a port without interrupts can be armed", err)
	} else {
		other.Close()
	}
}
