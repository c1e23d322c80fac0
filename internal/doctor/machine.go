package doctor

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"glassnic/internal/cpu"
)

// iommu looks whether there is one (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
func (s System) iommu() Check {
	c := Check{Name: "IOMMU", For: "VFIO, and keeping cards away from foreign memory: optional"}
	if n := len(s.glob("/sys/kernel/iommu_groups/*")); n > 0 {
		c.State, c.Found = OK, fmt.Sprintf("%d groups", n)
		return c
	}
	c.State, c.Found = Missing, "none is on"
	c.Cure = "switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on iommu=pt"
	return c
}

// identity looks whether physical addresses reach memory.
func (s System) identity() Check {
	c := Check{Name: "IOMMU passthrough", For: "PCI cards without VFIO", Cure: "boot with iommu=pt"}
	translated, one := 0, ""
	for _, p := range s.glob("/sys/kernel/iommu_groups/*/type") {
		if t, ok := s.text(p); ok && t != "identity" && s.network(path.Dir(p)) {
			translated++
			one = p
		}
	}
	if translated == 0 {
		c.State, c.Found = OK, "no network card's addresses are translated"
		return c
	}
	c.State, c.Found = Missing, fmt.Sprintf("the addresses of network cards in %d groups are translated", translated)
	c.Cure += fmt.Sprintf("; for a card that is unbound: echo identity > %s; with VFIO it is as it should be", one)
	return c
}

// network tells whether a network card is in an IOMMU group.
func (s System) network(group string) bool {
	for _, p := range s.glob(group + "/devices/*/class") {
		if t, _ := s.text(p); strings.HasPrefix(t, "0x02") {
			return true
		}
	}
	return false
}

func (s System) vfio() Check {
	c := Check{Name: "VFIO module", For: "PCI cards behind an IOMMU: optional"}
	const container = "/dev/vfio/vfio"
	switch err := access(s.path(container)); {
	case !s.exists("/sys/bus/pci/drivers/vfio-pci"):
		c.State, c.Found, c.Run = Missing, "vfio-pci is not loaded", "modprobe vfio-pci"
	case errors.Is(err, os.ErrPermission):
		c.State, c.Found, c.Run = Missing, "this user may not open "+container, "chmod 0666 "+container
	case err != nil:
		c.State, c.Found, c.Run = Missing, err.Error(), "modprobe vfio"
		c.Cure = "in a container, start it with the device file " + container
	default:
		c.State, c.Found = OK, "vfio-pci is loaded"
	}
	return c
}

// isolation looks whether there are CPUs that the scheduler leaves alone
// (Documentation/admin-guide/kernel-parameters.txt, isolcpus, nohz_full, rcu_nocbs).
func (s System) isolation() Check {
	c := Check{Name: "isolated CPUs", For: "workers that nothing interrupts"}
	if isolated, _ := s.text("/sys/devices/system/cpu/isolated"); isolated != "" {
		c.State, c.Found = OK, isolated
		return c
	}
	online, _ := s.text("/sys/devices/system/cpu/online")
	list, err := cpu.ParseList(online)
	switch {
	case err != nil:
		c.State, c.Found, c.Cure = Unknown, "/sys/devices/system/cpu/online does not say which CPUs there are", "boot with isolcpus=, nohz_full=, rcu_nocbs="
	case len(list) < 2:
		c.State, c.Found, c.Cure = Missing, "there is one CPU only", "take a machine with more"
	default:
		keep := fmt.Sprint(list[len(list)-1])
		if len(list) > 3 {
			keep = fmt.Sprintf("%d-%d", list[len(list)/2], list[len(list)-1])
		}
		c.State, c.Found = Missing, "none of "+online
		c.Cure = fmt.Sprintf("boot with isolcpus=managed_irq,domain,%s nohz_full=%s rcu_nocbs=%s", keep, keep, keep)
	}
	return c
}

// governor looks whether CPUs keep their clock (Documentation/admin-guide/pm/cpufreq.rst).
func (s System) governor() Check {
	c := Check{Name: "CPU governor", For: "steady clocks", Cure: "for g in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance > $g; done"}
	files := s.glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	slow := map[string]int{}
	for _, p := range files {
		if t, ok := s.text(p); ok && t != "performance" {
			slow[t]++
		}
	}
	switch {
	case len(files) == 0:
		c.State, c.Found = OK, "the kernel does not choose the clock here"
	case len(slow) > 0:
		var found []string
		for _, g := range slices.Sorted(maps.Keys(slow)) {
			found = append(found, fmt.Sprintf("%s on %d CPUs", g, slow[g]))
		}
		c.State, c.Found = Missing, strings.Join(found, ", ")
	default:
		c.State, c.Found = OK, "performance"
	}
	return c
}

// tun looks whether TAP interfaces can be made (Documentation/networking/tuntap.rst).
func (s System) tun() Check {
	c := Check{Name: "TAP interfaces", For: "the wire tap=NAME of simulated cards"}
	const dev = "/dev/net/tun"
	if !s.exists(dev) {
		c.State, c.Found, c.Cure = Missing, "no "+dev, "modprobe tun; in a container: mkdir -p /dev/net && mknod /dev/net/tun c 10 200"
		return c
	}
	f, err := os.OpenFile(s.path(dev), os.O_RDWR, 0)
	if err != nil {
		c.State, c.Found, c.Cure = Missing, fmt.Sprintf("%s: %v", dev, err), "run as root; in a container: allow the device c 10:200"
		return c
	}
	f.Close()
	if has, known := s.capable(capNetAdmin); known && !has {
		c.State, c.Found, c.Cure = Missing, "no CAP_NET_ADMIN", "run as root, or: ip tuntap add NAME mode tap user $USER"
		return c
	}
	c.State, c.Found = OK, dev+" opens"
	return c
}
