package virtio_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"glassnic/bus/dma"
	"glassnic/nic"
)

// The handshake is that of 3.1.1, and the end is a reset. The port has no memory before the first one, which the card checks.
func TestOrder(t *testing.T) {
	c := newCard()
	d, err := nic.OpenFunction(context.Background(), c, small)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.trace, ", "), "status 0, status 1, status 3, status 11, enable 0, enable 1, status 15"; got != want {
		t.Errorf("start: %s\nwant %s", got, want)
	}
	if c.vqs[0].bells == 0 {
		t.Error("the device does not hear of buffers to receive in")
	}
	c.trace = nil
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(c.trace, ", "); got != "status 0" || c.closed != 1 {
		t.Errorf("end: %s, closed %d times", got, c.closed)
	}
	for _, f := range c.faults {
		t.Error(f)
	}
}

func TestInfo(t *testing.T) {
	c := newCard()
	c.offered |= fSpeed
	r := open(t, c, small)
	i := r.dev.Info()
	if i.Driver != "virtio" || i.Card == "" || i.MAC.String() != "52:54:00:12:34:56" || i.RxRing != 64 || i.TxRing != 64 || i.RxQueues != 1 || i.TxQueues != 1 || i.MTU != 1500 {
		t.Errorf("%+v", i)
	}
	for _, l := range []struct {
		status byte
		speed  uint32
		want   nic.Link
	}{{1, 10000, nic.Link{Up: true, Speed: 10000}}, {0, 10000, nic.Link{}}, {1, 1<<32 - 1, nic.Link{Up: true}}, {2, 1, nic.Link{}}} {
		c.own[6] = l.status
		le.PutUint32(c.own[12:], l.speed)
		if got, err := r.dev.Link(); err != nil || got != l.want {
			t.Errorf("status %d, speed %d: %+v, %v", l.status, l.speed, got, err)
		}
	}
	// A configuration that changes while it is read is read again.
	c.generations = 7
	if _, err := r.dev.Link(); err != nil || c.generations > 0 {
		t.Errorf("%v, %d changes left", err, c.generations)
	}
}

// Every feature may be withheld. What then cannot work is refused by its name, all else works.
func TestFeatures(t *testing.T) {
	const all = uint64(fVersion1 | fMAC | fStatus | fMTU | fMrg | fEventIdx | fPlatform | fOrder | fSpeed | fCtrl | fCtrlRx | fMQ | fCtrlMAC)
	for _, c := range []struct {
		name    string
		offered uint64
		mtu     int
		vfio    bool
		refused string // "" where it works
	}{
		{"all", all, 1500, false, ""},
		{"everything there is", fAll, 1500, false, ""},
		{"everything there is, long frames", fAll, 9000, false, ""},
		{"packed", all | fPacked, 1500, false, ""},
		{"packed, no event index", all&^fEventIdx | fPacked, 1500, false, ""},
		{"nothing but version 1", fVersion1, 1500, false, ""},
		{"nothing", 0, 1500, false, "VIRTIO_F_VERSION_1"},
		{"no version 1", all &^ fVersion1, 1500, false, "VIRTIO_F_VERSION_1"},
		{"no MAC", all &^ fMAC, 1500, false, ""},
		{"no status", all &^ fStatus, 1500, false, ""},
		{"no MTU", all &^ fMTU, 1500, false, ""},
		{"no speed", all &^ fSpeed, 1500, false, ""},
		{"no event index", all &^ fEventIdx, 1500, false, ""},
		{"no control queue", all &^ fCtrl, 1500, false, ""},
		{"no receive modes", all &^ fCtrlRx, 1500, false, ""},
		{"no address command", all &^ fCtrlMAC, 1500, false, ""},
		{"no queues", all &^ fMQ, 1500, false, ""},
		{"no platform order", all &^ fOrder, 1500, false, ""},
		{"no merging", all &^ fMrg, 1500, false, ""},
		{"no merging, long frames", all &^ fMrg, 9000, false, "VIRTIO_NET_F_MRG_RXBUF"},
		{"merging, long frames", all, 9000, false, ""},
		{"MTU too long", all, 9001, false, "VIRTIO_NET_F_MTU"},
		{"VFIO", all, 1500, true, ""},
		{"no platform access", all &^ fPlatform, 1500, false, ""},
		{"no platform access, VFIO", all &^ fPlatform, 1500, true, "VIRTIO_F_ACCESS_PLATFORM"},
		{"no VLAN filter", all, 1500, false, "VIRTIO_NET_F_CTRL_VLAN"},
		{"VLAN filter", all | fCtrlVLAN, 1500, false, ""},
		{"VLAN filter, no control queue", all&^fCtrl | fCtrlVLAN, 1500, false, "VIRTIO_NET_F_CTRL_VQ"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := newCard()
			card.offered, card.isolated = c.offered, c.vfio
			cfg := nic.Config{RxRing: 64, TxRing: 64, Buffers: 640, MTU: c.mtu}
			if strings.Contains(c.name, "VLAN") {
				cfg.VLANs = []uint16{1}
			}
			if c.refused != "" {
				if err := refused(t, context.Background(), card, cfg); !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v does not name %s", err, c.refused)
				}
				return
			}
			r := open(t, card, cfg)
			if card.accepted&^c.offered != 0 {
				t.Errorf("accepted %#x of %#x", card.accepted, c.offered)
			}
			var want [][]byte
			for i := range 200 {
				f := frame(60+i*7, byte(i))
				want = append(want, f)
				r.send(0, f, 2048)
				r.put(f)
				if i%20 == 19 {
					r.step()
				}
			}
			r.step()
			same(t, "sent", card.out, want)
			same(t, "received", r.receive(0, 32), want)
			if i := r.dev.Info(); unicastMAC(i.MAC) != (c.offered&fMAC != 0) {
				t.Errorf("address %v", i.MAC)
			}
		})
	}
}

// unicastMAC tells whether the address is the device's; otherwise it must be one that is locally administered.
func unicastMAC(mac []byte) bool {
	return string(mac) == "\x52\x54\x00\x12\x34\x56" || mac[0]&3 != 2
}

// refused opens a port, which must fail and leave nothing behind.
func refused(t *testing.T, ctx context.Context, c *card, cfg nic.Config) error {
	t.Helper()
	d, err := nic.OpenFunction(ctx, c, cfg)
	if err == nil {
		d.Close()
		t.Fatalf("%+v works", cfg)
	}
	if n := c.space.InUse(); n != 0 || c.closed != 1 {
		t.Errorf("%d bytes in use, closed %d times", n, c.closed)
	}
	if c.status != 0 && c.status != 0xff && !c.stuck {
		t.Errorf("status %#x afterwards", c.status)
	}
	for _, f := range append(c.faults, faults(c)...) {
		t.Error(f)
	}
	return err
}

func faults(c *card) (all []string) {
	for _, f := range c.space.Faults() {
		all = append(all, f.String())
	}
	return all
}

// What the start meets with is told, with the step and a cure.
func TestStartFails(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for _, c := range []struct {
		name string
		set  func(c *card)
		ctx  context.Context
		cfg  nic.Config
		want []string
		is   error
	}{
		{"no capabilities", func(c *card) { c.cfg[0x34] = 0 }, nil, small, []string{"find registers", "no modern registers"}, nil},
		{"short structure", func(c *card) { le.PutUint32(c.cfg[0x40+20+12:], 0x30) }, nil, small, []string{"common configuration of 48 bytes", "4.1.4.3"}, nil},
		{"structure beyond its BAR", func(c *card) { le.PutUint32(c.cfg[0x40+20+8:], 0x3ff0) }, nil, small, []string{"structure 1", "BAR 4"}, nil},
		{"BAR", func(c *card) { c.mapped = errors.New("burnt") }, nil, small, []string{"find registers", "burnt"}, nil},
		{"unplugged", func(c *card) { c.pulled = true }, nil, small, []string{"reset", "unplugged"}, nic.ErrGone},
		{"stuck", func(c *card) { c.stuck, c.status = true, 7 }, nil, small, []string{"reset", "4.1.4.3.2"}, nil},
		{"cancelled", func(c *card) { c.stuck, c.status = true, 7 }, ended, small, []string{"reset"}, context.Canceled},
		{"picky", func(c *card) { c.picky = true }, nil, small, []string{"features", "FEATURES_OK"}, nil},
		{"needs reset", func(c *card) { c.needsReset = true }, nil, small, []string{"driver ok", "DEVICE_NEEDS_RESET"}, nil},
		{"deaf", func(c *card) { c.deaf = true }, nil, small, []string{"queue 0", "queue_enable"}, nil},
		{"no queues", func(c *card) { c.vqs = nil }, nil, small, []string{"queue 0 has 0 descriptors"}, nil},
		{"tiny queue", func(c *card) { c.vqs[1].max = 2 }, nil, small, []string{"queue 1 has 2 descriptors"}, nil},
		{"huge queue", func(c *card) { c.vqs[1].max = 65535 }, nil, small, []string{"queue 1 has 65535 descriptors"}, nil},
		{"doorbells", func(c *card) { le.PutUint32(c.cfg[0x40+80+16:], 0x1000) }, nil, small, []string{"queue 1", "doorbell", "4.1.4.4"}, nil},
		{"two queues", nil, nil, nic.Config{RxQueues: 2, TxQueues: 2}, []string{"VIRTIO_NET_F_CTRL_VQ, VIRTIO_NET_F_MQ", "instead of 2"}, nil},
		{"two queues, commands", func(c *card) { c.offered |= fCtrl }, nil, nic.Config{RxQueues: 2}, []string{": VIRTIO_NET_F_MQ"}, nil},
		{"three queues of two", func(c *card) { c.offered |= fCtrl | fMQ; c.setPairs(2) }, nil, nic.Config{RxQueues: 3, TxQueues: 3}, []string{"3 receive queues: the device has 2"}, nil},
		{"more to send", func(c *card) { c.offered |= fCtrl | fMQ; c.setPairs(2) }, nil, nic.Config{RxQueues: 1, TxQueues: 2}, []string{"2 transmit and 1 receive queues"}, nil},
		{"no control queue", func(c *card) { c.offered |= fCtrl; c.vqs = c.vqs[:2] }, nil, small, []string{"control queue", "queue 2 has 0"}, nil},
		{"no answer", func(c *card) { c.offered |= fCtrl | fCtrlRx; c.mute = true }, nil, small, []string{"control queue", "no answer to command 0 of class 0"}, nil},
		{"refused", func(c *card) { c.offered |= fCtrl | fCtrlRx; c.answer = 1 }, nil, small, []string{"control queue", "refuses (answer 1 to command 0 of class 0"}, nil},
		{"thresholds", nil, nil, nic.Config{RxThresholds: &nic.Thresholds{}}, []string{"thresholds"}, nil},
		{"short ring, long frames", func(c *card) { c.offered |= fMrg }, nil, nic.Config{RxRing: 4, MTU: 9000}, []string{"receive ring: 4 descriptors are too few", "5 buffers of 2048"}, nil},
		{"ring", nil, nil, nic.Config{TxRing: 3}, []string{"transmit ring of 3"}, nil},
		{"few buffers", nil, nil, nic.Config{RxRing: 256, Buffers: 64}, []string{"pool of 64", "larger"}, nil},
		{"no memory", func(c *card) { c.memory = short{c.space} }, nil, small, []string{"out of DMA memory"}, dma.ErrNoMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			shorten(t, time.Millisecond, "reset", "drain", "command")
			card := newCard()
			if c.set != nil {
				c.set(card)
			}
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			if card.stuck {
				d, err := nic.OpenFunction(ctx, card, c.cfg)
				if err == nil {
					d.Close()
					t.Fatal("it works")
				}
				check(t, err, c.want, c.is)
				return
			}
			check(t, refused(t, ctx, card, c.cfg), c.want, c.is)
		})
	}
}

func check(t *testing.T, err error, want []string, is error) {
	t.Helper()
	for _, w := range append(slices.Clone(want), "virtio test:card: ") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v is no %v", err, is)
	}
}

// short is memory without room for rings.
type short struct{ dma.Allocator }

func (s short) Alloc(size, align int) (dma.Memory, error) {
	if align == 4096 {
		return dma.Memory{}, dma.ErrNoMemory
	}
	return s.Allocator.Alloc(size, align)
}

// A device that does not stop keeps its memory from others.
func TestStuckClose(t *testing.T) {
	shorten(t, time.Millisecond, "reset", "drain")
	c := newCard()
	d, err := nic.OpenFunction(context.Background(), c, small)
	if err != nil {
		t.Fatal(err)
	}
	c.stuck = true
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "may still write to memory") {
		t.Error(err)
	}
	if c.space.InUse() == 0 || c.closed != 1 {
		t.Errorf("%d bytes in use, closed %d times", c.space.InUse(), c.closed)
	}
}
