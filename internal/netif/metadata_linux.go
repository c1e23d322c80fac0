package netif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Metadata is a set of what the driver of an interface tells XDP programs about frames that it receives (linux/netdev.h,
// enum netdev_xdp_rx_metadata).
type Metadata uint64

// What a driver tells, each by a function of the kernel's (networking/xdp-rx-metadata.rst).
const (
	MetaTime Metadata = 1 << iota // bpf_xdp_metadata_rx_timestamp
	MetaHash                      // bpf_xdp_metadata_rx_hash
	MetaVLAN                      // bpf_xdp_metadata_rx_vlan_tag
)

// The generic netlink family that tells (linux/netdev.h).
const (
	netdevFamily            = "netdev"
	netdevCmdDevGet         = 1 // NETDEV_CMD_DEV_GET
	netdevDevIfindex        = 1 // NETDEV_A_DEV_IFINDEX
	netdevDevMetadata       = 5 // NETDEV_A_DEV_XDP_RX_METADATA_FEATURES
	sizeofGenlmsghdr        = 4 // linux/genetlink.h: command, version, 16 bits reserved
	genlVersion       uint8 = 1
)

// MetadataOf asks what the driver of an interface tells, in the network namespace of the calling thread. Kernels before
// Linux 6.7 do not say: it is nothing then.
func MetadataOf(index int) (m Metadata, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return 0, os.NewSyscallError("SO_RCVTIMEO", err)
	}
	ne, buf := binary.NativeEndian, make([]byte, 64<<10)
	answer, err := exchange(fd, unix.GENL_ID_CTRL, 1, generic(unix.CTRL_CMD_GETFAMILY, unix.CTRL_ATTR_FAMILY_NAME, append([]byte(netdevFamily), 0)), buf)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("CTRL_CMD_GETFAMILY: %w", err)
	}
	var family uint16
	for kind, v := range attributes(answer[min(sizeofGenlmsghdr, len(answer)):]) {
		if kind == unix.CTRL_ATTR_FAMILY_ID && len(v) >= 2 {
			family = ne.Uint16(v)
		}
	}
	answer, err = exchange(fd, family, 2, generic(netdevCmdDevGet, netdevDevIfindex, ne.AppendUint32(nil, uint32(index))), buf)
	if err != nil {
		return 0, fmt.Errorf("NETDEV_CMD_DEV_GET: %w", err)
	}
	for kind, v := range attributes(answer[min(sizeofGenlmsghdr, len(answer)):]) {
		if kind == netdevDevMetadata && len(v) >= 8 {
			m = Metadata(ne.Uint64(v))
		}
	}
	return m, nil
}

// generic makes a message of generic netlink with one attribute.
func generic(command uint8, kind uint16, value []byte) []byte {
	msg := make([]byte, unix.SizeofNlMsghdr+sizeofGenlmsghdr)
	msg[unix.SizeofNlMsghdr], msg[unix.SizeofNlMsghdr+1] = command, genlVersion
	return attribute(msg, kind, value)
}
