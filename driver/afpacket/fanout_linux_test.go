package afpacket

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

// flood sends frames of many flows, each with a number of its own, until stop is closed.
func flood(t *testing.T, d *Device, stop <-chan struct{}) {
	frame, _ := super(t, false, 0, make([]byte, 8))
	number := frame[len(frame)-8:]
	batch := make([]*packet.Buf, 32)
	for i := uint64(0); ; {
		select {
		case <-stop:
			return
		default:
		}
		n := d.Info().Pool.Alloc(batch)
		for _, b := range batch[:n] {
			binary.BigEndian.PutUint16(frame[34:], uint16(i)) // the port it comes from
			binary.BigEndian.PutUint64(number, i)
			b.SetBytes(frame)
			i++
		}
		packet.Free(batch[d.TxQueue(0).Send(batch[:n]):n])
	}
}

// TestOpenedInTraffic: what comes while a port of several queues is opened is received once, by one of them.
func TestOpenedInTraffic(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a := open(t, "left", nic.Config{})
		stop := make(chan struct{})
		var flooding sync.WaitGroup
		flooding.Go(func() { flood(t, a, stop) })
		defer func() {
			close(stop)
			flooding.Wait()
			closeAll(t, a)
		}()
		const queues, enough = 4, 500
		batch := make([]*packet.Buf, 64)
		for round := range 20 {
			b := open(t, "right", nic.Config{RxQueues: queues})
			seen := map[uint64]int{} // number of a frame: which queue got it
			var got [queues]int
			twice := 0
			for end := time.Now().Add(20 * time.Second); min(got[0], got[1], got[2], got[3]) < enough; {
				for q := range queues {
					n := b.RxQueue(q).Receive(batch)
					for _, p := range batch[:n] {
						f := p.Bytes()
						number := binary.BigEndian.Uint64(f[len(f)-8:])
						if at, ok := seen[number]; ok {
							if twice == 0 {
								t.Errorf("round %d: queue %d got frame %d, and queue %d too", round, at, number, q)
							}
							twice++
						}
						seen[number] = q
					}
					packet.Free(batch[:n])
					got[q] += n
				}
				if time.Now().After(end) {
					t.Errorf("round %d: queues got %d frames, want %d each", round, got, enough)
					break
				}
			}
			if twice > 0 {
				t.Errorf("round %d: %d frames of %d received again", round, twice, len(seen))
			}
			closeAll(t, b)
		}
	})
}

// TestGroupZero: a group of number 0, as the kernel's first is, is joined like any other.
func TestGroupZero(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		link, state, err := netif.Open("right")
		if err != nil {
			t.Error(err)
			return
		}
		defer link.Close()
		for _, group := range []int{0, 0, 7, 7} {
			fd, err := socket()
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: allProtocols, Ifindex: state.Index}); err != nil {
				t.Error(err)
				return
			}
			got, err := join(fd, group)
			is, e := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
			if err != nil || e != nil || got != group || is&0xffff != group {
				t.Errorf("group %d: joined %d, is in %#x; %v, %v", group, got, is, err, e)
			}
		}
	})
}
