package ixgbe

// Offsets of register arrays on the transmit side. The index is not checked.

// TDBAL is the offset of TDBAL[i], i < 128 (8.2.3.9.5).
func TDBAL(i int) uint32 { return 0x06000 + uint32(i)*0x40 }

// TDBAH is the offset of TDBAH[i], i < 128 (8.2.3.9.6).
func TDBAH(i int) uint32 { return 0x06004 + uint32(i)*0x40 }

// TDLEN is the offset of TDLEN[i], i < 128 (8.2.3.9.7).
func TDLEN(i int) uint32 { return 0x06008 + uint32(i)*0x40 }

// TDH is the offset of TDH[i], i < 128 (8.2.3.9.8).
func TDH(i int) uint32 { return 0x06010 + uint32(i)*0x40 }

// TDT is the offset of TDT[i], i < 128 (8.2.3.9.9).
func TDT(i int) uint32 { return 0x06018 + uint32(i)*0x40 }

// TXDCTL is the offset of TXDCTL[i], i < 128 (8.2.3.9.10).
func TXDCTL(i int) uint32 { return 0x06028 + uint32(i)*0x40 }

// TDWBAL is the offset of TDWBAL[i], i < 128 (8.2.3.9.11).
func TDWBAL(i int) uint32 { return 0x06038 + uint32(i)*0x40 }

// TDWBAH is the offset of TDWBAH[i], i < 128 (8.2.3.9.12).
func TDWBAH(i int) uint32 { return 0x0603C + uint32(i)*0x40 }

// TXPBSIZE is the offset of TXPBSIZE[i], i < 8 (8.2.3.9.13).
func TXPBSIZE(i int) uint32 { return 0x0CC00 + uint32(i)*4 }

// TXPBTHRESH is the offset of TXPBTHRESH[i], i < 8 (8.2.3.9.16).
func TXPBTHRESH(i int) uint32 { return 0x04950 + uint32(i)*4 }

// RTRPT4C is the offset of RTRPT4C[i], i < 8 (8.2.3.10.6).
func RTRPT4C(i int) uint32 { return 0x02140 + uint32(i)*4 }

// TXLLQ is the offset of TXLLQ[i], i < 4 (8.2.3.10.7).
func TXLLQ(i int) uint32 { return 0x082E0 + uint32(i)*4 }

// RTRPT4S is the offset of RTRPT4S[i], i < 8 (8.2.3.10.8).
func RTRPT4S(i int) uint32 { return 0x02160 + uint32(i)*4 }

// RTTDT2C is the offset of RTTDT2C[i], i < 8 (8.2.3.10.9).
func RTTDT2C(i int) uint32 { return 0x04910 + uint32(i)*4 }

// RTTPT2C is the offset of RTTPT2C[i], i < 8 (8.2.3.10.10).
func RTTPT2C(i int) uint32 { return 0x0CD20 + uint32(i)*4 }

// RTTDT2S is the offset of RTTDT2S[i], i < 8 (8.2.3.10.11).
func RTTDT2S(i int) uint32 { return 0x04930 + uint32(i)*4 }

// RTTPT2S is the offset of RTTPT2S[i], i < 8 (8.2.3.10.12).
func RTTPT2S(i int) uint32 { return 0x0CD40 + uint32(i)*4 }

// DCA_RXCTRL is the offset of DCA_RXCTRL[i], i < 128 (8.2.3.11.1).
func DCA_RXCTRL(i int) uint32 {
	if i < 16 {
		return 0x02200 + uint32(i)*4
	}
	if i < 64 {
		return 0x0140C + uint32(i-16)*0x40
	}
	return 0x0D00C + uint32(i-64)*0x40
}

// DCA_TXCTRL is the offset of DCA_TXCTRL[i], i < 128 (8.2.3.11.2).
func DCA_TXCTRL(i int) uint32 { return 0x0600C + uint32(i)*0x40 }
