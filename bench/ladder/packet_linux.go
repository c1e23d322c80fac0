package ladder

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// sockets are two packet sockets (packet(7)): one receives from in, the other sends to out.
type sockets struct {
	*track
	bed     *bed
	rx, tx  int
	forward func(s *sockets, w *watch, c *counts)
}

// receiveBuffer is how many bytes of frames wait for the forwarder at most, with what the kernel keeps with each.
const receiveBuffer = 16 << 20

func openSockets(b *bed, forward func(*sockets, *watch, *counts)) (_ runner, err error) {
	s := &sockets{bed: b, rx: -1, tx: -1, forward: forward}
	if s.track, err = newTrack(b.cpus, trackOf{want: inMAC[touched] + 1, process: true}); err != nil {
		return nil, err
	}
	err = s.ns.do(func() error {
		if s.rx, err = packetSocket(unix.ETH_P_ALL, s.inLink.Attrs().Index); err != nil {
			return err
		}
		s.tx, err = packetSocket(0, s.outLink.Attrs().Index) // without a protocol it receives nothing
		return err
	})
	if err == nil {
		err = unix.SetsockoptInt(s.rx, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	}
	if err == nil {
		limit := unix.NsecToTimeval(quiet.Nanoseconds())
		err = unix.SetsockoptTimeval(s.rx, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// packetSocket opens a packet socket that blocks, for a protocol of an interface.
func packetSocket(protocol uint16, index int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: index}); err != nil {
		return -1, errors.Join(fmt.Errorf("bind: %w", err), unix.Close(fd))
	}
	return fd, nil
}

func (s *sockets) slice(d time.Duration) (sample, error) {
	return s.track.slice(s.bed, d, func(w *watch, c *counts) { s.forward(s, w, c) })
}

func (s *sockets) close() error {
	var errs []error
	for _, fd := range []int{s.rx, s.tx} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(append(errs, s.track.close())...)
}
