package afxdp

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is exported here to the rest of the package is safe to call while the ring is mapped: indexes are wrapped around.

// desc is a descriptor of the receive and transmit rings (linux/if_xdp.h, struct xdp_desc).
type desc struct {
	addr    uint64
	len     uint32
	options uint32
}

// ring is one of a socket's four. Both sides count without end, modulo 2^32; the producer's and consumer's counts lie in
// shared memory, on lines of their own.
type ring struct {
	producer, consumer, flags *uint32
	entries                   unsafe.Pointer
	mask                      uint32
	mem                       []byte
}

// mapRing maps a ring of n entries of some bytes each.
func mapRing(fd int, page int64, off unix.XDPRingOffset, n, entry int) (r ring, err error) {
	if r.mem, err = unix.Mmap(fd, page, int(off.Desc)+n*entry, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return ring{}, fmt.Errorf("mmap: %w", err)
	}
	base := unsafe.Pointer(unsafe.SliceData(r.mem))
	r.producer, r.consumer = (*uint32)(unsafe.Add(base, off.Producer)), (*uint32)(unsafe.Add(base, off.Consumer))
	r.flags, r.entries, r.mask = (*uint32)(unsafe.Add(base, off.Flags)), unsafe.Add(base, off.Desc), uint32(n-1)
	return r, nil
}

func (r *ring) unmap() error {
	if r.mem == nil {
		return nil
	}
	mem := r.mem
	*r = ring{}
	return unix.Munmap(mem)
}

// desc is an entry of a receive or transmit ring.
func (r *ring) desc(i uint32) *desc {
	return (*desc)(unsafe.Add(r.entries, uintptr(i&r.mask)*unsafe.Sizeof(desc{})))
}

// addr is an entry of a fill or completion ring.
func (r *ring) addr(i uint32) *uint64 { return (*uint64)(unsafe.Add(r.entries, uintptr(i&r.mask)*8)) }

// produced and consumed are how far the other side has come; what it wrote or read before is seen.
func (r *ring) produced() uint32 { return atomic.LoadUint32(r.producer) }
func (r *ring) consumed() uint32 { return atomic.LoadUint32(r.consumer) }

// produce and consume tell the other side how far we have come, after all reads and writes of entries and before the
// look at needsWakeup.
func (r *ring) produce(n uint32) { atomic.StoreUint32(r.producer, n) }
func (r *ring) consume(n uint32) { atomic.StoreUint32(r.consumer, n) }

// needsWakeup tells whether the kernel goes on by itself (XDP_USE_NEED_WAKEUP).
func (r *ring) needsWakeup() bool { return atomic.LoadUint32(r.flags)&unix.XDP_RING_NEED_WAKEUP != 0 }

func getsockopt[T any](fd, name int, v *T) error {
	n := uint32(unsafe.Sizeof(*v))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(name), uintptr(unsafe.Pointer(v)), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 {
		return e
	}
	if uintptr(n) != unsafe.Sizeof(*v) {
		return fmt.Errorf("%d bytes, want %d: Linux 5.10 or newer is needed", n, unsafe.Sizeof(*v))
	}
	return nil
}

// register makes UMEM of memory.
func register(fd int, mem []byte) error {
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))), Len: uint64(len(mem)), Size: chunkSize,
	}
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_UMEM_REG, uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0)
	if e != 0 {
		return e
	}
	return nil
}

// kickTx has the kernel send, as much as it does at a time.
func kickTx(fd int) unix.Errno {
	_, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return e
}

// kickRx has the kernel go on to receive.
func kickRx(fd int) unix.Errno {
	_, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return e
}
