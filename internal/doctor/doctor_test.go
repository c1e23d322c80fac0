package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine makes a tree of files.
func machine(t *testing.T, files map[string]string) System {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return System{Root: root}
}

// find returns the check of a name.
func find(t *testing.T, s System, name string) Check {
	t.Helper()
	for _, c := range s.Examine() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q", name)
	return Check{}
}

const (
	huge2M = "/hugepages/hugepages-2048kB/"
	node   = "/sys/devices/system/node/node"
	cpus   = "/sys/devices/system/cpu/"
)

func TestExamine(t *testing.T) {
	status := func(caps string) map[string]string {
		return map[string]string{"/proc/self/status": "Name:\tx\nCapEff:\t" + caps, "/proc/self/pagemap": "", "/dev/net/tun": ""}
	}
	limits := func(soft string) map[string]string {
		return map[string]string{"/proc/self/limits": "Max locked memory         " + soft + "              8388608              bytes"}
	}
	group := func(kind, class string) map[string]string {
		return map[string]string{"/sys/kernel/iommu_groups/7/type": kind, "/sys/kernel/iommu_groups/7/devices/0000:03:00.0/class": class}
	}
	for _, c := range []struct {
		name, state string
		files       map[string]string
		cure        string // a part of it
	}{
		{"2 MiB huge pages", Missing, nil, "CONFIG_HUGETLBFS"},
		{"2 MiB huge pages", Missing, map[string]string{"/sys/kernel/mm" + huge2M + "nr_hugepages": "3", "/sys/kernel/mm" + huge2M + "free_hugepages": "0"},
			"echo 515 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"},
		{"2 MiB huge pages", OK, map[string]string{"/sys/kernel/mm" + huge2M + "nr_hugepages": "3", "/sys/kernel/mm" + huge2M + "free_hugepages": "1"}, ""},
		{"2 MiB huge pages, NUMA node 1", Missing, map[string]string{node + "1" + huge2M + "nr_hugepages": "0", node + "0" + huge2M + "nr_hugepages": "9"},
			"echo 512 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"},
		{"2 MiB huge pages", Missing, map[string]string{"/sys/kernel/mm" + huge2M + "nr_hugepages": "1", "/sys/kernel/mm" + huge2M + "free_hugepages": "0",
			"/proc/meminfo": "MemTotal:         950000 kB\nMemAvailable:     819200 kB"}, "echo 101 > "},
		{"2 MiB huge pages", Missing, map[string]string{"/sys/kernel/mm" + huge2M + "nr_hugepages": "0", "/proc/meminfo": "MemAvailable:     102400 kB"}, "echo 32 > "},
		{"2 MiB huge pages", Missing, map[string]string{"/sys/kernel/mm" + huge2M + "nr_hugepages": "0", "/proc/meminfo": "MemAvailable:     8192000 kB"}, "echo 512 > "},
		{"1 GiB huge pages", Missing, nil, "hugepagesz=1G"},
		{"physical addresses", OK, status("000001ffffffffff"), ""},
		{"physical addresses", Missing, status("000001ffffdfffff"), "sudo"},
		{"physical addresses", Missing, nil, "CONFIG_PROC_PAGE_MONITOR"},
		{"locked memory", OK, limits("unlimited"), ""},
		{"locked memory", OK, limits("1073741824"), ""},
		{"locked memory", Missing, limits("8388608"), "prlimit --pid $$ --memlock=unlimited; that is for one shell"},
		{"locked memory", OK, status("0000000000004000"), ""},
		{"locked memory", Unknown, nil, "LimitMEMLOCK"},
		{"IOMMU", Missing, nil, "intel_iommu=on"},
		{"IOMMU", OK, group("identity", "0x020000"), ""},
		{"IOMMU passthrough", OK, nil, ""},
		{"IOMMU passthrough", OK, group("identity", "0x020000"), ""},
		{"IOMMU passthrough", OK, group("DMA-FQ", "0x010802"), ""},
		{"IOMMU passthrough", Missing, group("DMA-FQ", "0x020000"), "echo identity > /sys/kernel/iommu_groups/7/type"},
		{"VFIO module", Missing, nil, "modprobe vfio-pci"},
		{"VFIO module", OK, map[string]string{"/sys/bus/pci/drivers/vfio-pci/bind": "", "/dev/vfio/vfio": ""}, ""},
		{"VFIO module", Missing, map[string]string{"/sys/bus/pci/drivers/vfio-pci/bind": ""}, "device file /dev/vfio/vfio"},
		{"NUMA", OK, map[string]string{node + "0/cpulist": "0", "/proc/sys/kernel/numa_balancing": "1"}, ""},
		{"NUMA", Missing, map[string]string{node + "0/cpulist": "0", node + "1/cpulist": "1", "/proc/sys/kernel/numa_balancing": "1"}, "numa_balancing=0"},
		{"NUMA", OK, map[string]string{node + "0/cpulist": "0", node + "1/cpulist": "1", "/proc/sys/kernel/numa_balancing": "0"}, ""},
		{"isolated CPUs", OK, map[string]string{cpus + "isolated": "2-3", cpus + "online": "0-3"}, ""},
		{"isolated CPUs", Missing, map[string]string{cpus + "isolated": "", cpus + "online": "0-7"}, "isolcpus=managed_irq,domain,4-7 nohz_full=4-7 rcu_nocbs=4-7"},
		{"isolated CPUs", Missing, map[string]string{cpus + "online": "0-1"}, "isolcpus=managed_irq,domain,1 "},
		{"isolated CPUs", Missing, map[string]string{cpus + "online": "0"}, "more"},
		{"isolated CPUs", Unknown, nil, "isolcpus"},
		{"CPU governor", OK, nil, ""},
		{"CPU governor", OK, map[string]string{cpus + "cpu0/cpufreq/scaling_governor": "performance"}, ""},
		{"CPU governor", Missing, map[string]string{cpus + "cpu0/cpufreq/scaling_governor": "performance", cpus + "cpu1/cpufreq/scaling_governor": "powersave"}, "echo performance"},
		{"TAP interfaces", Missing, nil, "modprobe tun"},
		{"TAP interfaces", OK, status("0000000000001000"), ""},
		{"TAP interfaces", Missing, status("0000000000000000"), "ip tuntap add"},
	} {
		got := find(t, machine(t, c.files), c.name)
		if got.State != c.state || !strings.Contains(got.Cure, c.cure) || (got.State == OK) != (got.Cure == "") {
			t.Errorf("%s with %v: got %+v, want state %s and a cure with %q", c.name, c.files, got, c.state, c.cure)
		}
		if got.Found == "" || got.For == "" {
			t.Errorf("%s: says neither what was found nor what for: %+v", c.name, got)
		}
	}
}

// TestThisMachine checks that an examination of a real machine ends and names each check once.
func TestThisMachine(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range (System{}).Examine() {
		if seen[c.Name] {
			t.Errorf("%q twice", c.Name)
		}
		seen[c.Name] = true
	}
	if len(seen) < 11 {
		t.Errorf("%d checks: %v", len(seen), seen)
	}
}
