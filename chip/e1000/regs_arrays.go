package e1000

// Offsets of register arrays. The index is not checked. Queues 0 to 3 lie where all cards have them, the others
// where those have them that have more (I210 8.10.4: 0xC000 is the same register as 0x2800).

func rx(reg uint32, i int) uint32 {
	if i < 4 {
		return 0x02800 + reg + uint32(i)*0x100
	}
	return 0x0C000 + reg + uint32(i)*0x40
}

func tx(reg uint32, i int) uint32 {
	if i < 4 {
		return 0x03800 + reg + uint32(i)*0x100
	}
	return 0x0E000 + reg + uint32(i)*0x40
}

// RDBAL is the offset of RDBAL[i], i < 16 (8254x 13.4.25, I210 8.10.4).
func RDBAL(i int) uint32 { return rx(0x00, i) }

// RDBAH is the offset of RDBAH[i], i < 16 (8254x 13.4.26, I210 8.10.5).
func RDBAH(i int) uint32 { return rx(0x04, i) }

// RDLEN is the offset of RDLEN[i], i < 16 (8254x 13.4.27, I210 8.10.6).
func RDLEN(i int) uint32 { return rx(0x08, i) }

// SRRCTL is the offset of SRRCTL[i], i < 16 (82576 8.10.2).
func SRRCTL(i int) uint32 { return rx(0x0C, i) }

// RDH is the offset of RDH[i], i < 16 (8254x 13.4.28, I210 8.10.7).
func RDH(i int) uint32 { return rx(0x10, i) }

// RXCTL is the offset of RXCTL[i], i < 16 (82576 8.13).
func RXCTL(i int) uint32 { return rx(0x14, i) }

// RDT is the offset of RDT[i], i < 16 (8254x 13.4.29, I210 8.10.8).
func RDT(i int) uint32 { return rx(0x18, i) }

// RXDCTL is the offset of RXDCTL[i], i < 16 (82574 10.2.5, 82576 8.10).
func RXDCTL(i int) uint32 { return rx(0x28, i) }

// RQDPC is the offset of RQDPC[i], i < 16 (82576 8.10).
func RQDPC(i int) uint32 { return rx(0x30, i) }

// TDBAL is the offset of TDBAL[i], i < 16 (8254x 13.4.36, 82576 8.12).
func TDBAL(i int) uint32 { return tx(0x00, i) }

// TDBAH is the offset of TDBAH[i], i < 16 (8254x 13.4.37, I210 8.12.11).
func TDBAH(i int) uint32 { return tx(0x04, i) }

// TDLEN is the offset of TDLEN[i], i < 16 (8254x 13.4.38, I210 8.12.12).
func TDLEN(i int) uint32 { return tx(0x08, i) }

// TDH is the offset of TDH[i], i < 16 (8254x 13.4.39, I210 8.12.13).
func TDH(i int) uint32 { return tx(0x10, i) }

// TXCTL is the offset of TXCTL[i], i < 16 (82576 8.13).
func TXCTL(i int) uint32 { return tx(0x14, i) }

// TDT is the offset of TDT[i], i < 16 (8254x 13.4.40, I210 8.12.14).
func TDT(i int) uint32 { return tx(0x18, i) }

// TXDCTL is the offset of TXDCTL[i], i < 16 (8254x 13.4, I210 8.12.15).
func TXDCTL(i int) uint32 { return tx(0x28, i) }

// TDWBAL is the offset of TDWBAL[i], i < 16 (82576 8.12).
func TDWBAL(i int) uint32 { return tx(0x38, i) }

// TDWBAH is the offset of TDWBAH[i], i < 16 (82576 8.12).
func TDWBAH(i int) uint32 { return tx(0x3C, i) }

// TARC is the offset of TARC[i], i < 2 (82574 10.2.6).
func TARC(i int) uint32 { return tx(0x40, i) }

// MTA is the offset of MTA[i], i < 128 (8254x 13.5.1, 82576 8.10).
func MTA(i int) uint32 { return 0x05200 + uint32(i)*4 }

// RAL is the offset of RAL[i], i < 24 (8254x 13.5.2, 82576 8.10).
func RAL(i int) uint32 {
	if i < 16 {
		return 0x05400 + uint32(i)*8
	}
	return 0x054E0 + uint32(i-16)*8
}

// RAH is the offset of RAH[i], i < 24 (8254x 13.5.3, 82576 8.10).
func RAH(i int) uint32 { return RAL(i) + 4 }

// VFTA is the offset of VFTA[i], i < 128 (8254x 13.5.4, 82576 8.10).
func VFTA(i int) uint32 { return 0x05600 + uint32(i)*4 }

// RETA is the offset of RETA[i], i < 32 (82574 10.2.5, 82576 8.10).
func RETA(i int) uint32 { return 0x05C00 + uint32(i)*4 }

// RSSRK is the offset of RSSRK[i], i < 10 (82574 10.2.5, 82576 8.10).
func RSSRK(i int) uint32 { return 0x05C80 + uint32(i)*4 }

// PSRTYPE is the offset of PSRTYPE[i], i < 8 (I210 8.10.3).
func PSRTYPE(i int) uint32 { return 0x05480 + uint32(i)*4 }

// EITR_82574 is the offset of EITR[i] of the 82574, i < 5 (82574 10.2.4).
func EITR_82574(i int) uint32 { return 0x000E8 + uint32(i)*4 }

// EITR is the offset of EITR[i], i < 25 (82576 8.8).
func EITR(i int) uint32 { return 0x01680 + uint32(i)*4 }

// IVAR is the offset of IVAR[i], i < 8 (I210 8.8.15).
func IVAR(i int) uint32 { return 0x01700 + uint32(i)*4 }

// MSIXBM is the offset of MSIXBM[i] of the 82575, i < 10.
func MSIXBM(i int) uint32 { return 0x01600 + uint32(i)*4 }
