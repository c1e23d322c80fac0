package e1000

// VendorIntel is the PCI vendor of the family.
const VendorIntel uint16 = 0x8086

// Model is a generation: cards of one model have the same registers.
type Model uint8

// The models. Of each, only cards with a built-in copper PHY are in Devices.
const (
	M8254x Model = iota // 82540EM, 82545EM: PCI and PCI-X, and what hypervisors call e1000
	M82574              // 82574L: PCIe, MSI-X
	M82583              // 82583V: an 82574 with one queue and without MSI-X
	M82575              // first with advanced descriptors
	M82576
	M82580
	MI350
	MI210
	MI211
)

var modelNames = [...]string{"8254x", "82574", "82583", "82575", "82576", "82580", "I350", "I210", "I211"}

// String returns the product's name.
func (m Model) String() string {
	if int(m) < len(modelNames) {
		return modelNames[m]
	}
	return "unknown"
}

// Device is one PCI device id.
type Device struct {
	ID    uint16
	Model Model
	Name  string
}

// Devices are the physical functions, in the order of their ids. Treat it as read only.
var Devices = []Device{
	{0x100E, M8254x, "82540EM Gigabit Ethernet Controller"},
	{0x100F, M8254x, "82545EM Gigabit Ethernet Controller (Copper)"},
	{0x10A7, M82575, "82575EB Gigabit Network Connection"},
	{0x10C9, M82576, "82576 Gigabit Network Connection"},
	{0x10D3, M82574, "82574L Gigabit Network Connection"},
	{0x10D6, M82575, "82575GB Gigabit Network Connection"},
	{0x10E8, M82576, "82576 Gigabit Network Connection (quad port)"},
	{0x10F6, M82574, "82574LA Gigabit Network Connection"},
	{0x150A, M82576, "82576NS Gigabit Network Connection"},
	{0x150C, M82583, "82583V Gigabit Network Connection"},
	{0x150E, M82580, "82580 Gigabit Network Connection"},
	{0x1516, M82580, "82580 Gigabit Network Connection (dual port)"},
	{0x1521, MI350, "I350 Gigabit Network Connection"},
	{0x1526, M82576, "82576 Gigabit Network Connection (quad port ET2)"},
	{0x1533, MI210, "I210 Gigabit Network Connection"},
	{0x1539, MI211, "I211 Gigabit Network Connection"},
	{0x157B, MI210, "I210 Gigabit Network Connection (flashless)"},
}

// Lookup finds a physical function of the family by its PCI ids.
func Lookup(vendor, device uint16) (name string, model Model, ok bool) {
	if vendor == VendorIntel {
		for _, d := range Devices {
			if d.ID == device {
				return d.Name, d.Model, true
			}
		}
	}
	return "", 0, false
}
