package ixgbe

// Alias is a second address of registers: Count words from Offset, Stride bytes apart, are those
// from To, ToStride bytes apart. The datasheet names both ("0x0EC80 / 0x05818").
type Alias struct {
	Offset, Stride uint32
	To, ToStride   uint32
	Count          int
}

// Aliases lists the second addresses of Registers. Where there is a choice, Registers and the
// offset functions have the address that Intel's drivers use.
// Treat it as read only.
var Aliases = []Alias{
	{0x00004, 4, 0x00000, 4, 1},     // CTRL (8.2.3.1.1)
	{0x01014, 0x40, 0x02100, 4, 16}, // SRRCTL 0–15 (8.2.3.8.7)
	{0x0100C, 0x40, 0x02200, 4, 16}, // DCA_RXCTRL 0–15 (8.2.3.11.1)
	{0x05AC0, 4, 0x0EC60, 4, 1},     // IMIRVP (8.2.3.5.15)
	{0x08680, 4, 0x06030, 0x40, 16}, // QPTC (8.2.3.23.78)
	{0x0A200, 4, 0x05400, 4, 32},    // RAL and RAH 0–15 (8.2.3.7.8, 8.2.3.7.9)
	{0x0EA00, 4, 0x05480, 4, 16},    // PSRTYPE 0–15 (8.2.3.7.4)
	{0x0EB00, 4, 0x05C00, 4, 32},    // RETA (8.2.3.7.15)
	{0x0EB80, 4, 0x05C80, 4, 10},    // RSSRK (8.2.3.7.14)
	{0x0EC80, 4, 0x05818, 4, 1},     // MRQC (8.2.3.7.12)
	{0x11068, 4, 0x110C0, 4, 1},     // PBACL 0 (8.2.3.6)
}

// Canonical returns the address under which Registers lists the register at off: off itself
// unless it is an alias.
func Canonical(off uint32) uint32 {
	for _, a := range Aliases {
		if d := off - a.Offset; d%a.Stride == 0 && d/a.Stride < uint32(a.Count) {
			return a.To + d/a.Stride*a.ToStride
		}
	}
	return off
}
