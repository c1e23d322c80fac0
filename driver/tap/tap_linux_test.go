package tap

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/nic"
	"glassnic/packet"
)

// inNamespace runs f on a thread in a fresh network namespace; the thread ends with it.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	if os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("GLASSNIC_NO_NETNS is set")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v: run as root, or set GLASSNIC_NO_NETNS=1 to leave this test out", err)
			return
		}
		f()
	}()
	<-done
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// TestSend: frames in one buffer or several reach the kernel, those that are unfit or find the interface down are
// counted, and nothing is allocated, with a header before each frame and without.
func TestSend(t *testing.T) {
	for _, asked := range []nic.Offloads{0, headed} {
		t.Run(asked.String(), func(t *testing.T) { testSend(t, asked) })
	}
}

func testSend(t *testing.T, asked nic.Offloads) {
	inNamespace(t, func() {
		d, err := nic.Open(t.Context(), "tap:t0", nic.Config{MTU: 9000, Offloads: asked})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		tx := d.TxQueue(0)
		send := func(sizes ...int) {
			for _, n := range sizes {
				var b [5]*packet.Buf
				parts := max((n+2047)/2048, 1)
				d.Info().Pool.Alloc(b[:parts])
				for i := range parts {
					b[i].SetOffsetLen(packet.Headroom, min(n-2048*i, 2048))
					if i > 0 {
						b[i-1].SetNext(b[i])
					}
				}
				if tx.Send(b[:1]) != 1 {
					t.Error("not taken")
				}
			}
		}
		send(60)
		if s, _ := d.Stats(); s.TxDropped != 1 || s.TxPackets != 0 {
			t.Errorf("while the interface is down: %+v", s)
		}
		ip(t, "link", "set", "t0", "mtu", "9000", "up")
		if l, err := d.Link(); err != nil || !l.Up {
			t.Errorf("%+v, %v", l, err)
		}
		send(60, 14, 1514, 2048, 2049, 9014, 13, 9030)
		if s, _ := d.Stats(); s.TxDropped != 3 || s.TxPackets != 6 || s.TxBytes != 60+14+1514+2048+2049+9014 {
			t.Errorf("%+v", s)
		}
		cache := d.Info().Pool.NewCache()
		defer cache.Flush()
		d.(*Device).tx[0].UseCache(cache)
		defer d.(*Device).tx[0].UseCache(nil)
		out, in := make([]*packet.Buf, 8), make([]*packet.Buf, 32)
		n := testing.AllocsPerRun(100, func() {
			k := cache.Fill(out)
			for _, b := range out[:k] {
				b.Reset()
				b.SetOffsetLen(packet.Headroom, 100)
			}
			tx.Send(out[:k])
			packet.Free(in[:d.RxQueue(0).Receive(in)])
		})
		if n != 0 {
			t.Errorf("%v allocations for a batch", n)
		}
	})
}

func TestRefused(t *testing.T) {
	inNamespace(t, func() {
		ip(t, "link", "add", "other", "type", "veth", "peer", "name", "another")
		ip(t, "tuntap", "add", "dev", "single", "mode", "tap")
		for _, c := range []struct {
			name, want string
			cfg        nic.Config
		}{
			{"", "1 to 15 bytes", nic.Config{}}, {"a/b", "1 to 15 bytes", nic.Config{}}, {"much-too-long-a-name", "1 to 15 bytes", nic.Config{}},
			{"other", "of another kind", nic.Config{}}, {"single", "multi_queue", nic.Config{RxQueues: 2}},
			{"t1", "filter of VLANs", nic.Config{VLANs: []uint16{1}}},
		} {
			dev, err := nic.Open(t.Context(), "tap:"+c.name, c.cfg)
			if dev != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v", c.name, err)
			}
		}
		// What failed left nothing open.
		for range 3 {
			d, err := nic.Open(t.Context(), "tap:single", nic.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			if mac := d.Info().MAC; len(mac) != 6 || slices.Equal(mac, make([]byte, 6)) {
				t.Errorf("MAC %v", mac)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
