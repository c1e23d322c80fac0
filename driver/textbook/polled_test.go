package textbook

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// source hands out n frames; it belongs to the goroutine that runs the world, but for sent.
type source struct {
	frame []byte
	n     int
	sent  atomic.Int64
}

func (s *source) Receive(frames []wire.Frame) int {
	n := min(len(frames), s.n)
	for i := range frames[:n] {
		frames[i] = wire.Frame{Data: s.frame}
	}
	s.n -= n
	return n
}

func (s *source) Send(frames []wire.Frame) int {
	s.sent.Add(int64(len(frames)))
	return len(frames)
}

func (s *source) Up() bool     { return true }
func (s *source) Close() error { return nil }

// The model watches from another goroutine, as it does from another process.
func TestPolled(t *testing.T) {
	const frames = 20000
	w, err := sim.NewWorld(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var ports [2]*Device
	ends := [2]*source{{frame: numbered(1)[0], n: frames}, {}}
	for i := range ports {
		p, err := w.Add(fmt.Sprint("card", i), model.Config{Wire: ends[i]})
		if err != nil {
			t.Fatal(err)
		}
		fn, err := p.Function()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			go func() {
				defer close(done)
				w.Run(ctx)
			}()
		}
		if ports[i], err = Open(fn, Config{}); err != nil {
			t.Fatal(err)
		}
	}
	batch := make([]*Buf, 32)
	limit := time.Now().Add(20 * time.Second)
	for dropped := int64(0); ends[1].sent.Load()+dropped < frames; {
		n := ports[0].Receive(batch)
		sent := ports[1].Send(batch[:n])
		Free(batch[sent:n])
		dropped += int64(n - sent)
		if n == 0 {
			runtime.Gosched() // where there is one thread only, the world needs it
		}
		if time.Now().After(limit) {
			t.Fatalf("%d of %d frames came out, %d dropped", ends[1].sent.Load(), frames, dropped)
		}
	}
	if err := errors.Join(ports[0].Stop(), ports[1].Stop(), ports[0].Close(), ports[1].Close()); err != nil {
		t.Error(err)
	}
	cancel()
	<-done
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
