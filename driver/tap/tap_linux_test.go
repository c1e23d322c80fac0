package tap

import (
	"slices"
	"strings"
	"testing"

	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// TestSend: frames in one buffer or several reach the kernel, those that are unfit or find the interface down are
// counted, and nothing is allocated, with a header before each frame and without.
func TestSend(t *testing.T) {
	for _, asked := range []nic.Offloads{0, headed} {
		t.Run(asked.String(), func(t *testing.T) { testSend(t, asked) })
	}
}

func testSend(t *testing.T, asked nic.Offloads) {
	netns.Run(t, func() {
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
		netns.Command(t, "ip link set t0 mtu 9000 up")
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
	netns.Run(t, func() {
		netns.Command(t, "ip link add other type veth peer name another")
		netns.Command(t, "ip tuntap add dev single mode tap")
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
