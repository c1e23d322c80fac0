package vm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	_ "glassnic/driver/afpacket"
	_ "glassnic/driver/tap"
	"glassnic/nic"
	"glassnic/packet"
)

// A machine whose kernel has no VLANs may be at the other end of a wire: what comes there with the tag of VLAN inside goes to
// a TAP interface without it, and back. Whatever goes back is followed by a copy in VLAN outside, which is not for the guest.
const (
	inside  = 5
	outside = 6
)

// trunk is the way between the interface trunk and the TAP interface.
type trunk struct {
	wire, tap nic.Device
	stop      int // eventfd
	done      sync.WaitGroup
	err       error
}

// startTrunk joins two interfaces of the network namespace of a process, until the test ends.
func startTrunk(t *testing.T, pid int, wire, tap string) {
	t.Helper()
	r := &trunk{}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		opened <- r.open(pid, wire, tap)
	}()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	r.done.Go(r.run)
	t.Cleanup(func() {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, err := unix.Write(r.stop, one[:])
		r.done.Wait()
		if err = errors.Join(err, r.err, nic.CloseAll(r.wire, r.tap), unix.Close(r.stop)); err != nil {
			t.Error(err)
		}
	})
}

func (r *trunk) open(pid int, wire, tap string) (err error) {
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return err
	}
	if r.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return err
	}
	cfg := nic.Config{Interrupts: true}
	if r.wire, err = nic.Open(context.Background(), "packet:"+wire, cfg); err == nil {
		r.tap, err = nic.Open(context.Background(), "tap:"+tap, cfg)
	}
	return err
}

// run moves frames, and sleeps where there are none.
func (r *trunk) run() {
	from, to := r.wire.RxQueue(0), r.tap.RxQueue(0)
	wait := []nic.Waiter{from.(nic.Waiter), to.(nic.Waiter)}
	fds := []unix.PollFd{{Fd: int32(r.stop), Events: unix.POLLIN}, {Fd: int32(wait[0].WaitFD()), Events: unix.POLLIN}, {Fd: int32(wait[1].WaitFD()), Events: unix.POLLIN}}
	batch := make([]*packet.Buf, 32)
	for {
		n := from.Receive(batch)
		for _, b := range batch[:n] {
			if f := b.Bytes(); len(f) > 18 && binary.BigEndian.Uint16(f[12:]) == 0x8100 && binary.BigEndian.Uint16(f[14:])&0xfff == inside {
				send(r.tap, append(f[:12:12], f[16:]...))
			}
		}
		packet.Free(batch[:n])
		m := to.Receive(batch)
		for _, b := range batch[:m] {
			for _, id := range []byte{inside, outside} {
				f := b.Bytes()
				send(r.wire, append(append(f[:12:12], 0x81, 0, 0, id), f[12:]...))
			}
		}
		packet.Free(batch[:m])
		if n+m > 0 || !wait[0].Arm() || !wait[1].Arm() {
			continue
		}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			r.err = err
			return
		}
		if fds[0].Revents != 0 {
			return
		}
		wait[0].Disarm()
		wait[1].Disarm()
	}
}

// send sends a frame, or drops it where there is no room.
func send(to nic.Device, data []byte) {
	var b [1]*packet.Buf
	if to.Info().Pool.Alloc(b[:]) == 1 && (!b[0].SetBytes(data) || to.TxQueue(0).Send(b[:]) == 0) {
		packet.Free(b[:])
	}
}
