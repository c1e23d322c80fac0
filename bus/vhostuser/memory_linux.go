package vhostuser

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// MaxMemSlots is how many regions of memory a back-end takes, as many as the kernel's vhost does by default.
const MaxMemSlots = 64

// Memory is the front-end's memory as a back-end has it mapped. Its methods belong to one goroutine at a time; what
// Guest and User return is valid until the region goes by Set, Remove or Close.
//
// The front-end can make a file shorter that it has handed over, unless it is sealed (F_SEAL_SHRINK of fcntl(2)):
// an access raises SIGBUS then, which Go turns into a panic under debug.SetPanicOnFault.
type Memory struct{ regions []mapped }

type mapped struct {
	Region
	mem         []byte // the region
	whole       []byte // what was mapped
	device, ino uint64 // of its file
}

// Set replaces all regions. It takes the file descriptors over, one for each, and closes them. In case of an error
// there is no memory.
func (m *Memory) Set(all []Region, fds []int) error {
	err := m.Close()
	if len(all) != len(fds) {
		closeAll(fds)
		return errors.Join(err, fmt.Errorf("%d regions of memory with %d file descriptors", len(all), len(fds)))
	}
	for i, r := range all {
		if err == nil {
			err = m.Add(r, fds[i])
		} else {
			closeAll(fds[i : i+1])
		}
	}
	if err != nil {
		err = errors.Join(err, m.Close())
	}
	return err
}

// Add maps one more region. It takes the file descriptor over and closes it. One that is there already, of the same
// file, may be added again: QEMU before 8.1 says so once for each pair of queues.
func (m *Memory) Add(r Region, fd int) error {
	defer closeAll([]int{fd})
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%d bytes of memory at guest address %#x, user address %#x: %w", r.Size, r.Guest, r.User, fmt.Errorf(format, args...))
	}
	const most = 1 << 46 // an address space is not larger
	if r.Size == 0 || r.Size > most || r.Offset > most || r.Guest+r.Size < r.Guest || r.User+r.Size < r.User {
		return fail("offset %#x: such a region cannot be", r.Offset)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fail("fstat: %w", err)
	}
	if o := m.overlap(r); o != nil {
		if o.Region == r && o.device == st.Dev && o.ino == st.Ino {
			return nil
		}
		return fail("it overlaps %d bytes at %#x", o.Size, o.Guest)
	}
	if len(m.regions) >= MaxMemSlots {
		return fmt.Errorf("more than %d regions of memory", MaxMemSlots)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size < 0 || uint64(st.Size) < r.Offset+r.Size {
		return fail("the file has %d bytes, and the region ends at %d: share a memfd or a file", st.Size, r.Offset+r.Size)
	}
	// A mapping begins and ends at the pages of its file system, which are large in hugetlbfs.
	page := uint64(st.Blksize)
	if page < 4096 || page&(page-1) != 0 || page > 1<<30 {
		page = 4096
	}
	page = max(page, uint64(unix.Getpagesize()))
	from := r.Offset &^ (page - 1)
	to := (r.Offset + r.Size + page - 1) &^ (page - 1)
	whole, err := mapFile(fd, int64(from), int(to-from))
	if err != nil {
		return fail("mmap: %w", err)
	}
	at := r.Offset - from
	m.regions = append(m.regions, mapped{r, whole[at : at+r.Size : at+r.Size], whole, st.Dev, st.Ino})
	return nil
}

// overlap returns a region that has guest addresses in common with r, nil where there is none.
func (m *Memory) overlap(r Region) *mapped {
	for i := range m.regions {
		if o := &m.regions[i]; r.Guest < o.Guest+o.Size && o.Guest < r.Guest+r.Size {
			return o
		}
	}
	return nil
}

// Remove unmaps the region with these addresses and size. Of memory of which nothing is there it may be said again, as
// of what Add adds.
func (m *Memory) Remove(r Region) error {
	for i := range m.regions {
		if o := &m.regions[i]; o.Guest == r.Guest && o.User == r.User && o.Size == r.Size {
			err := unmap(o.whole)
			m.regions = append(m.regions[:i], m.regions[i+1:]...)
			return err
		}
	}
	if m.overlap(r) == nil {
		return nil
	}
	return fmt.Errorf("there is no region of %d bytes at guest address %#x, user address %#x", r.Size, r.Guest, r.User)
}

// Close unmaps all regions. The Memory may be used again.
func (m *Memory) Close() (err error) {
	for i := range m.regions {
		err = errors.Join(err, unmap(m.regions[i].whole))
	}
	m.regions = nil
	return err
}

// Guest returns n bytes at a guest address, which descriptors hold; nil where they are not all within one region, or
// n is 0.
func (m *Memory) Guest(addr, n uint64) []byte {
	for i := range m.regions {
		r := &m.regions[i]
		if off := addr - r.Guest; off < r.Size && n-1 < r.Size-off {
			return r.mem[off : off+n : off+n]
		}
	}
	return nil
}

// Around returns the region that a guest address lies in, and the guest address of its begin; nil where there is none.
func (m *Memory) Around(addr uint64) (begin uint64, region []byte) {
	for i := range m.regions {
		if r := &m.regions[i]; addr-r.Guest < r.Size {
			return r.Guest, r.mem
		}
	}
	return 0, nil
}

// User returns n bytes at a user address, which messages hold, like Guest.
func (m *Memory) User(addr, n uint64) []byte {
	for i := range m.regions {
		r := &m.regions[i]
		if off := addr - r.User; off < r.Size && n-1 < r.Size-off {
			return r.mem[off : off+n : off+n]
		}
	}
	return nil
}
