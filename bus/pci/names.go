package pci

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// idFiles are where distributions put the list of https://pci-ids.ucw.cz.
var idFiles = []string{"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/local/share/pci.ids"}

// known names what this project is about where the system has no pci.ids.
const known = `
8086  Intel Corporation
	100e  82540EM Gigabit Ethernet Controller
	10c9  82576 Gigabit Network Connection
	10d3  82574L Gigabit Network Connection
	10ca  82576 Virtual Function
	10ed  82599 Ethernet Controller Virtual Function
	10f7  82599ES 10-Gigabit KX4 Network Connection
	10fb  82599ES 10-Gigabit SFI/SFP+ Network Connection
	10f9  82599 10-Gigabit CX4 Network Connection
	10fc  82599 10-Gigabit XAUI Network Connection
	1515  X540 Ethernet Controller Virtual Function
	151c  82599 10-Gigabit TN Network Connection
	1521  I350 Gigabit Network Connection
	1528  Ethernet Controller 10-Gigabit X540-AT2
	1533  I210 Gigabit Network Connection
	154d  Ethernet 10G 2P X520 Adapter
	1557  82599 10-Gigabit SFI Network Connection
	1560  Ethernet Controller X540
	1563  Ethernet Controller 10G X550T
	1565  X550 Virtual Function
	1572  Ethernet Controller X710 for 10GbE SFP+
	1583  Ethernet Controller XL710 for 40GbE QSFP+
	1592  Ethernet Controller E810-C for QSFP
	15f3  Ethernet Controller I225-V
	15ad  Ethernet Connection X552/X557-AT 10GBASE-T
1af4  Red Hat, Inc.
	1000  Virtio network device
	1041  Virtio 1.0 network device
15ad  VMware
	07b0  VMXNET3 Ethernet Controller
10ec  Realtek Semiconductor Co., Ltd.
	8139  RTL-8100/8101L/8139 PCI Fast Ethernet Adapter
	8168  RTL8111/8168/8411 PCI Express Gigabit Ethernet Controller
14e4  Broadcom Inc. and subsidiaries
15b3  Mellanox Technologies
	1013  MT27700 Family [ConnectX-4]
	1017  MT27800 Family [ConnectX-5]
1d0f  Amazon.com, Inc.
	ec20  Elastic Network Adapter (ENA)
`

// name fills in the names of devices.
func (s Sysfs) name(list []Device) {
	if len(list) == 0 {
		return
	}
	files := s.IDs
	if files == nil {
		files = idFiles
	}
	for _, path := range files {
		if f, err := os.Open(path); err == nil {
			nameFrom(f, list)
			f.Close()
			break
		}
	}
	nameFrom(strings.NewReader(known), list)
}

// nameFrom reads the format of pci.ids: vendors at the start of a line, their devices after one tab,
// subsystems after two; device classes, after the vendors, start with "C ". Names that are set stay.
func nameFrom(r io.Reader, list []Device) {
	sc := bufio.NewScanner(r)
	var vendor uint16
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "C ") {
			return
		}
		device := strings.TrimPrefix(line, "\t")
		num, name, ok := strings.Cut(device, " ")
		v, err := strconv.ParseUint(num, 16, 16)
		if !ok || err != nil || len(num) != 4 {
			continue
		}
		isDevice := device != line
		if !isDevice {
			vendor = uint16(v)
		}
		for i := range list {
			d := &list[i]
			switch {
			case d.ID.Vendor != vendor:
			case !isDevice && d.Vendor == "":
				d.Vendor = strings.TrimSpace(name)
			case isDevice && d.ID.Device == uint16(v) && d.Name == "":
				d.Name = strings.TrimSpace(name)
			}
		}
	}
}
