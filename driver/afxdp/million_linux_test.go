package afxdp

import (
	"encoding/binary"
	"testing"

	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// TestMillion sends half a million frames each way between native and generic mode and checks every byte; none is lost,
// since no more are under way than the kernel has room for.
func TestMillion(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a, b := open(t, "left,mode=native", nic.Config{}), open(t, "right,mode=generic", nic.Config{})
		defer closeAll(t, a, b)
		const count, window = 500_000, 64
		var lines []*line
		for _, way := range [][2]*Device{{a, b}, {b, a}} {
			l := &line{tx: way[0].tx[0], rx: way[1].rx[0], out: way[0].Info().Pool.NewCache(), in: way[1].Info().Pool.NewCache()}
			l.pattern = make([]byte, 1514+256)
			for i := range l.pattern {
				l.pattern[i] = byte(i * 7)
			}
			defer l.out.Flush()
			defer l.in.Flush()
			lines = append(lines, l)
		}
		for lines[0].received < count || lines[1].received < count {
			for _, l := range lines {
				l.send(min(window, count-l.sent))
			}
			wait(t, "frames", func() bool {
				lines[0].receive(t)
				lines[1].receive(t)
				return lines[0].received == lines[0].sent && lines[1].received == lines[1].sent
			})
		}
	})
}

// line is one way between two ports.
type line struct {
	tx             *txQueue
	rx             *rxQueue
	out, in        *packet.Cache
	sent, received int
	pattern        []byte
	batch          [64]*packet.Buf
}

// size is how long a frame is.
func size(number int) int { return []int{60, 61, 200, 777, 1514}[number%5] }

func (l *line) send(n int) {
	n = l.out.Fill(l.batch[:n])
	for i, f := range l.batch[:n] {
		number := l.sent + i
		f.SetBytes(l.pattern[number&255:][:size(number)])
		binary.BigEndian.PutUint64(f.Bytes()[20:], uint64(number))
	}
	k := l.tx.Send(l.batch[:n])
	l.out.Put(l.batch[k:n])
	l.sent += k
}

// receive takes what has come and checks it.
func (l *line) receive(t *testing.T) {
	n := l.rx.Receive(l.batch[:])
	for _, f := range l.batch[:n] {
		b, want := f.Bytes(), l.pattern[l.received&255:][:size(l.received)]
		if len(b) != len(want) || binary.BigEndian.Uint64(b[20:]) != uint64(l.received) || string(b[:20]) != string(want[:20]) || string(b[28:]) != string(want[28:]) {
			t.Errorf("frame %d: %d bytes, want %d: % x", l.received, len(b), len(want), b[:min(len(b), 40)])
		}
		l.received++
	}
	l.in.Put(l.batch[:n])
}
