package afpacket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// nothing is the filter that no frame passes; the kernel does not count what it turns away as dropped.
var nothing = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}

// share has the receive queues, which have let nothing pass so far, receive: each frame is for one of them, by its flow.
func (d *Device) share() (err error) {
	if len(d.rx) > 1 {
		group := noGroup
		for _, q := range d.rx {
			if group, err = join(q.fd, group); err != nil {
				return err
			}
		}
		if err := settle(); err != nil {
			return err
		}
	}
	for _, q := range d.rx {
		if err := attach(q.fd, nil); err != nil {
			return err
		}
	}
	return nil
}

// noGroup is the number of no group: the first that the kernel gives after it has started is 0.
const noGroup = -1

// join has a socket share the interface's frames with the others of a group; the first, for which it is noGroup, makes one.
// Only a socket that is bound, and so receives, can join.
func join(fd, group int) (int, error) {
	// A group does not heed its members' PACKET_IGNORE_OUTGOING.
	arg := (unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_IGNORE_OUTGOING) << 16
	if group == noGroup {
		arg |= unix.PACKET_FANOUT_FLAG_UNIQUEID << 16
	} else {
		arg |= group
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, arg); err != nil {
		return 0, fmt.Errorf("PACKET_FANOUT: %w: set the interface up first, or use one queue", err)
	}
	if group != noGroup {
		return group, nil
	}
	v, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("PACKET_FANOUT: %w", err)
	}
	return v & 0xffff, nil
}

// settle waits until the kernel is through with the frames that it was handing to sockets. One of them may be on its way
// to a socket by itself that has joined a group since, and to the group as well. Closing a packet socket, of any kind,
// waits for that (net/packet/af_packet.c: packet_release calls synchronize_net).
func settle() error {
	fd, err := socket()
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
