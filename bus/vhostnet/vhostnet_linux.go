// Package vhostnet reaches the kernel's own virtio device, vhost-net: a thread of the kernel that moves frames between the
// rings of a driver in this process and a TAP interface, without a system call for each frame. Requests and structures are
// those of linux/vhost.h and linux/vhost_types.h.
package vhostnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"glassnic/bus/internal/ioctl"
)

const device = "/dev/vhost-net"

// Requests, with the size of their structures in bits 16 to 29.
const (
	getFeatures  = 0x8008af00
	setFeatures  = 0x4008af00
	setOwner     = 0xaf01
	setMemTable  = 0x4008af03
	setVringNum  = 0x4008af10
	setVringAddr = 0x4028af11
	setVringBase = 0x4008af12
	setVringKick = 0x4008af20
	setVringCall = 0x4008af21
	setVringErr  = 0x4008af22
	setBackend   = 0x4008af30 // VHOST_NET_SET_BACKEND
)

// MaxRing is the largest size of a ring in descriptors.
const MaxRing = 1 << 15

// Pair is a pair of rings that one thread of the kernel serves: 0 to receive and 1 to send. It belongs to one goroutine.
type Pair struct {
	fd   int
	iova uint64 // of the first byte of memory
	mem  []byte
}

// Open makes a pair, of which this process is the owner. The error is around unix.ENOENT, ENODEV or ENXIO where the kernel
// has no vhost-net, and around unix.EACCES where this user may not have it.
func Open() (*Pair, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w%s", device, err, cure(err))
	}
	p := &Pair{fd: fd}
	if _, err := ioctl.Number(fd, setOwner, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("VHOST_SET_OWNER: %w", err), p.Close())
	}
	return p, nil
}

func cure(err error) string {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return `: run "modprobe vhost_net" as root`
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return ": run as root, or as a user that the file belongs to"
	}
	return ""
}

// Close ends all that the kernel does to memory, before it returns, and gives the pair back. It may be called again.
func (p *Pair) Close() error {
	fd := p.fd
	if p.fd = -1; fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// Features asks for the features that the kernel offers (virtio 1.2, 6).
func (p *Pair) Features() (uint64, error) {
	b := make([]byte, 8)
	if _, err := ioctl.Pass(p.fd, getFeatures, b); err != nil {
		return 0, fmt.Errorf("VHOST_GET_FEATURES: %w", err)
	}
	return binary.NativeEndian.Uint64(b), nil
}

// SetFeatures tells the features that are used.
func (p *Pair) SetFeatures(f uint64) error {
	return p.pass("VHOST_SET_FEATURES", setFeatures, binary.NativeEndian.AppendUint64(nil, f))
}

// SetMemory hands over the memory in which rings and buffers lie, of whole pages, with the IOVA of its first byte. Nothing
// of it need be there yet.
func (p *Pair) SetMemory(iova uint64, mem []byte) error {
	p.iova, p.mem = iova, mem
	b := binary.NativeEndian.AppendUint32(nil, 1)
	b = append(b, 0, 0, 0, 0)
	for _, v := range []uint64{iova, uint64(len(mem)), ioctl.Address(mem), 0} {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return p.pass("VHOST_SET_MEM_TABLE", setMemTable, b)
}

// Ring is a split ring (virtio 1.2, 2.7).
type Ring struct {
	Size              int    // descriptors: a power of two
	Desc, Avail, Used uint64 // IOVAs of its parts
	Kick              int    // eventfd that tells of new buffers
	Call              int    // eventfd that tells of used ones; -1: nobody wants to hear
	Err               int    // eventfd that tells that the kernel finds nonsense in the ring, where it stops; -1: likewise
}

// SetRing tells where a ring lies, which begins at 0. It comes after SetMemory.
func (p *Pair) SetRing(index int, r Ring) error {
	ne := binary.NativeEndian
	if r.Size < 1 || r.Size > MaxRing || bits.OnesCount(uint(r.Size)) != 1 {
		return fmt.Errorf("a ring of %d descriptors: want a power of two up to %d", r.Size, MaxRing)
	}
	state := func(v int) []byte { return ne.AppendUint32(ne.AppendUint32(nil, uint32(index)), uint32(v)) }
	addr := state(0)
	n, all := uint64(r.Size), uint64(len(p.mem))
	for _, part := range []struct{ at, size uint64 }{{r.Desc, 16 * n}, {r.Used, 6 + 8*n}, {r.Avail, 6 + 2*n}} {
		if part.at < p.iova || part.at-p.iova > all || part.size > all-(part.at-p.iova) {
			return fmt.Errorf("%d bytes of a ring at %#x: outside the memory", part.size, part.at)
		}
		addr = ne.AppendUint64(addr, ioctl.Address(p.mem)+part.at-p.iova)
	}
	addr = ne.AppendUint64(addr, 0)
	for _, do := range []struct {
		name    string
		request uint
		b       []byte
	}{
		{"VHOST_SET_VRING_NUM", setVringNum, state(r.Size)},
		{"VHOST_SET_VRING_BASE", setVringBase, state(0)},
		{"VHOST_SET_VRING_ADDR", setVringAddr, addr},
		{"VHOST_SET_VRING_KICK", setVringKick, state(r.Kick)},
		{"VHOST_SET_VRING_CALL", setVringCall, state(r.Call)},
		{"VHOST_SET_VRING_ERR", setVringErr, state(r.Err)},
	} {
		if err := p.pass(do.name, do.request, do.b); err != nil {
			return err
		}
	}
	return nil
}

// Start has the kernel move frames between both rings and a queue of a TAP interface, which stays open.
func (p *Pair) Start(tap int) error {
	for index := range uint32(2) {
		b := binary.NativeEndian.AppendUint32(nil, index)
		if err := p.pass("VHOST_NET_SET_BACKEND", setBackend, binary.NativeEndian.AppendUint32(b, uint32(tap))); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pair) pass(name string, request uint, b []byte) error {
	if _, err := ioctl.Pass(p.fd, request, b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
