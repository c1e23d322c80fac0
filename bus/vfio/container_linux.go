package vfio

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	"glassnic/bus/internal/ioctl"
	"glassnic/bus/pci"
)

// container is an address space: what is mapped in it, all devices of its groups reach at the same IOVAs.
// It is the dma.Allocator's domain.
type container struct {
	fd     int
	groups int // in it; guarded by taken

	mu    sync.Mutex
	space space
}

const containerNode = "/dev/vfio/vfio"

func newContainer() (*container, error) {
	fd, err := unix.Open(containerNode, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: as root: `modprobe vfio-pci`", containerNode, err)
	}
	if v, err := ioctl.Number(fd, getAPIVersion, 0); err != nil || v != apiVersion {
		return nil, errors.Join(fmt.Errorf("%s speaks version %d of VFIO, not %d: update the kernel", containerNode, v, apiVersion), err, unix.Close(fd))
	}
	raiseMemlock()
	return &container{fd: fd}, nil
}

// start chooses the kind of IOMMU once the first group is in.
func (c *container) start() error {
	if ok, err := ioctl.Number(c.fd, checkExtension, type1v2); err != nil || ok == 0 {
		return errors.Join(errors.New("the kernel has no type 1 IOMMU for VFIO: as root: `modprobe vfio_iommu_type1`"), err)
	}
	_, err := ioctl.Number(c.fd, setIOMMU, type1v2)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the IOMMU does not take the device: %w: the kernel's log (`dmesg`) says why; without interrupt remapping: switch that on in the firmware, "+
			"or, where everything on this machine is trusted, as root: `echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts`", err)
	case err != nil:
		return fmt.Errorf("the IOMMU does not take the device: %w: the kernel's log (`dmesg`) says why", err)
	}
	return nil
}

// learn asks what IOVAs there are now that a group with some members has come in.
func (c *container) learn(sys pci.Sysfs, members []pci.Member) error {
	l, err := c.limits()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.space.ranges = l.ranges
	// The IOMMU never sees what devices of one group send each other: an IOVA at which one has registers may
	// end there and not in memory.
	for _, m := range members {
		list, err := sys.Windows(m.Address)
		if err != nil {
			return err
		}
		for _, r := range list {
			if w := (span{r.Start, r.Start + r.Size - 1}); !slices.Contains(c.space.barred, w) {
				c.space.barred = append(c.space.barred, w)
			}
		}
	}
	return nil
}

func (c *container) limits() (limits, error) {
	b, err := inform(c.fd, iommuGetInfo, 0)
	if err != nil {
		return limits{}, fmt.Errorf("ask the IOMMU for its limits: %w", err)
	}
	l, err := parseLimits(b)
	if err != nil {
		return limits{}, fmt.Errorf("ask the IOMMU for its limits: %w", err)
	}
	if l.pageSizes&(2*dmaPage-1) == 0 {
		return limits{}, fmt.Errorf("the IOMMU has pages of sizes %#x and none up to 2 MiB", l.pageSizes)
	}
	return l, nil
}

// inform makes a request whose answer may be of any length.
func inform(fd int, req uint, index uint32) ([]byte, error) {
	for size := uint32(1024); size <= 1<<20; {
		b := make([]byte, size)
		native.PutUint32(b, size)
		native.PutUint32(b[8:], index)
		if _, err := ioctl.Pass(fd, req, b); err != nil {
			return nil, err
		}
		need := native.Uint32(b)
		if need <= size {
			return b, nil
		}
		size = need
	}
	return nil, errors.New("the kernel's answer is longer than 1 MiB")
}

// enter maps memory for the devices and returns its IOVA, a multiple of its length.
func (c *container) enter(b []byte) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := uint64(len(b))
	iova, ok := c.space.take(size)
	if !ok {
		return 0, fmt.Errorf("the IOMMU has no %d free addresses left: take fewer buffers: %w", size, dma.ErrNoMemory)
	}
	m := encode(dmaMap{Flags: mapRead | mapWrite, Vaddr: ioctl.Address(b), IOVA: iova, Bytes: size})
	if _, err := ioctl.Pass(c.fd, iommuMap, m); err != nil {
		c.space.give(iova)
		return 0, fmt.Errorf("map %d bytes at IOVA %#x: %w", size, iova, explainMap(err))
	}
	return iova, nil
}

// remove takes memory from the devices. Where it fails they may still reach it.
func (c *container) remove(iova uint64, size int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := encode(dmaUnmap{IOVA: iova, Bytes: uint64(size)})
	if _, err := ioctl.Pass(c.fd, iommuUnmap, b); err != nil {
		return fmt.Errorf("unmap %d bytes at IOVA %#x: %w", size, iova, err)
	}
	var done dmaUnmap
	if err := decode(b, &done); err != nil {
		return err
	}
	if done.Bytes != uint64(size) {
		return fmt.Errorf("unmap %d bytes at IOVA %#x: the kernel unmapped %d", size, iova, done.Bytes)
	}
	c.space.give(iova)
	return nil
}

// explainMap names the cure of a failure to map memory.
func explainMap(err error) error {
	switch {
	case errors.Is(err, unix.ENOMEM):
		var rl unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &rl) != nil || rl.Cur == unix.RLIM_INFINITY {
			break
		}
		return fmt.Errorf("%w: this process may lock %d KiB of memory (RLIMIT_MEMLOCK), and DMA memory counts: for the shell that starts it, `sudo prlimit --pid $$ --memlock=unlimited`; "+
			"for good, as root: `echo '%s - memlock unlimited' > /etc/security/limits.d/glassnic.conf` and a new login, or LimitMEMLOCK=infinity in the service: %w",
			err, rl.Cur>>10, userName(), dma.ErrNoMemory)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("%w: no more mappings: take pages of 1 GiB, or as root: `echo 1000000 > /sys/module/vfio_iommu_type1/parameters/dma_entry_limit`: %w", err, dma.ErrNoMemory)
	default:
		return err
	}
	return fmt.Errorf("%w: %w", err, dma.ErrNoMemory)
}

// raiseMemlock lets the process lock as much memory as it may without asking anybody.
func raiseMemlock() {
	var rl unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &rl) == nil && rl.Cur < rl.Max {
		rl.Cur = rl.Max
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &rl)
	}
}
