package ixgbe

// VendorIntel is the PCI vendor of the family.
const VendorIntel uint16 = 0x8086

// Model is a generation of the family: cards of one model have the same registers.
type Model uint8

// The models.
const (
	M82599   Model = iota // 82599, X520: SFP+, backplane, CX4
	MX540                 // X540: 10GBASE-T
	MX550                 // X550: 10GBASE-T, NBASE-T
	MX550EMx              // X552, in the Xeon D-1500
	MX550EMa              // X553, in the Atom C3000
)

var modelNames = [...]string{"82599", "X540", "X550", "X552", "X553"}

// String returns the product family's name.
func (m Model) String() string {
	if int(m) < len(modelNames) {
		return modelNames[m]
	}
	return "unknown"
}

// Media is what a port drives.
type Media uint8

// The media.
const (
	Fiber     Media = iota // SFP+ or QSFP+ module, optical or direct attach
	Copper                 // BASE-T
	Backplane              // KX, KX4, KR, SGMII
	CX4
)

// Device is one PCI device id of the family.
type Device struct {
	ID    uint16
	Model Model
	Media Media
	Name  string
}

// Devices are the physical functions, in the order of their ids. Treat it as read only.
var Devices = []Device{
	{0x10F7, M82599, Backplane, "10 Gigabit BR KX4 Dual Port Network Connection"},
	{0x10F8, M82599, Backplane, "82599 10 Gigabit Dual Port Backplane Connection"},
	{0x10F9, M82599, CX4, "82599 10 Gigabit CX4 Dual Port Network Connection"},
	{0x10FB, M82599, Fiber, "82599ES 10-Gigabit SFI/SFP+ Network Connection"},
	{0x10FC, M82599, Backplane, "82599 10 Gigabit Dual Port Network Connection (XAUI)"},
	{0x1507, M82599, Fiber, "Ethernet Express Module X520-P2"},
	{0x1514, M82599, Backplane, "Ethernet X520 10GbE Dual Port KX4 Mezz"},
	{0x1517, M82599, Backplane, "82599ES 10 Gigabit Network Connection (KR)"},
	{0x151C, M82599, Copper, "82599 10 Gigabit TN Network Connection"},
	{0x1528, MX540, Copper, "Ethernet Controller 10-Gigabit X540-AT2"},
	{0x1529, M82599, Fiber, "82599 10 Gigabit Dual Port Network Connection with FCoE"},
	{0x152A, M82599, Backplane, "82599 10 Gigabit Dual Port Backplane Connection with FCoE"},
	{0x154A, M82599, Fiber, "Ethernet Server Adapter X520-4"},
	{0x154D, M82599, Fiber, "Ethernet 10G 2P X520 Adapter"},
	{0x154F, M82599, Fiber, "82599 10 Gigabit Network Connection (LS)"},
	{0x1557, M82599, Fiber, "82599 10 Gigabit Network Connection"},
	{0x1558, M82599, Fiber, "Ethernet Converged Network Adapter X520-Q1"},
	{0x155C, MX540, Copper, "X540 10 Gigabit Bypass Adapter"},
	{0x155D, M82599, Fiber, "82599 10 Gigabit Bypass Adapter"},
	{0x1560, MX540, Copper, "Ethernet Controller X540"},
	{0x1563, MX550, Copper, "Ethernet Controller 10G X550T"},
	{0x15AA, MX550EMx, Backplane, "Ethernet Connection X552 10 GbE Backplane (KX4)"},
	{0x15AB, MX550EMx, Backplane, "Ethernet Connection X552 10 GbE Backplane (KR)"},
	{0x15AC, MX550EMx, Fiber, "Ethernet Connection X552 10 GbE SFP+"},
	{0x15AD, MX550EMx, Copper, "Ethernet Connection X552/X557-AT 10GBASE-T"},
	{0x15AE, MX550EMx, Copper, "Ethernet Connection X552 1000BASE-T"},
	{0x15B0, MX550EMx, Backplane, "Ethernet Connection X552 Backplane"},
	{0x15C2, MX550EMa, Backplane, "Ethernet Connection X553 Backplane"},
	{0x15C3, MX550EMa, Backplane, "Ethernet Connection X553 Backplane (L)"},
	{0x15C4, MX550EMa, Fiber, "Ethernet Connection X553 10 GbE SFP+"},
	{0x15C6, MX550EMa, Backplane, "Ethernet Connection X553 1GbE (SGMII)"},
	{0x15C7, MX550EMa, Backplane, "Ethernet Connection X553 1GbE (SGMII, L)"},
	{0x15C8, MX550EMa, Copper, "Ethernet Connection X553/X557-AT 10GBASE-T"},
	{0x15CA, MX550EMa, Fiber, "Ethernet Connection X553 (QSFP+)"},
	{0x15CC, MX550EMa, Fiber, "Ethernet Connection X553 (QSFP+, N)"},
	{0x15CE, MX550EMa, Fiber, "Ethernet Connection X553 10 GbE SFP+"},
	{0x15D1, MX550, Copper, "Ethernet Controller 10G X550T (single port)"},
	{0x15E4, MX550EMa, Copper, "Ethernet Connection X553 1GbE"},
	{0x15E5, MX550EMa, Copper, "Ethernet Connection X553 1GbE (L)"},
}

// Lookup finds a physical function of the family by its PCI ids.
func Lookup(vendor, device uint16) (name string, model Model, ok bool) {
	d, ok := LookupDevice(vendor, device)
	return d.Name, d.Model, ok
}

// LookupDevice is Lookup with everything that is known of the device.
func LookupDevice(vendor, device uint16) (Device, bool) {
	if vendor == VendorIntel {
		for _, d := range Devices {
			if d.ID == device {
				return d, true
			}
		}
	}
	return Device{}, false
}
