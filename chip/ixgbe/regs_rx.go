package ixgbe

// Offsets of register arrays on the receive side. The index is not checked.

// PSRTYPE is the offset of PSRTYPE[i], i < 64 (8.2.3.7.4).
func PSRTYPE(i int) uint32 {
	if i < 16 {
		return 0x05480 + uint32(i)*4
	}
	return 0x0EA40 + uint32(i-16)*4
}

// MTA is the offset of MTA[i], i < 128 (8.2.3.7.7).
func MTA(i int) uint32 { return 0x05200 + uint32(i)*4 }

// RAL is the offset of RAL[i], i < 128 (8.2.3.7.8).
func RAL(i int) uint32 {
	if i < 16 {
		return 0x05400 + uint32(i)*8
	}
	return 0x0A280 + uint32(i-16)*8
}

// RAH is the offset of RAH[i], i < 128 (8.2.3.7.9).
func RAH(i int) uint32 {
	if i < 16 {
		return 0x05404 + uint32(i)*8
	}
	return 0x0A284 + uint32(i-16)*8
}

// MPSAR is the offset of MPSAR[i], i < 256 (8.2.3.7.10).
func MPSAR(i int) uint32 { return 0x0A600 + uint32(i)*4 }

// VFTA is the offset of VFTA[i], i < 128 (8.2.3.7.11).
func VFTA(i int) uint32 { return 0x0A000 + uint32(i)*4 }

// RSSRK is the offset of RSSRK[i], i < 10 (8.2.3.7.14).
func RSSRK(i int) uint32 { return 0x05C80 + uint32(i)*4 }

// RETA is the offset of RETA[i], i < 32 (8.2.3.7.15).
func RETA(i int) uint32 { return 0x05C00 + uint32(i)*4 }

// SAQF is the offset of SAQF[i], i < 128 (8.2.3.7.16).
func SAQF(i int) uint32 { return 0x0E000 + uint32(i)*4 }

// DAQF is the offset of DAQF[i], i < 128 (8.2.3.7.17).
func DAQF(i int) uint32 { return 0x0E200 + uint32(i)*4 }

// SDPQF is the offset of SDPQF[i], i < 128 (8.2.3.7.18).
func SDPQF(i int) uint32 { return 0x0E400 + uint32(i)*4 }

// FTQF is the offset of FTQF[i], i < 128 (8.2.3.7.19).
func FTQF(i int) uint32 { return 0x0E600 + uint32(i)*4 }

// ETQF is the offset of ETQF[i], i < 8 (8.2.3.7.21).
func ETQF(i int) uint32 { return 0x05128 + uint32(i)*4 }

// ETQS is the offset of ETQS[i], i < 8 (8.2.3.7.22).
func ETQS(i int) uint32 { return 0x0EC00 + uint32(i)*4 }

// RDBAL is the offset of RDBAL[i], i < 128 (8.2.3.8.1).
func RDBAL(i int) uint32 {
	if i < 64 {
		return 0x01000 + uint32(i)*0x40
	}
	return 0x0D000 + uint32(i-64)*0x40
}

// RDBAH is the offset of RDBAH[i], i < 128 (8.2.3.8.2).
func RDBAH(i int) uint32 {
	if i < 64 {
		return 0x01004 + uint32(i)*0x40
	}
	return 0x0D004 + uint32(i-64)*0x40
}

// RDLEN is the offset of RDLEN[i], i < 128 (8.2.3.8.3).
func RDLEN(i int) uint32 {
	if i < 64 {
		return 0x01008 + uint32(i)*0x40
	}
	return 0x0D008 + uint32(i-64)*0x40
}

// RDH is the offset of RDH[i], i < 128 (8.2.3.8.4).
func RDH(i int) uint32 {
	if i < 64 {
		return 0x01010 + uint32(i)*0x40
	}
	return 0x0D010 + uint32(i-64)*0x40
}

// RDT is the offset of RDT[i], i < 128 (8.2.3.8.5).
func RDT(i int) uint32 {
	if i < 64 {
		return 0x01018 + uint32(i)*0x40
	}
	return 0x0D018 + uint32(i-64)*0x40
}

// RXDCTL is the offset of RXDCTL[i], i < 128 (8.2.3.8.6).
func RXDCTL(i int) uint32 {
	if i < 64 {
		return 0x01028 + uint32(i)*0x40
	}
	return 0x0D028 + uint32(i-64)*0x40
}

// SRRCTL is the offset of SRRCTL[i], i < 128 (8.2.3.8.7).
func SRRCTL(i int) uint32 {
	if i < 16 {
		return 0x02100 + uint32(i)*4
	}
	if i < 64 {
		return 0x01414 + uint32(i-16)*0x40
	}
	return 0x0D014 + uint32(i-64)*0x40
}

// RXPBSIZE is the offset of RXPBSIZE[i], i < 8 (8.2.3.8.9).
func RXPBSIZE(i int) uint32 { return 0x03C00 + uint32(i)*4 }

// RSCCTL is the offset of RSCCTL[i], i < 128 (8.2.3.8.13).
func RSCCTL(i int) uint32 {
	if i < 64 {
		return 0x0102C + uint32(i)*0x40
	}
	return 0x0D02C + uint32(i-64)*0x40
}

// FCTTV is the offset of FCTTV[i], i < 4 (8.2.3.3.2).
func FCTTV(i int) uint32 { return 0x03200 + uint32(i)*4 }

// FCRTL is the offset of FCRTL[i], i < 8 (8.2.3.3.3).
func FCRTL(i int) uint32 { return 0x03220 + uint32(i)*4 }

// FCRTH is the offset of FCRTH[i], i < 8 (8.2.3.3.4).
func FCRTH(i int) uint32 { return 0x03260 + uint32(i)*4 }
