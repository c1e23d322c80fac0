//go:build guest

package guest

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
)

// million is how many frames go through the forwarder.
const million = 1_000_000

// TestForward takes four cards from the kernel, has fwd forward between the two in the middle, sends a million
// frames from the outer ones through it and checks them, and gives the cards back to the kernel, which must then
// be able to ping through them. The first two share a wire, and so do the last two.
func TestForward(t *testing.T) {
	c := cards(t)
	if len(c) != 4 {
		t.Fatalf("%d cards", len(c))
	}
	giveBack := take(t, c...)
	// A card that the emulator works for in a thread of its own may have a full ring for long: nothing is to be dropped.
	f := forward(t, c[1].addr, c[2].addr, "--ring", strconv.Itoa(ring), "--patience", strconv.Itoa(math.MaxInt32), "--queues", cmp.Or(os.Getenv("QUEUES"), "1"))
	ends := open(t, nic.Config{RxRing: ring}, c[0], c[3])
	a, b := ends[0], ends[1]
	begin := time.Now()
	ways := []*stream{newStream(t, 1, a, b), newStream(t, 2, b, a)}
	flow(t, million/2, ways...)
	took := time.Since(begin)
	for _, w := range ways {
		// Queues overtake each other.
		if n := w.check.Totals(); n.OK+n.Reordered != million/2 || n.Frames() != million/2 || n.Reordered > 0 && os.Getenv("QUEUES") == "" {
			t.Errorf("%+v", n)
		}
	}
	total := f.end(t)
	// Not more than were sent, not less: the kernel's own frames end with its drivers.
	if total.RxPackets != million || total.TxPackets != million {
		t.Errorf("fwd: %+v", total)
	}
	for i, d := range []nic.Device{a, b} {
		ways[i].cache.Flush()
		s, err := d.Stats()
		if err != nil || s.RxPackets != million/2 || s.TxPackets != million/2 || s.RxMissed+s.RxErrors+s.RxDropped+s.TxDropped != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%.3f Mpps", million/took.Seconds()/1e6)
	if !vfio() {
		if free := text(t, pool+"free_hugepages"); free != pages {
			t.Errorf("%s of %s huge pages are free", free, pages)
		}
	}
	giveBack()
	ping(t, [2]card{c[0], c[1]}, [2]card{c[3], c[2]})
}

// flow moves n frames of each stream in all.
func flow(t *testing.T, n uint64, ways ...*stream) {
	t.Helper()
	for moved := time.Now(); ; {
		over, idle := true, true
		for _, w := range ways {
			if w.turn(n) {
				moved, idle = time.Now(), false
			}
			over = over && w.seen == n
		}
		if time.Since(moved) > time.Millisecond {
			time.Sleep(100 * time.Microsecond) // the forwarder needs the processor
		} else if idle {
			_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
		if over {
			return
		}
		if time.Since(moved) > patience {
			for _, w := range ways {
				s, err := w.from.Stats()
				t.Errorf("sent %d, received %d of %d; %+v, %v", w.sent, w.seen, n, s, err)
			}
			t.FailNow()
		}
	}
}

// sizes are mostly short: what a frame costs here, it costs by the byte.
var sizes = []int{60, 60, 60, 60, 590, 60, 60, 60, 60, 60, 60, 1514, 60, 60, 60, 60}

const (
	// ring is long, since two processes that poll share a processor.
	ring = 2048
	// window is how many frames of a stream are under way at the most.
	window = 1800
)

// stream sends numbered frames from one port to another.
type stream struct {
	from, to   nic.Device
	frames     *traffic.Templates
	check      traffic.Checker
	sent, seen uint64
	window     uint64
	out, in    []*packet.Buf
	cache      *packet.Cache
}

func newStream(t *testing.T, id uint16, from, to nic.Device) *stream {
	t.Helper()
	spec := traffic.Spec{Sizes: sizes, Stream: id, Seq: true}
	if os.Getenv("QUEUES") != "" {
		spec.Flows = 32 // a wire that spreads them over queues uses each
	}
	frames, err := traffic.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &stream{
		from: from, to: to, frames: frames, out: make([]*packet.Buf, 64), in: make([]*packet.Buf, 64), cache: from.Info().Pool.NewCache(),
		// Fewer than any ring on the way has room for: the emulator lets later frames overtake those that find none.
		window: min(window, uint64(to.Info().RxRing)*7/8),
	}
}

// turn sends up to a batch of n frames in all, and checks what has come. It tells whether anything moved.
func (s *stream) turn(n uint64) bool {
	moved := false
	// The first frame goes alone: the emulator keeps frames back while cards start, and lets later ones overtake them.
	window := s.window
	if s.seen == 0 {
		window = 1
	}
	if free := min(window-(s.sent-s.seen), n-s.sent, uint64(len(s.out))); free > 0 {
		batch := s.out[:s.cache.Fill(s.out[:free])]
		for i, b := range batch {
			seq := s.sent + uint64(i)
			b.SetOffsetLen(packet.Headroom, s.frames.Size(seq))
			s.frames.Render(b.Bytes(), seq)
		}
		k := s.from.TxQueue(0).Send(batch)
		packet.Free(batch[k:])
		s.sent += uint64(k)
		moved = k > 0
	} else {
		s.from.TxQueue(0).Send(nil) // what was sent comes back
	}
	k := s.to.RxQueue(0).Receive(s.in)
	for _, b := range s.in[:k] {
		s.check.Check(b.Bytes())
	}
	packet.Free(s.in[:k])
	s.seen += uint64(k)
	return moved || k > 0
}

// ping has the kernel ping from one card to another that shares its wire, on all wires at a time.
func ping(t *testing.T, wires ...[2]card) {
	t.Helper()
	var wg sync.WaitGroup
	for i, w := range wires {
		space, here, there := fmt.Sprint("peer", i), fmt.Sprintf("192.0.2.%d", 4*i+1), fmt.Sprintf("192.0.2.%d", 4*i+2)
		command(t, "ip", "netns", "add", space)
		defer command(t, "ip", "netns", "del", space)
		command(t, "ip", "link", "set", netdev(t, w[1]), "netns", space, "name", "wire0")
		command(t, "ip", "-n", space, "addr", "add", there+"/30", "dev", "wire0")
		command(t, "ip", "-n", space, "link", "set", "wire0", "up")
		dev := netdev(t, w[0])
		command(t, "ip", "addr", "add", here+"/30", "dev", dev)
		command(t, "ip", "link", "set", dev, "up")
		wg.Go(func() {
			if out, err := exec.Command("ping", "-c", "3", "-i", "0.2", "-w", "20", there).CombinedOutput(); err != nil {
				t.Errorf("ping from %s to %s: %v\n%s", w[0].addr, w[1].addr, err, out)
			}
		})
	}
	wg.Wait()
	for _, w := range wires {
		dev := netdev(t, w[0])
		command(t, "ip", "addr", "flush", "dev", dev)
		command(t, "ip", "link", "set", dev, "down")
	}
}

// netdev waits for the kernel's name of a card.
func netdev(t *testing.T, c card) (name string) {
	t.Helper()
	await(t, "the kernel's interface of "+c.addr, func() bool {
		list, _ := filepath.Glob(filepath.Join("/sys/bus/pci/devices", c.addr, "net", "*"))
		if virtio, _ := filepath.Glob(filepath.Join("/sys/bus/pci/devices", c.addr, "virtio*", "net", "*")); len(list) == 0 {
			list = virtio
		}
		if len(list) == 1 {
			name = filepath.Base(list[0])
		}
		return len(list) == 1
	})
	if _, err := os.Stat("/sys/class/net/" + name); err != nil {
		t.Fatal(err)
	}
	return name
}
