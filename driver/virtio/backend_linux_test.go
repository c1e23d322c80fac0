package virtio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	"glassnic/bus/memfd"
	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/driver/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

// player is a back-end that answers all requests and moves no frames, until it does something else to the one that
// comes after so many.
type player struct {
	features chip.Features
	trick    func(c *vhostuser.Conn, m *vhostuser.Message) bool // reports whether that was the answer
	after    int

	slots uint64          // of memory; 0: it has no such feature
	told  chan memoryTold // nil: nobody wants to know
	errs  chan int        // nil: nobody wants the file descriptors of SET_VRING_ERR
}

// memoryTold is what a back-end was told of memory.
type memoryTold struct {
	request vhostuser.Request
	regions []vhostuser.Region
}

const playerFeatures = chip.Features(vhostuser.FeatureProtocol) | chip.Version1 | chip.RingPacked | chip.EventIdx | chip.NetMrgRxbuf | chip.NetMQ

// play serves a connection to its end. It returns how many requests came.
func (p *player) play(c *vhostuser.Conn) (n int) {
	defer c.Close()
	features := p.features
	if features == 0 {
		features = playerFeatures
	}
	var status uint64
	var use vhostuser.ProtocolFeatures
	for ; ; n++ {
		m, err := c.Receive(0)
		if err != nil {
			return n
		}
		if p.told != nil {
			p.note(m)
		}
		if p.errs != nil && m.Request == vhostuser.SetVringErr {
			p.errs <- m.Take(0)
		}
		m.Close()
		if p.trick != nil && n == p.after {
			if p.trick(c, m) {
				continue
			}
			return n
		}
		var answer []byte
		switch m.Request {
		case vhostuser.GetFeatures:
			answer = vhostuser.PutU64(uint64(features))
		case vhostuser.GetProtocolFeatures:
			has := vhostuser.FeatureMQ | vhostuser.FeatureReplyAck | vhostuser.FeatureStatus
			if p.slots > 0 {
				has |= vhostuser.FeatureConfigureMemSlots
			}
			answer = vhostuser.PutU64(uint64(has))
		case vhostuser.GetMaxMemSlots:
			answer = vhostuser.PutU64(p.slots)
		case vhostuser.SetProtocolFeatures:
			v, _ := m.U64()
			use = vhostuser.ProtocolFeatures(v)
		case vhostuser.GetQueueNum:
			answer = vhostuser.PutU64(2)
		case vhostuser.GetVringBase:
			answer = m.Payload
		case vhostuser.SetStatus:
			status, _ = m.U64()
		case vhostuser.GetStatus:
			answer = vhostuser.PutU64(status)
		}
		if answer != nil {
			err = c.Answer(m, answer)
		} else {
			err = c.Acknowledge(m, use, true)
		}
		if err != nil {
			return n
		}
	}
}

// note passes on what a message says of memory.
func (p *player) note(m *vhostuser.Message) {
	switch m.Request {
	case vhostuser.SetMemTable:
		if all, err := m.Regions(); err == nil {
			p.told <- memoryTold{m.Request, all}
		}
	case vhostuser.AddMemReg:
		if r, err := m.Region(); err == nil {
			p.told <- memoryTold{m.Request, []vhostuser.Region{r}}
		}
	}
}

// A back-end is told of more memory before it is used: by the region that is new while it has a slot for that, else of
// all anew.
func TestMemorySlots(t *testing.T) {
	for _, slots := range []uint64{0, 1, 2, 64} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			s := newStage(t)
			p := &player{slots: slots, told: make(chan memoryTold, 10)}
			dev, err := s.open(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			space, err := memfd.Attach()
			if err != nil {
				t.Fatal(err)
			}
			at, filled := uint64(memfd.Base), uint64(0)
			var got []dma.Memory
			for range 4 {
				for len(p.told) == 0 {
					m, err := space.Arena().Alloc(space.PageSize(), space.PageSize())
					if err != nil && space.Huge() {
						t.Logf("no more huge pages: %v", err)
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, m)
				}
				if len(p.told) == 0 {
					break
				}
				is := <-p.told
				if len(is.regions) != 1 {
					t.Fatalf("%v of %d regions", is.request, len(is.regions))
				}
				want, from := vhostuser.AddMemReg, at
				if filled++; filled > slots {
					want, from, filled = vhostuser.SetMemTable, memfd.Base, 1
				}
				r := is.regions[0]
				if is.request != want || r.Guest != from || r.User != from || r.Offset != from-memfd.Base || r.Guest+r.Size <= at {
					t.Errorf("%v of %+v, want %v from %#x on", is.request, r, want, from)
				}
				at = r.Guest + r.Size
			}
			for _, m := range got {
				space.Arena().Free(m)
			}
			if err := errors.Join(dev.Close(), space.Detach()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A back-end that gives up a ring says so, and the port begins anew with it.
func TestErrorEvent(t *testing.T) {
	s := newStage(t)
	p := &player{errs: make(chan int, 10)}
	dev, err := s.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	again := &player{errs: make(chan int, 10)}
	s.players <- again
	if len(p.errs) != 2 {
		t.Fatalf("the back-end has %d events for two rings", len(p.errs))
	}
	fd := <-p.errs
	if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	wait(t, "a new session", func() bool { return len(again.errs) == 2 })
	wait(t, "the link", func() bool {
		l, err := dev.Link()
		return err == nil && l.Up
	})
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	for _, errs := range []chan int{p.errs, again.errs} {
		for len(errs) > 0 {
			_ = unix.Close(<-errs)
		}
	}
}

// stage is a socket at which one player after the other serves a connection.
type stage struct {
	path    string
	players chan *player
	counts  chan int
}

// newStage listens until the end of the test.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{path: filepath.Join(t.TempDir(), "s"), players: make(chan *player, 100), counts: make(chan int, 100)}
	end, err := vhostuser.Listen(s.path)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := end.Connect()
			if err != nil {
				return
			}
			select {
			case p := <-s.players:
				s.counts <- p.play(c)
			default:
				c.Close()
			}
		}
	})
	t.Cleanup(func() {
		if err := end.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		done.Wait()
	})
	return s
}

// open opens a port at the stage, with a player.
func (s *stage) open(ctx context.Context, p *player) (nic.Device, error) {
	s.players <- p
	return nic.Open(ctx, "virtio-user:"+s.path, small)
}

// tricks are what back-ends do that lie.
var tricks = map[string]func(*vhostuser.Conn, *vhostuser.Message) bool{
	"closes": func(*vhostuser.Conn, *vhostuser.Message) bool { return false },
	"answers another request": func(c *vhostuser.Conn, m *vhostuser.Message) bool {
		return c.Send(&vhostuser.Message{Request: m.Request + 1, Reply: true, Payload: vhostuser.PutU64(0)}) == nil
	},
	"answers with too little": func(c *vhostuser.Conn, m *vhostuser.Message) bool { return c.Answer(m, []byte{0}) == nil },
	"answers with too much":   func(c *vhostuser.Conn, m *vhostuser.Message) bool { return c.Answer(m, make([]byte, 200)) == nil },
	"refuses":                 func(c *vhostuser.Conn, m *vhostuser.Message) bool { return c.Answer(m, vhostuser.PutU64(1<<40)) == nil },
	"sends what nobody asked for": func(c *vhostuser.Conn, m *vhostuser.Message) bool {
		twice := errors.Join(c.Answer(m, nil), c.Answer(m, nil))
		return twice == nil
	},
}

// A back-end that does what it should not with any of its requests has the port refused, or opened: never does it hang
// or leave something behind. One that closes is always named.
func TestLyingBackend(t *testing.T) {
	shorten(t, 10*time.Millisecond, "reset", "drain")
	s := newStage(t)
	dev, err := s.open(t.Context(), &player{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	all := <-s.counts // requests of a port that is opened and closed
	before := holds(t)
	if all < 20 {
		t.Fatalf("%d requests", all)
	}
	for name, trick := range tricks {
		refused := 0
		for after := range all {
			begin := time.Now()
			dev, err := s.open(t.Context(), &player{trick: trick, after: after})
			if err != nil {
				refused++
				if text := err.Error(); !strings.Contains(text, "virtio-user:"+s.path) {
					t.Errorf("%s, request %d: the error does not name the port: %v", name, after, err)
				}
			} else if err := dev.Close(); err != nil && !strings.Contains(err.Error(), "may still write to memory") {
				t.Errorf("%s, request %d: %v", name, after, err)
			}
			<-s.counts
			if took := time.Since(begin); took > vhostuser.Timeout {
				t.Errorf("%s, request %d: it took %v", name, after, took)
			}
		}
		if now := holds(t); now != before {
			t.Errorf("%s: %s, before: %s", name, now, before)
		}
		// Of the requests, those after the last step of opening cannot refuse the port.
		if refused < all/2 {
			t.Errorf("%s: %d of %d refused", name, refused, all)
		}
	}
}

// holds is what the process has that could be leaked.
func holds(t *testing.T) string {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d files, %d mappings of memory that is shared", len(fds), strings.Count(string(maps), "memfd:glassnic"))
}

// A back-end that does not answer is given up after a while, whatever was asked.
func TestSilentBackend(t *testing.T) {
	var all sync.WaitGroup
	for _, after := range []int{0, 1, 3, 10} {
		s := newStage(t)
		all.Go(func() {
			dev, err := s.open(t.Context(), &player{after: after, trick: func(c *vhostuser.Conn, _ *vhostuser.Message) bool {
				_, _ = c.Receive(0) // the driver's end
				return false
			}})
			if err == nil {
				t.Errorf("request %d: the port is open", after)
				_ = dev.Close()
				return
			}
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("request %d: %v", after, err)
			}
		})
	}
	all.Wait()
}

// Back-ends that lie while the port begins anew do not keep it from the next one.
func TestLyingAgain(t *testing.T) {
	s := newStage(t)
	dev, err := s.open(t.Context(), &player{after: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	}()
	tx, pool := dev.TxQueue(0), dev.Info().Pool
	var buf [1]*packet.Buf
	if pool.Alloc(buf[:]) != 1 || !buf[0].SetBytes(make([]byte, 60)) || tx.Send(buf[:]) != 1 {
		t.Fatal("no frame was sent")
	}
	for i := range 3 {
		for _, trick := range tricks {
			s.players <- &player{trick: trick, after: 7 * i}
		}
	}
	s.players <- &player{features: playerFeatures &^ chip.RingPacked, after: 1000, trick: tricks["closes"]}
	hangUp(t, dev)
	for range 3*len(tricks) + 1 {
		wait(t, "the next back-end", func() bool { return len(s.counts) > 0 })
		<-s.counts
		if l, err := dev.Link(); err != nil || l.Up {
			t.Errorf("the link is %+v, %v", l, err)
		}
	}
	wait(t, "what is wrong with a back-end without packed rings", func() bool {
		trouble := dev.(nic.Watched).Trouble()
		return errors.Is(trouble, nic.ErrLinkDown) && strings.Contains(trouble.Error(), "VIRTIO_F_RING_PACKED is not offered")
	})
	s.players <- &player{}
	wait(t, "the link", func() bool { l, err := dev.Link(); return err == nil && l.Up })
	if err := dev.(nic.Watched).Trouble(); err != nil {
		t.Error(err)
	}
	st, err := dev.Stats()
	if err != nil || st.TxPackets != 1 || st.TxDropped != 1 {
		t.Errorf("%+v, %v: the frame that went with the first back-end is not counted as lost", st, err)
	}
	if pool.Alloc(buf[:]) != 1 || !buf[0].SetBytes(make([]byte, 60)) || tx.Send(buf[:]) != 1 {
		t.Error("no frame was sent afterwards")
	}
}

// A port whose back-end has gone is closed without complaint.
func TestCloseAlone(t *testing.T) {
	s := newStage(t)
	dev, err := s.open(t.Context(), &player{after: 1000})
	if err != nil {
		t.Fatal(err)
	}
	hangUp(t, dev)
	wait(t, "trouble", func() bool { return errors.Is(dev.(nic.Watched).Trouble(), nic.ErrLinkDown) })
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
}

// hangUp ends the connection of a port as its back-end would.
func hangUp(t *testing.T, dev nic.Device) {
	t.Helper()
	if err := dev.(*virtio.Device).HangUp(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the link to go down", func() bool { l, err := dev.Link(); return err == nil && !l.Up })
}

func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Addresses that make no sense are refused with their form.
func TestUserAddress(t *testing.T) {
	for _, rest := range []string{"", ",server", "/tmp/s,what", "/tmp/s,mac=1", "/tmp/s,mac=01:00:00:00:00:00", "/tmp/s,server,client"} {
		dev, err := nic.Open(t.Context(), "virtio-user:"+rest, small)
		if err == nil {
			t.Errorf("%q: %v", rest, dev.Info())
			_ = dev.Close()
			continue
		}
		if !strings.Contains(err.Error(), "virtio-user:"+rest) {
			t.Errorf("%q: %v", rest, err)
		}
	}
	fewer := small
	fewer.LinkWait = -1
	if _, err := nic.Open(t.Context(), "virtio-user:"+filepath.Join(t.TempDir(), "s"), fewer); !errors.Is(err, nic.ErrLinkDown) {
		t.Errorf("no back-end: %v", err)
	}
	mac := "02:00:00:00:00:77"
	s := newStage(t)
	s.players <- &player{}
	dev, err := nic.Open(t.Context(), fmt.Sprintf("virtio-user:%s,client,mac=%s", s.path, mac), small)
	if err != nil {
		t.Fatal(err)
	}
	if got := dev.Info().MAC.String(); got != mac {
		t.Errorf("address %s", got)
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
}
