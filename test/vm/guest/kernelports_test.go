//go:build guest

package guest

import (
	"encoding/binary"
	"testing"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
)

// veth makes two interfaces that are joined, and opens both as ports.
func veth(t *testing.T, left, right string, cfg nic.Config) (from, to nic.Device) {
	t.Helper()
	command(t, "ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
	t.Cleanup(func() { command(t, "ip", "link", "del", "left") })
	for _, dev := range []string{"left", "right"} {
		command(t, "ip", "link", "set", dev, "up")
	}
	open := func(addr string, cfg nic.Config) nic.Device {
		port, err := nic.Open(t.Context(), addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
		return port
	}
	return open(left, nic.Config{}), open(right, cfg)
}

// numbered sends frames of several flows, with a number at their end, in one call.
func numbered(t *testing.T, port nic.Device, count int) {
	t.Helper()
	frames, err := traffic.New(traffic.Spec{Sizes: []int{100}, Flows: 16})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]*packet.Buf, count)
	if port.Info().Pool.Alloc(batch) != count {
		t.Fatal("the pool is empty")
	}
	for i, b := range batch {
		b.SetOffsetLen(packet.Headroom, 100)
		frames.Render(b.Bytes(), uint64(i))
		binary.BigEndian.PutUint64(b.Bytes()[92:], uint64(i))
	}
	if n := port.TxQueue(0).Send(batch); n != count {
		t.Fatalf("%d of %d frames are taken", n, count)
	}
}

// all receives until each of so many numbered frames has come, by any queue, and then whatever else there is. What the
// kernel itself sends is left out.
func all(t *testing.T, port nic.Device, count int) (times map[uint64]int) {
	t.Helper()
	times = map[uint64]int{}
	batch := make([]*packet.Buf, 32)
	look := func() bool {
		found := 0
		for q := range port.Info().RxQueues {
			n := port.RxQueue(q).Receive(batch)
			for _, b := range batch[:n] {
				if f := b.Bytes(); len(f) == 100 {
					times[binary.BigEndian.Uint64(f[92:])]++
				}
			}
			packet.Free(batch[:n])
			found += n
		}
		return found > 0
	}
	await(t, "the frames", func() bool {
		look()
		return len(times) == count
	})
	for look() {
	}
	return times
}

// TestFirstGroup opens the first port with several queues since the kernel has started: its sockets are in the first group
// that the kernel gives out, and each frame is for one of them.
func TestFirstGroup(t *testing.T) {
	from, to := veth(t, "packet:left", "packet:right", nic.Config{RxQueues: 4})
	for range 10 {
		numbered(t, from, 64)
		for number, n := range all(t, to, 64) {
			if n != 1 {
				t.Fatalf("frame %d is received %d times", number, n)
			}
		}
	}
}

// TestOneSend sends more frames in one call than the kernel takes at a time, and nothing behind them.
func TestOneSend(t *testing.T) {
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			from, to := veth(t, "xdp:left,mode="+mode, "xdp:right,mode="+mode, nic.Config{})
			for range 10 {
				numbered(t, from, 200)
				all(t, to, 200)
			}
		})
	}
}
