package afxdp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// TestFrames: frames of all sizes and kinds come over as they were sent, in each mode.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		options string
		mtu     int
		card    string
		again   nic.Config
	}{
		{"", 1500, "native XDP, copied", nic.Config{}},
		{",mode=generic", 1500, "generic XDP, copied", nic.Config{}},
		{",copy,busy-poll=32", 1500, "native XDP, copied", nic.Config{}},
		{",mode=native", 9000, "native XDP, copied, frames in several buffers", nic.Config{MTU: 9000}},
		{",mode=generic", 9000, "generic XDP, copied, frames in several buffers", nic.Config{MTU: 9000}},
		{"", 3500, "native XDP, copied", nic.Config{MTU: 3500}},
	} {
		t.Run(fmt.Sprint(c.options, " ", c.mtu), func(t *testing.T) {
			netns.RunPair(t, c.mtu, 4, func() {
				a, b := open(t, "left"+c.options, c.again), open(t, "right"+c.options, c.again)
				defer closeAll(t, a, b)
				if card := a.Info().Card; !strings.HasPrefix(card, "network interface, "+c.card) || !strings.HasSuffix(card, c.card) {
					t.Error(card)
				}
				var sent [][]byte
				for _, size := range []int{14, 60, 1514, c.mtu + 14} {
					sent = append(sent, testFrame(size, "\x88\xb5"))
				}
				sent = append(sent, testFrame(100, "\x81\x00\x20\x05\x88\xb5"), testFrame(c.mtu+14, "\x88\xa8\x00\x07\x81\x00\x00\x05\x88\xb5"))
				for _, part := range []int{3900, 1900, 1000, 100} {
					send(t, a, 0, part, sent...)
					for i, got := range receive(t, b.rx[0], len(sent)) {
						if !bytes.Equal(got, sent[i]) {
							t.Errorf("frame %d in parts of %d: %d bytes, want %d: % x", i, part, len(got), len(sent[i]), got[:14])
						}
					}
				}
				before, _ := a.Stats()
				send(t, a, 0, 1900, testFrame(c.mtu+14+9, "\x88\xb5"), testFrame(13, "\x88"), testFrame(60, "\x88\xb5"))
				if got := receive(t, b.rx[0], 1); !bytes.Equal(got[0], testFrame(60, "\x88\xb5")) {
					t.Errorf("%d bytes: % x", len(got[0]), got[0][:14])
				}
				if s, _ := a.Stats(); s.TxDropped != 2 || s.TxPackets != before.TxPackets+1 || s.RxPackets != 0 {
					t.Errorf("%+v", s)
				}
				if s, _ := b.Stats(); s.RxPackets != before.TxPackets+1 || s.RxMissed+s.RxErrors+s.RxDropped != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestQueues: what is sent by a queue comes to the queue of the same number, by way of which veth has it.
func TestQueues(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		cfg := nic.Config{RxQueues: 4, TxQueues: 4}
		a, b := open(t, "left", cfg), open(t, "right", cfg)
		defer closeAll(t, a, b)
		for i := range 4 {
			for k := range 100 {
				send(t, a, i, 2048, testFrame(60+k+i, "\x88\xb5"))
			}
		}
		for i := range 4 {
			for k, got := range receive(t, b.rx[i], 100) {
				if !bytes.Equal(got, testFrame(60+k+i, "\x88\xb5")) {
					t.Errorf("queue %d: frame %d has %d bytes", i, k, len(got))
				}
			}
		}
	})
}

// TestMissed: what the kernel could not hand over is counted: frames too long for the port, and those for which there
// was no room.
func TestMissed(t *testing.T) {
	netns.RunPair(t, 1900, 4, func() {
		a, b := open(t, "left,mode=generic", nic.Config{MTU: 1750}), open(t, "right,mode=generic", nic.Config{MTU: 1500, RxRing: 64})
		defer closeAll(t, a, b)
		const n = 500
		for range n {
			send(t, a, 0, 2048, testFrame(1700, "\x88\xb5"))
		}
		wait(t, "overrun", func() bool {
			s, _ := b.Stats()
			return s.RxMissed == n-64
		})
		batch := make([]*packet.Buf, 8)
		wait(t, "long frames", func() bool {
			packet.Free(batch[:b.rx[0].Receive(batch)])
			s, _ := b.Stats()
			return s.RxErrors == 64
		})
		send(t, a, 0, 2048, testFrame(60, "\x88\xb5"))
		receive(t, b.rx[0], 1)
		s, _ := b.Stats()
		if s.RxPackets != 1 {
			t.Errorf("%+v", s)
		}
		for _, c := range s.Counters {
			if c.Name == "rx_fill_ring_empty_descs" && c.Value == 0 || c.Name == "rx_dropped" && c.Value != n-64 {
				t.Errorf("%+v", c)
			}
		}
	})
}

// TestNoBuffers: a port whose pool is empty receives again when it is not.
func TestNoBuffers(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{Buffers: 64, RxRing: 64})
		defer closeAll(t, a, b)
		var held []*packet.Buf
		batch := make([]*packet.Buf, 1)
		sent := 0
		wait(t, "want of buffers", func() bool {
			send(t, a, 0, 2048, testFrame(60, "\x88\xb5"))
			sent++
			held = append(held, batch[:b.rx[0].Receive(batch)]...)
			s, _ := b.Stats()
			return s.RxMissed > 0 && s.RxNoBuffer > 0
		})
		packet.Free(held)
		wait(t, "frame after that", func() bool {
			send(t, a, 0, 2048, testFrame(70, "\x88\xb5"))
			k := b.rx[0].Receive(batch)
			size := 0
			if k == 1 {
				size = batch[0].Len()
			}
			packet.Free(batch[:k])
			return size == 70
		})
	})
}

// TestSharedMemory: a port sends another one's frames as they lie.
func TestSharedMemory(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		netns.Command(t, "ip link add third type veth peer name fourth")
		netns.Command(t, "ip link set third up")
		netns.Command(t, "ip link set fourth up")
		cfg := nic.Config{Buffers: 1100} // four such pools find room in a region
		a, b, c, d := open(t, "left", cfg), open(t, "right,mode=generic", cfg), open(t, "third", cfg), open(t, "fourth", cfg)
		defer closeAll(t, a, b, c, d)
		if b.Info().Domain != c.Info().Domain || b.Info().Pool == c.Info().Pool {
			t.Error("two ports, whose memory is not shared")
		}
		batch := make([]*packet.Buf, 1)
		for i := range 100 {
			send(t, a, 0, 2048, testFrame(60+i, "\x88\xb5"))
			wait(t, "frame", func() bool { return b.rx[0].Receive(batch) == 1 })
			through := batch[0]
			if c.tx[0].Send(batch) != 1 || c.tx[0].out[through.IOVA()>>chunkShift].Buf() != through {
				t.Error("the transmit ring does not have the buffer that was received")
				return
			}
			if got := receive(t, d.rx[0], 1); !bytes.Equal(got[0], testFrame(60+i, "\x88\xb5")) {
				t.Errorf("% x", got[0])
			}
		}
	})
}

// TestForeignPool: frames in other memory are copied.
func TestForeignPool(t *testing.T) {
	netns.RunPair(t, 9000, 4, func() {
		cfg := nic.Config{MTU: 9000}
		a, b := open(t, "left", cfg), open(t, "right", cfg)
		defer closeAll(t, a, b)
		pool, err := packet.NewPool(dma.NewHeap(), packet.PoolConfig{Buffers: 256})
		if err != nil {
			t.Error(err)
			return
		}
		for _, size := range []int{60, 1514, 9014} {
			if a.tx[0].Send([]*packet.Buf{build(t, pool, 700, testFrame(size, "\x88\xb5"))}) != 1 {
				t.Error("not taken")
			}
			if got := receive(t, b.rx[0], 1); !bytes.Equal(got[0], testFrame(size, "\x88\xb5")) {
				t.Errorf("%d bytes: % x", len(got[0]), got[0][:14])
			}
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if a.tx[0].UseCache(pool.NewCache()) {
			t.Error("a cache of other memory was taken")
		}
	})
}

// TestSleep: a queue that is armed becomes readable when a frame comes, and is not armed where there is one.
func TestSleep(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{Interrupts: true})
		defer closeAll(t, a, b)
		if a.rx[0].WaitFD() >= 0 {
			t.Error("a port without interrupts can be waited for")
		}
		for range 3 {
			if !b.rx[0].Arm() {
				t.Error("not armed")
			}
			fds := []unix.PollFd{{Fd: int32(b.rx[0].WaitFD()), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds, 0); n != 0 || err != nil {
				t.Errorf("readable without a frame: %d, %v, %+v", n, err, fds)
			}
			send(t, a, 0, 2048, testFrame(60, "\x88\xb5"))
			if n, err := unix.Poll(fds, 20_000); n != 1 || err != nil || fds[0].Revents != unix.POLLIN {
				t.Errorf("%d, %v, %+v", n, err, fds)
			}
			b.rx[0].Disarm()
			if b.rx[0].Arm() {
				t.Error("armed although a frame is there")
			}
			receive(t, b.rx[0], 1)
		}
	})
}

func TestAllocations(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{})
		defer closeAll(t, a, b)
		out, in := make([]*packet.Buf, 32), make([]*packet.Buf, 64)
		cache := a.Info().Pool.NewCache()
		defer cache.Flush()
		a.tx[0].UseCache(cache)
		defer a.tx[0].UseCache(nil)
		back := b.Info().Pool.NewCache()
		defer back.Flush()
		data := testFrame(200, "\x88\xb5")
		got := 0
		n := testing.AllocsPerRun(200, func() {
			k := cache.Fill(out)
			for _, p := range out[:k] {
				p.SetBytes(data)
			}
			a.tx[0].Send(out[:k])
			m := b.rx[0].Receive(in)
			got += m
			back.Put(in[:m])
		})
		if n != 0 || got == 0 {
			t.Errorf("%v allocations for a batch, %d frames received", n, got)
		}
	})
}

func TestRefused(t *testing.T) {
	netns.RunPair(t, 9000, 4, func() {
		foreign, err := packet.NewPool(dma.NewHeap(), packet.PoolConfig{Buffers: 64})
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range []struct {
			rest string
			cfg  nic.Config
			want string
		}{
			{"nothing", nic.Config{}, "no such interface"},
			{"", nic.Config{}, "no interface"},
			{"much-too-long-a-name", nic.Config{}, "1 to 15 bytes"},
			{"left,mode=hardware", nic.Config{}, "mode=native|generic"},
			{"left,busy-poll=0", nic.Config{}, "want 1 to 32768 frames"},
			{"left", nic.Config{RxQueues: 5}, "queue 4"},
			{"left", nic.Config{Room: 4096}, "want 3968 at most"},
			{"left", nic.Config{Pool: foreign}, "no UMEM"},
			{"left", nic.Config{VLANs: []uint16{5}}, "no filter of VLANs"},
			// The program of a port with frames of one buffer does not go with longer ones.
			{"left,mode=native", nic.Config{}, "native mode"},
		} {
			dev, err := nic.Open(t.Context(), "xdp:"+c.rest, c.cfg)
			if dev != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v", c.rest, err)
			}
		}
		a := open(t, "left", nic.Config{})
		defer closeAll(t, a)
		if card := a.Info().Card; !strings.Contains(card, "generic XDP, copied (the driver does not") {
			t.Error(card)
		}
		if _, err := nic.Open(t.Context(), "xdp:left", nic.Config{}); err == nil || !strings.Contains(err.Error(), "has another one") {
			t.Errorf("two ports at an interface: %v", err)
		}
		if len(regions.all) != 1 || regions.all[0].users != 1 {
			t.Errorf("ports that were refused keep memory: %d regions, %+v", len(regions.all), regions.all[0].users)
		}
	})
	if len(regions.all) != 0 {
		t.Error("memory without a port")
	}
}

// TestGone: an interface that is removed is an error and hangs nothing.
func TestGone(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a := open(t, "left", nic.Config{Interrupts: true})
		defer closeAll(t, a)
		netns.Command(t, "ip link delete left")
		if err := a.Trouble(); !errors.Is(err, nic.ErrGone) {
			t.Error(err)
		}
		for range 2000 {
			send(t, a, 0, 2048, testFrame(60, "\x88\xb5"))
			if a.rx[0].Receive(make([]*packet.Buf, 8)) != 0 {
				t.Error("a frame of nowhere")
			}
		}
		if s, err := a.Stats(); err != nil || s.TxDropped < 2000-512 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestDown: while the interface is down, frames are dropped and counted, and then it goes on.
func TestDown(t *testing.T) {
	netns.RunPair(t, 1500, 4, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{})
		defer closeAll(t, a, b)
		for i := range 3 {
			netns.Command(t, "ip link set left down")
			if l, err := a.Link(); err != nil || l.Up {
				t.Errorf("%+v, %v", l, err)
			}
			for range 1000 {
				send(t, a, 0, 2048, testFrame(60, "\x88\xb5"))
			}
			if s, _ := a.Stats(); s.TxDropped+s.TxPackets != 1000*uint64(i+1)+100*uint64(i) || s.TxDropped == 0 {
				t.Errorf("%+v", s)
			}
			netns.Command(t, "ip link set left up")
			wait(t, "link", func() bool {
				l, _ := a.Link()
				return l.Up
			})
			for range 100 {
				send(t, a, 0, 2048, testFrame(70, "\x88\xb5"))
			}
			n := 0
			wait(t, "frames after that", func() bool {
				for _, f := range receive(t, b.rx[0], 1) {
					if len(f) == 70 {
						n++
					}
				}
				return n == 100
			})
		}
	})
}

// TestKilled: a port whose process is killed leaves nothing behind: the kernel receives again, and so does another port.
func TestKilled(t *testing.T) {
	if name := os.Getenv("AFXDP_CHILD"); name != "" {
		if _, err := nic.Open(t.Context(), "xdp:"+name, nic.Config{}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("open")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	netns.RunPair(t, 1500, 4, func() {
		for _, mode := range []string{"native", "generic"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), "AFXDP_CHILD=left,mode="+mode)
			out, err1 := cmd.StdoutPipe()
			in, err2 := cmd.StdinPipe()
			if err := errors.Join(err1, err2, cmd.Start()); err != nil {
				t.Error(err)
				return
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
				t.Errorf("%q, %v", line, err)
			}
			if !strings.Contains(netns.Command(t, "ip link show left"), "xdp") {
				t.Error("no program while the port is open")
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			_ = in.Close()
			for end := time.Now().Add(20 * time.Second); strings.Contains(netns.Command(t, "ip link show left"), "xdp"); {
				if time.Now().After(end) {
					t.Error("the program outlives its process")
					return
				}
			}
			a, b := open(t, "left,mode="+mode, nic.Config{}), open(t, "right", nic.Config{})
			send(t, b, 0, 2048, testFrame(60, "\x88\xb5"))
			receive(t, a.rx[0], 1)
			closeAll(t, a, b)
		}
	})
}
