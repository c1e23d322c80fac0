package doctor

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// hugePages looks at the pools of 2 MiB and 1 GiB pages, of the whole machine or of each NUMA node
// (Documentation/admin-guide/mm/hugetlbpage.rst).
func (s System) hugePages() []Check {
	var all []Check
	for _, size := range []struct {
		name, dir, need string
		more            int
	}{
		{"2 MiB huge pages", "hugepages-2048kB", "DMA memory of PCI cards", s.affordable()},
		{"1 GiB huge pages", "hugepages-1048576kB", "DMA memory of PCI cards with --huge-page 1G: optional", 1},
	} {
		nodes := s.glob("/sys/devices/system/node/node[0-9]*/hugepages/" + size.dir)
		for _, dir := range nodes {
			name := size.name + ", NUMA node " + strings.TrimPrefix(path.Base(path.Dir(path.Dir(dir))), "node")
			all = append(all, s.pool(name, dir, size.need, size.more))
		}
		if len(nodes) == 0 {
			all = append(all, s.pool(size.name, "/sys/kernel/mm/hugepages/"+size.dir, size.need, size.more))
		}
	}
	return all
}

// affordable is how many huge pages of 2 MiB to advise: 1 GiB, but no more than a quarter of the memory that is
// available, for a machine that has none left stands still. The least is what two ports need.
func (s System) affordable() int {
	const want, least = 512, 32
	t, _ := s.field("/proc/meminfo", "MemAvailable:")
	kib, err := strconv.Atoi(strings.TrimSuffix(t, " kB"))
	if err != nil {
		return want
	}
	return max(least, min(want, kib/4/2048))
}

// pool looks at one pool of huge pages.
func (s System) pool(name, dir, need string, more int) Check {
	c := Check{Name: name, For: need}
	total, ok := s.number(dir + "/nr_hugepages")
	free, _ := s.number(dir + "/free_hugepages")
	switch {
	case !ok:
		c.State, c.Found = Missing, "this kernel or processor has none"
		c.Cure = "boot a kernel with CONFIG_HUGETLBFS on a machine that has such pages"
		if more == 1 {
			c.Cure = "boot with hugepagesz=1G hugepages=1"
		}
	case free == 0:
		c.State, c.Found = Missing, fmt.Sprintf("%d, none free", total)
		c.Run = fmt.Sprintf("echo %d > %s/nr_hugepages", total+more, dir)
		if more == 1 {
			c.Cure = "where memory is too scattered, boot with hugepagesz=1G hugepages=1"
		}
	default:
		c.State, c.Found = OK, fmt.Sprintf("%d, %d free", total, free)
	}
	return c
}

// Capabilities, linux/capability.h.
const (
	capNetAdmin = 12
	capIPCLock  = 14
	capSysAdmin = 21
)

// capable tells whether this process has a capability.
func (s System) capable(n uint) (has, known bool) {
	t, ok := s.field("/proc/self/status", "CapEff:")
	v, err := strconv.ParseUint(t, 16, 64)
	return v>>n&1 != 0, ok && err == nil
}

// pagemap looks whether page frame numbers are shown (Documentation/admin-guide/mm/pagemap.rst).
func (s System) pagemap() Check {
	c := Check{Name: "physical addresses", For: "PCI cards without VFIO", Cure: "run as root: sudo glassnic …"}
	has, known := s.capable(capSysAdmin)
	switch {
	case !s.exists("/proc/self/pagemap"):
		c.State, c.Found, c.Cure = Missing, "no /proc/self/pagemap", "boot a kernel with CONFIG_PROC_PAGE_MONITOR"
	case !known:
		c.State, c.Found = Unknown, "/proc/self/status shows no capabilities"
	case !has:
		c.State, c.Found = Missing, "/proc/self/pagemap hides them without CAP_SYS_ADMIN"
	default:
		c.State, c.Found = OK, "/proc/self/pagemap shows them"
	}
	return c
}

// memlock looks at RLIMIT_MEMLOCK (getrlimit(2)).
func (s System) memlock() Check {
	const enough = 1 << 30
	c := Check{Name: "locked memory", For: "memory that VFIO pins", Run: "prlimit --pid $$ --memlock=unlimited"}
	c.Cure = fmt.Sprintf("that is for one shell; for good: echo '%s - memlock unlimited' > /etc/security/limits.d/glassnic.conf and a new login; in a service LimitMEMLOCK=infinity", userName())
	t, ok := s.field("/proc/self/limits", "Max locked memory")
	soft, _, _ := strings.Cut(t, " ")
	n, err := strconv.ParseUint(soft, 10, 64)
	lock, _ := s.capable(capIPCLock)
	switch {
	case soft == "unlimited":
		c.State, c.Found = OK, "no limit"
	case lock:
		c.State, c.Found = OK, "CAP_IPC_LOCK lifts the limit"
	case !ok || err != nil:
		c.State, c.Found = Unknown, "/proc/self/limits does not say"
	case n < enough:
		c.State, c.Found = Missing, fmt.Sprintf("at most %d KiB", n>>10)
	default:
		c.State, c.Found = OK, fmt.Sprintf("up to %d MiB", n>>20)
	}
	return c
}

// numa looks whether the kernel moves memory between nodes by itself
// (Documentation/admin-guide/sysctl/kernel.rst, numa_balancing).
func (s System) numa() Check {
	c := Check{Name: "NUMA", For: "cards, workers and memory on one node", Run: "sysctl -w kernel.numa_balancing=0"}
	nodes := len(s.glob("/sys/devices/system/node/node[0-9]*"))
	on, _ := s.number("/proc/sys/kernel/numa_balancing")
	switch {
	case nodes > 1 && on != 0:
		c.State, c.Found = Missing, fmt.Sprintf("%d nodes, and the kernel moves pages between them", nodes)
	case nodes > 1:
		c.State, c.Found = OK, fmt.Sprintf("%d nodes: take --cpus on the card's (glassnic dev list)", nodes)
	default:
		c.State, c.Found = OK, "one node"
	}
	return c
}
