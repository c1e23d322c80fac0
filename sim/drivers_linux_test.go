package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/wire"
)

// runServer has a goroutine run the server until stop is called.
func runServer(t *testing.T, s *Server) (stop func()) {
	t.Helper()
	return start(t, func(ctx context.Context) {
		if err := s.Run(ctx, nil); err != nil {
			t.Error(err)
		}
	})
}

func (p *ServedPort) receiving() bool {
	return p.reg(facts.RXCTRL)&facts.RxctrlRXEN != 0 && p.reg(facts.RXDCTL(0))&facts.RxdctlENABLE != 0
}

// pages returns memory of a function, 2 MiB at a time, as much as there is but at most n, filled with
// a pattern.
func pages(t *testing.T, alloc dma.Allocator, n int) (all []dma.Memory) {
	t.Helper()
	for len(all) < n {
		m, err := alloc.Alloc(dma.SharedPage, 0)
		if errors.Is(err, dma.ErrNoMemory) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		copy(m.Bytes, pattern)
		all = append(all, m)
	}
	return all
}

var pattern = bytes.Repeat([]byte{0xa5, 0x5a}, dma.SharedPage/2)

func wantPattern(t *testing.T, what string, all []dma.Memory) {
	t.Helper()
	for _, m := range all {
		if !bytes.Equal(m.Bytes, pattern) {
			t.Fatalf("%s: memory at %#x was written to", what, m.IOVA)
		}
	}
}

// A driver dies in the midst of traffic. Its card writes to its memory until the server's next look, and
// nobody else has that memory before.
func TestDriverKilled(t *testing.T) {
	dir := t.TempDir()
	st := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX}})
	s := mustServe(t, dir, testMemory, st.wire(), new(wire.None))
	card, addr := s.Ports()[0], "shm:"+filepath.Join(dir, "p0")
	stop := runServer(t, s)
	c := startChild(t, addr)
	stop()
	eventually(t, "descriptors for the card", func() bool {
		return (card.reg(facts.RDT(0))-card.reg(facts.RDH(0)))%512 > 256
	})
	c.kill()

	const total = testMemory/dma.SharedPage - 1
	f, err := os.Open(filepath.Join(dir, "dma"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	left := map[uint64]bool{}
	for i := int64(1); i <= total; i++ {
		if data, err := unix.Seek(int(f.Fd()), i*dma.SharedPage, unix.SEEK_DATA); err == nil && data < (i+1)*dma.SharedPage {
			left[uint64(i)*dma.SharedPage] = true
		}
	}
	other := mustOpen(t, "shm:"+filepath.Join(dir, "p1"))
	mine := pages(t, other.DMA(), total-len(left))
	if len(mine) != total-len(left) || len(left) == 0 {
		t.Fatalf("got %d pages of %d; %d are the dead driver's", len(mine), total, len(left))
	}
	for _, m := range mine {
		if left[m.IOVA] {
			t.Errorf("another driver got the dead one's page at %#x", m.IOVA)
		}
	}
	moved := 0
	for range 4 {
		moved += card.Card.Poll(64)
	}
	if moved == 0 || !card.receiving() {
		t.Errorf("the card has stopped by itself, %d frames: this test sees nothing", moved)
	}
	wantPattern(t, "before the reset", mine)

	for _, p := range s.Ports() {
		if err := p.look(); err != nil {
			t.Error(err)
		}
	}
	if card.receiving() || card.Driver() || !s.Ports()[1].Driver() {
		t.Errorf("receiving: %v, driver seen at p0: %v, at p1: %v", card.receiving(), card.Driver(), s.Ports()[1].Driver())
	}
	mine = append(mine, pages(t, other.DMA(), total)...)
	if len(mine) != total {
		t.Errorf("got %d pages of %d", len(mine), total)
	}
	sent := st.sent()
	for range 1000 {
		card.Card.Poll(64)
	}
	if st.sent() != sent {
		t.Errorf("%d frames left the wire after the reset", st.sent()-sent)
	}
	wantPattern(t, "after the reset", mine)
	for _, m := range mine {
		other.DMA().Free(m)
	}
	mustClose(t, other)

	// Run looks as well, and the next driver finds everything in order.
	stop = runServer(t, s)
	for range 3 {
		c := startChild(t, addr)
		if !card.receiving() {
			t.Error("not receiving")
		}
		c.kill()
		eventually(t, "reset of the card", func() bool { return !card.receiving() })
	}
	startChild(t, addr).kill() // the next comes at once
	startChild(t, addr).kill()
	stop()
	for _, f := range s.space.Faults() {
		t.Error(f)
	}
	mustClose(t, s)
}

// openServed has the driver open p0 and p1 of a directory.
func openServed(t *testing.T, dir string) *pair {
	t.Helper()
	p := new(pair)
	for i := range p.dev {
		fn := mustOpen(t, fmt.Sprintf("shm:%s/p%d", dir, i))
		var err error
		if p.pool == nil {
			if p.pool, err = packet.NewPool(fn.DMA(), packet.PoolConfig{}); err != nil {
				t.Fatal(err)
			}
		}
		if p.dev[i], err = nic.OpenFunction(context.Background(), fn, nic.Config{Pool: p.pool, Port: uint8(i), Promiscuous: true}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestServerForwards(t *testing.T) {
	const count = 20_000
	dir := t.TempDir()
	a := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX, Stream: 1}, Count: count})
	b := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX, Stream: 2}, Count: count})
	s := mustServe(t, dir, testMemory, a.wire(), b.wire())
	stop := runServer(t, s)
	p := openServed(t, dir)
	end := start(t, func(ctx context.Context) { forwardBoth(ctx, p.dev[0], p.dev[1]) })
	eventually(t, "all frames through", func() bool {
		return a.sink.Stats().TxFrames == count && b.sink.Stats().TxFrames == count
	})
	end()
	wantExact(t, "p0 to p1", b, count)
	wantExact(t, "p1 to p0", a, count)
	p.close(t)
	stop()
	mustClose(t, s)
}

// shutter is a wire that can be shut: nothing arrives from it any more.
type shutter struct {
	wire.End
	shut atomic.Bool
}

func (s *shutter) Receive(frames []wire.Frame) int {
	if s.shut.Load() {
		return 0
	}
	return s.End.Receive(frames)
}

// The server ends and another takes its place while a driver forwards: the streams go on, in order, and
// lack at most what each card had taken from its wire.
func TestServerReplaced(t *testing.T) {
	const servers, perServer, packetBuffer = 5, 10_000, 256
	dir := t.TempDir()
	a, b := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Stream: 1}}), newStation(t, wire.SourceConfig{Spec: traffic.Spec{Stream: 2}})
	ends := []*shutter{{End: a.wire()}, {End: b.wire()}}
	arrived := func() uint64 { return min(a.sink.Stats().TxFrames, b.sink.Stats().TxFrames) }
	s := mustServe(t, dir, testMemory, ends[0], ends[1])
	stop := runServer(t, s)
	p := openServed(t, dir)
	end := start(t, func(ctx context.Context) { forwardBoth(ctx, p.dev[0], p.dev[1]) })
	for i := range servers {
		before := arrived()
		eventually(t, "traffic", func() bool { return arrived() > before+perServer })
		if i == servers-1 {
			break
		}
		stop()
		mustClose(t, s)
		s = mustServe(t, dir, testMemory, ends[0], ends[1])
		for i, port := range s.Ports() {
			if !port.Driver() || !port.receiving() {
				t.Errorf("port %d of the new server: driver seen %v, receiving %v", i, port.Driver(), port.receiving())
			}
		}
		stop = runServer(t, s)
	}
	for i, st := range []station{a, b} {
		ends[i].shut.Store(true)
		out := []station{b, a}[i]
		var n traffic.Totals
		eventually(t, "all frames through", func() bool {
			n = out.sink.Totals()
			return n.OK+n.Lost == st.sent()
		})
		if n.OK != n.Frames() || n.Lost > (servers-1)*packetBuffer {
			t.Errorf("stream %d: %+v", i+1, n)
		}
	}
	end()
	p.close(t)
	stop()
	mustClose(t, s)
}
