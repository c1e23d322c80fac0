//go:build linux

package ladder

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolSGRO is ETHTOOL_SGRO (linux/ethtool.h).
const ethtoolSGRO = 0x2c

// enableGRO switches generic receive offload on, in the namespace of the calling thread: only then does a veth interface
// receive by NAPI, and take frames of XDP programs. Frames as those here are never put together.
func enableGRO(dev string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{ethtoolSGRO, 1} // struct ethtool_value
	var req struct {
		name [unix.IFNAMSIZ]byte // struct ifreq
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], dev)
	req.data = unsafe.Pointer(&value)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return fmt.Errorf("%s: ETHTOOL_SGRO: %w", dev, errno)
	}
	return nil
}
