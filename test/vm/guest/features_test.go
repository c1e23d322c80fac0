//go:build guest

package guest

import (
	"bytes"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// TestFeatures takes cards in pairs on a wire each. Frames of all sizes go both ways, unharmed and in order; the
// commands of the card do what they say, or are refused by the name of the feature.
func TestFeatures(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c...)
	for i, s := range strings.Split(os.Getenv("MTUS"), ",") {
		mtu, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		// Long frames are sent from one buffer and received in several.
		ends := append(open(t, nic.Config{MTU: mtu, Room: mtu + 64}, c[2*i]), open(t, nic.Config{MTU: mtu}, c[2*i+1])...)
		w := &pairOnWire{ends[0], ends[1], make([]*packet.Buf, 64)}
		w.pass(t, mtu)
		w.commands(t)
		for _, d := range ends {
			if s, err := d.Stats(); err != nil || s.RxErrors+s.RxDropped+s.TxDropped != 0 {
				t.Errorf("%+v, %v", s, err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		t.Logf("cards %d and %d are good", 2*i, 2*i+1)
	}
	giveBack()
}

type pairOnWire struct {
	from, to nic.Device
	batch    []*packet.Buf
}

// data is a frame to some address, with a pattern.
func data(to net.HardwareAddr, n, seed int) []byte {
	f := make([]byte, n)
	for i := range f {
		f[i] = byte(i*7 + seed)
	}
	copy(f, to)
	copy(f[6:], []byte{2, 0, 0, 0, 0, 7, 0x88, 0xb5})
	return f
}

// send sends one frame, in parts where it is long.
func (w *pairOnWire) send(t *testing.T, from nic.Device, f []byte) {
	t.Helper()
	var head, last *packet.Buf
	for rest := f; len(rest) > 0; {
		one := make([]*packet.Buf, 1)
		if from.Info().Pool.Alloc(one) != 1 {
			t.Fatal("the pool is empty")
		}
		n := min(len(rest), from.Info().Pool.Room())
		one[0].SetBytes(rest[:n])
		if rest = rest[n:]; head == nil {
			head = one[0]
		} else {
			last.SetNext(one[0])
		}
		last = one[0]
	}
	await(t, "room in the ring", func() bool { return from.TxQueue(0).Send([]*packet.Buf{head}) == 1 })
}

// receive waits for frames and returns them.
func (w *pairOnWire) receive(t *testing.T, at nic.Device, n int) (all [][]byte) {
	t.Helper()
	await(t, "frames", func() bool {
		k := at.RxQueue(0).Receive(w.batch)
		for _, b := range w.batch[:k] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(w.batch[:k])
		return len(all) >= n
	})
	return all
}

// pass has frames of all sizes go both ways. The first may be lost: cards that have just started lose some.
func (w *pairOnWire) pass(t *testing.T, mtu int) {
	t.Helper()
	for _, d := range [][2]nic.Device{{w.from, w.to}, {w.to, w.from}} {
		w.send(t, d[0], data(d[1].Info().MAC, 60, 0))
		w.receive(t, d[1], 1)
		for round := range 60 {
			var want [][]byte
			for i := range 10 {
				f := data(d[1].Info().MAC, 60+(round*10+i)*97%(mtu-46), round+i)
				want = append(want, f)
				w.send(t, d[0], f)
			}
			got := w.receive(t, d[1], len(want))
			for i := range got {
				if len(got) != len(want) || !bytes.Equal(got[i], want[i]) {
					t.Fatalf("round %d: %d frames, frame %d is %d bytes", round, len(got), i, len(got[i]))
				}
			}
		}
	}
}

// commands has the second card receive this and that.
func (w *pairOnWire) commands(t *testing.T) {
	t.Helper()
	to := w.to.(interface {
		nic.MACSetter
		nic.Multicaster
	})
	own, other := w.to.Info().MAC, net.HardwareAddr{2, 0, 0, 0, 0, 0x33}
	group, groups := net.HardwareAddr{1, 0, 0x5e, 0, 0, 9}, net.HardwareAddr{1, 0, 0x5e, 0, 0, 10}
	if err := w.to.SetPromiscuous(false); err != nil {
		for _, err := range []error{err, w.to.SetPromiscuous(true), to.SetAllMulticast(true), to.SetMulticast(nil)} {
			if err == nil || !strings.Contains(err.Error(), "VIRTIO_NET_F_CTRL_RX is not offered") {
				t.Error(err)
			}
		}
		return
	}
	w.hears(t, own, true)
	w.hears(t, other, false)
	w.hears(t, group, false)
	do := func(err error) {
		if t.Helper(); err != nil {
			t.Error(err)
		}
	}
	do(to.SetMulticast([]net.HardwareAddr{group}))
	w.hears(t, group, true)
	w.hears(t, groups, false)
	do(to.SetAllMulticast(true))
	w.hears(t, groups, true)
	do(to.SetAllMulticast(false))
	do(to.SetMAC(other))
	w.hears(t, other, true)
	w.hears(t, own, false)
	do(w.to.SetPromiscuous(true))
	w.hears(t, own, true)
	do(to.SetMAC(own))
}

// hears looks whether the second card receives what is sent to an address, before a broadcast.
func (w *pairOnWire) hears(t *testing.T, to net.HardwareAddr, want bool) {
	t.Helper()
	w.send(t, w.from, data(to, 100, 1))
	w.send(t, w.from, data(net.HardwareAddr{255, 255, 255, 255, 255, 255}, 100, 2))
	heard := false
	for {
		for _, f := range w.receive(t, w.to, 1) {
			heard = heard || bytes.Equal(f[:6], to)
			if f[0] == 255 {
				if heard != want {
					t.Errorf("a frame to %v: received: %v", to, heard)
				}
				return
			}
		}
	}
}
