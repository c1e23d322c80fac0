package netif

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const tun = "/dev/net/tun"

// CheckTAP refuses names that no TAP interface can have: they have 1 to 15 bytes, and '%' and ',' mean something else.
func CheckTAP(name string) error {
	if name == "" || len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/:, \t\n\v\f\r\x00%") {
		return errors.New("an interface name has 1 to 15 bytes, without spaces, '/', ':', ',' and '%'")
	}
	return nil
}

// AttachTAP opens a queue of the TAP interface with a name in the network namespace of the calling thread, or makes one,
// which goes with its last queue, if there is none. With header there are so many bytes of the header of
// linux/virtio_net.h before each frame; 0: none. The caller closes the file descriptor.
func AttachTAP(name string, several bool, header int) (int, error) {
	fd, err := unix.Open(tun, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w%s", tun, err, tapCure(name, err, several))
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if several {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if header > 0 {
		flags |= unix.IFF_VNET_HDR
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return -1, errors.Join(fmt.Errorf("name %q: %w", name, err), unix.Close(fd))
	}
	req.SetUint16(flags)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	if err == unix.EINVAL && !several { // an interface made for several queues
		req.SetUint16(flags | unix.IFF_MULTI_QUEUE)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("TUNSETIFF: %w%s", err, tapCure(name, err, several)), unix.Close(fd))
	}
	if header > 0 {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, header); err != nil {
			return -1, errors.Join(fmt.Errorf("TUNSETVNETHDRSZ: %w", err), unix.Close(fd))
		}
	}
	return fd, nil
}

func tapCure(name string, err error, several bool) string {
	kind := "mode tap"
	if several {
		kind += " multi_queue"
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return ": run \"modprobe tun\" as root"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Sprintf(": run as root, or once \"ip tuntap add dev %s %s user $USER\" as root", name, kind)
	case errors.Is(err, unix.EBUSY):
		return ": another program has it open"
	case errors.Is(err, unix.EINVAL):
		return fmt.Sprintf(": the name belongs to an interface of another kind: want one made with \"ip tuntap add dev %s %s\"", name, kind)
	}
	return ""
}

// PeerOfTAP is the address of whoever is at the other end of a TAP interface with an address.
func PeerOfTAP(mac net.HardwareAddr) net.HardwareAddr {
	mac = slices.Clone(mac)
	if len(mac) == 6 {
		mac[0] |= 2
		mac[5] ^= 1
	}
	return mac
}

// SetTAPOffloads tells the kernel what frames it may hand over at a queue with headers: those with partial checksums,
// and large ones of TCP, which it then has not cut (linux/if_tun.h). An interface that stays keeps what it was told last,
// by whomever.
func SetTAPOffloads(fd int, partial, large bool) error {
	f := 0
	if partial {
		f |= unix.TUN_F_CSUM
	}
	if large {
		f |= unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, f); err != nil {
		return fmt.Errorf("TUNSETOFFLOAD: %w: the kernel lacks these offloads", err)
	}
	return nil
}
