package ixgbe

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
	"glassnic/sim/wire"
)

// FuzzRegisters lets a driver write any registers and any descriptors. The input is a list of commands of
// seven bytes: what, where, value.
func FuzzRegisters(f *testing.F) {
	cmd := func(what byte, where uint16, v uint32) []byte {
		return append(binary.LittleEndian.AppendUint16([]byte{what}, where), byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	f.Add(false, cmd(0, uint16(chip.RDT(0)/4), 31))
	f.Add(true, append(cmd(0, uint16(chip.RDLEN(0)/4), 0xFFFFFFFF), cmd(1, 3, 0xFFFFFFFF)...))
	f.Add(true, append(cmd(0, uint16(chip.CTRL/4), chip.CtrlRST), cmd(2, 3, 1)...))
	f.Add(false, append(cmd(0, uint16(chip.SRRCTL(0)/4), 0), cmd(2, 3, 1)...))
	f.Add(false, append(cmd(3, 0, uint32(LieRxLength|LieRxUnposted|LieTxEarly)), cmd(2, 3, 1)...))
	f.Fuzz(func(t *testing.T, polled bool, input []byte) {
		r := newRig(t, polled, func(c *Config) { c.Eager = true })
		r.start()
		rx, tx := r.rx(0, 32, 2, 0), r.tx(0, 32)
		var low []byte
		if polled {
			low = bytes.Clone(r.flat[:64])
		}
		for n := 0; n < 200 && len(input) >= 7; n++ {
			what, where, v := input[0], binary.LittleEndian.Uint16(input[1:]), binary.LittleEndian.Uint32(input[3:])
			input = input[7:]
			switch what % 5 {
			case 0:
				r.reg.Write32(uint32(where)%barWords*4, v)
			case 1:
				ring := rx.ring.Bytes
				if where&1 != 0 {
					ring = tx.ring.Bytes
				}
				binary.LittleEndian.PutUint32(ring[int(where>>1)%(len(ring)/4)*4:], v)
			case 2:
				b := frame(60+int(where)%9000, n)
				r.port.in = append(r.port.in, wire.Frame{Data: b[:max(len(b)-int(v>>24), 0)], Bad: v&1 != 0})
				r.step(int(v % 64))
			case 3:
				r.card.Inject(Faults(v))
				r.step(1)
				r.card.Heal(Faults(v >> 3))
			case 4:
				r.reg.Read32(uint32(where) % barWords * 4)
				r.port.take = int(v%9) - 1
			}
		}
		for range 4 {
			r.step(256)
		}
		if polled && !bytes.Equal(low, r.flat[:64]) {
			t.Fatal("memory below the lowest IOVA has changed")
		}
		for _, f := range r.space.Faults() {
			if f.Len < 0 {
				t.Fatal(f)
			}
		}
		if got := r.card.Totals(); got.RxFrames != got.RxHost+got.RxFiltered+got.RxBadCRC+got.RxShort+got.RxLong+
			got.RxMissed+got.RxNoDescriptor+got.RxDisabled+got.RxFault {
			t.Fatalf("the account does not add up: %+v", got)
		}
	})
}

func TestPollAllocatesNothing(t *testing.T) {
	h := &hose{}
	for i := range 67 {
		h.frames = append(h.frames, udp(frame(60, i)))
	}
	l := newLoop(t, h, 512)
	n := testing.AllocsPerRun(2000, func() {
		l.turn(32, 60)
		if l.card.Poll(256) != 64 {
			t.Fatal("the card does not keep up")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per Poll", n)
	}
}

// The polled card and its driver in two goroutines, as the race detector likes to see them.
func TestPolledConcurrently(t *testing.T) {
	flat := make([]byte, flatSize)
	regs := newRegisters()
	stop := atomic.Bool{}
	var wg sync.WaitGroup
	space := iommu.NewFlat(flat)
	card, err := New(Config{Memory: space, Wire: wire.NewLoop(), Regs: regs})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		for !stop.Load() {
			if card.Poll(64) == 0 {
				time.Sleep(time.Microsecond) // leaves the processor to the driver where there is but one
			}
		}
	})
	defer wg.Wait()
	defer stop.Store(true)
	r := &rig{t: t, polled: true, flat: flat, next: iommu.Bottom, reg: mmio.MapPolled(regs), pause: 20 * time.Microsecond}
	for r.reg.Read32(chip.LINKS)&chip.LinksUP == 0 {
		time.Sleep(time.Millisecond)
	}
	r.start()
	rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
	const total = 5000
	sent, clean, received := 0, 0, 0
	for deadline := time.Now().Add(time.Minute); received < total; {
		if time.Now().After(deadline) {
			t.Fatalf("sent %d, received %d; %+v", sent, received, card.Totals())
		}
		for sent < total && (tx.tail+1)%64 != clean {
			tx.send(frame(60+sent%100, sent))
			sent++
		}
		tx.kick()
		for clean != tx.tail && tx.done(clean) {
			clean = (clean + 1) % 64
		}
		got := rx.take()
		if len(got) == 0 {
			time.Sleep(time.Microsecond)
		}
		for _, g := range got {
			if !bytes.Equal(g.data, frame(60+received%100, received)) {
				t.Fatalf("frame %d: %x", received, g.data)
			}
			received++
		}
	}
	if space.Count() != 0 {
		t.Error(space.Faults())
	}
}
