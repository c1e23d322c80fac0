package afxdp

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/packet"
)

func open(t *testing.T, rest string, cfg nic.Config) *Device {
	t.Helper()
	dev, err := nic.Open(t.Context(), "xdp:"+rest, cfg)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return dev.(*Device)
}

func closeAll(t *testing.T, ports ...nic.Device) {
	t.Helper()
	if err := nic.CloseAll(ports...); err != nil {
		t.Error(err)
	}
}

// build makes a frame of a pool, each of its buffers with at most some bytes.
func build(t *testing.T, pool *packet.Pool, part int, f []byte) *packet.Buf {
	t.Helper()
	var first, last *packet.Buf
	for len(f) > 0 {
		var b [1]*packet.Buf
		if pool.Alloc(b[:]) == 0 {
			t.Error("no buffer")
			runtime.Goexit()
		}
		k := min(len(f), part)
		b[0].SetBytes(f[:k])
		if f = f[k:]; first == nil {
			first = b[0]
		} else {
			last.SetNext(b[0])
		}
		last = b[0]
	}
	return first
}

// send sends frames of a port's own pool.
func send(t *testing.T, d *Device, queue, part int, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		one := []*packet.Buf{build(t, d.Info().Pool, part, f)}
		wait(t, "room in the transmit ring", func() bool { return d.tx[queue].Send(one) == 1 })
	}
}

// receive waits for frames.
func receive(t *testing.T, q *rxQueue, n int) (all [][]byte) {
	t.Helper()
	batch := make([]*packet.Buf, 7)
	wait(t, "frames", func() bool {
		k := q.Receive(batch)
		for _, b := range batch[:k] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(batch[:k])
		return len(all) >= n
	})
	return all
}

// wait waits until something is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Errorf("no %s", what)
			runtime.Goexit()
		}
	}
}

func testFrame(size int, typ string) []byte {
	f := bytes.Repeat([]byte{byte(size)}, size)
	copy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01"+typ)
	return f
}
