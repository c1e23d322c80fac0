package ixgbe

// Offsets of the other register arrays. The index is not checked.

// GSCL_5_8 is the offset of GSCL_5_8[i], i < 4 (8.2.3.4.4).
func GSCL_5_8(i int) uint32 { return 0x11030 + uint32(i)*4 }

// GSCN is the offset of GSCN[i], i < 4 (8.2.3.4.5).
func GSCN(i int) uint32 { return 0x11020 + uint32(i)*4 }

// EICS_EX is the offset of EICS_EX[i], i < 2 (8.2.3.5.7).
func EICS_EX(i int) uint32 { return 0x00A90 + uint32(i)*4 }

// EIMS_EX is the offset of EIMS_EX[i], i < 2 (8.2.3.5.8).
func EIMS_EX(i int) uint32 { return 0x00AA0 + uint32(i)*4 }

// EIMC_EX is the offset of EIMC_EX[i], i < 2 (8.2.3.5.9).
func EIMC_EX(i int) uint32 { return 0x00AB0 + uint32(i)*4 }

// EIAM_EX is the offset of EIAM_EX[i], i < 2 (8.2.3.5.10).
func EIAM_EX(i int) uint32 { return 0x00AD0 + uint32(i)*4 }

// EITR is the offset of EITR[i], i < 129 (8.2.3.5.12).
func EITR(i int) uint32 {
	if i < 24 {
		return 0x00820 + uint32(i)*4
	}
	return 0x12300 + uint32(i-24)*4
}

// L34TIMIR is the offset of L34TIMIR[i], i < 128 (8.2.3.5.13).
func L34TIMIR(i int) uint32 { return 0x0E800 + uint32(i)*4 }

// IVAR is the offset of IVAR[i], i < 64 (8.2.3.5.16).
func IVAR(i int) uint32 { return 0x00900 + uint32(i)*4 }

// RSCINT is the offset of RSCINT[i], i < 129 (8.2.3.5).
func RSCINT(i int) uint32 { return 0x12000 + uint32(i)*4 }

// PBACL is the offset of PBACL[i], i < 8 (8.2.3.6).
func PBACL(i int) uint32 { return 0x110C0 + uint32(i)*4 }

// LSECTXKEY0 is the offset of LSECTXKEY0[i], i < 4 (8.2.3).
func LSECTXKEY0(i int) uint32 { return 0x08A1C + uint32(i)*4 }

// LSECTXKEY1 is the offset of LSECTXKEY1[i], i < 4 (8.2.3).
func LSECTXKEY1(i int) uint32 { return 0x08A2C + uint32(i)*4 }

// LSECRXSA is the offset of LSECRXSA[i], i < 2 (8.2.3).
func LSECRXSA(i int) uint32 { return 0x08F10 + uint32(i)*4 }

// LSECRXPN is the offset of LSECRXPN[i], i < 2 (8.2.3).
func LSECRXPN(i int) uint32 { return 0x08F18 + uint32(i)*4 }

// LSECRXKEY is the offset of LSECRXKEY[i], i < 8 (8.2.3).
func LSECRXKEY(i int) uint32 { return 0x08F20 + uint32(i)*4 }

// LSECRXOK is the offset of LSECRXOK[i], i < 2 (8.2.3).
func LSECRXOK(i int) uint32 { return 0x08F64 + uint32(i)*4 }

// LSECRXINV is the offset of LSECRXINV[i], i < 2 (8.2.3).
func LSECRXINV(i int) uint32 { return 0x08F6C + uint32(i)*4 }

// LSECRXNV is the offset of LSECRXNV[i], i < 2 (8.2.3).
func LSECRXNV(i int) uint32 { return 0x08F74 + uint32(i)*4 }

// IPSTXKEY is the offset of IPSTXKEY[i], i < 4 (8.2.3).
func IPSTXKEY(i int) uint32 { return 0x08908 + uint32(i)*4 }

// IPSRXIPADDR is the offset of IPSRXIPADDR[i], i < 4 (8.2.3).
func IPSRXIPADDR(i int) uint32 { return 0x08E04 + uint32(i)*4 }

// IPSRXKEY is the offset of IPSRXKEY[i], i < 4 (8.2.3).
func IPSRXKEY(i int) uint32 { return 0x08E1C + uint32(i)*4 }

// FDIRSIPV6 is the offset of FDIRSIPV6[i], i < 3 (8.2.3.21).
func FDIRSIPV6(i int) uint32 { return 0x0EE0C + uint32(i)*4 }

// FCRETA is the offset of FCRETA[i], i < 8 (8.2.3).
func FCRETA(i int) uint32 { return 0x0ED10 + uint32(i)*4 }

// RXMPC is the offset of RXMPC[i], i < 8 (8.2.3.23.4).
func RXMPC(i int) uint32 { return 0x03FA0 + uint32(i)*4 }

// PXONTXC is the offset of PXONTXC[i], i < 8 (8.2.3.23.13).
func PXONTXC(i int) uint32 { return 0x03F00 + uint32(i)*4 }

// PXONRXCNT is the offset of PXONRXCNT[i], i < 8 (8.2.3.23.14).
func PXONRXCNT(i int) uint32 { return 0x04140 + uint32(i)*4 }

// PXOFFTXC is the offset of PXOFFTXC[i], i < 8 (8.2.3.23.15).
func PXOFFTXC(i int) uint32 { return 0x03F20 + uint32(i)*4 }

// PXOFFRXCNT is the offset of PXOFFRXCNT[i], i < 8 (8.2.3.23.16).
func PXOFFRXCNT(i int) uint32 { return 0x04160 + uint32(i)*4 }

// PXON2OFFCNT is the offset of PXON2OFFCNT[i], i < 8 (8.2.3.23.17).
func PXON2OFFCNT(i int) uint32 { return 0x03240 + uint32(i)*4 }

// RQSMR is the offset of RQSMR[i], i < 32 (8.2.3.23.71).
func RQSMR(i int) uint32 { return 0x02300 + uint32(i)*4 }

// TQSM is the offset of TQSM[i], i < 32 (8.2.3.23.73).
func TQSM(i int) uint32 { return 0x08600 + uint32(i)*4 }

// QPRC is the offset of QPRC[i], i < 16 (8.2.3.23.74).
func QPRC(i int) uint32 { return 0x01030 + uint32(i)*0x40 }

// QPRDC is the offset of QPRDC[i], i < 16 (8.2.3.23.75).
func QPRDC(i int) uint32 { return 0x01430 + uint32(i)*0x40 }

// QBRC_L is the offset of QBRC_L[i], i < 16 (8.2.3.23.76).
func QBRC_L(i int) uint32 { return 0x01034 + uint32(i)*0x40 }

// QBRC_H is the offset of QBRC_H[i], i < 16 (8.2.3.23.77).
func QBRC_H(i int) uint32 { return 0x01038 + uint32(i)*0x40 }

// QPTC is the offset of QPTC[i], i < 16 (8.2.3.23.78).
func QPTC(i int) uint32 { return 0x06030 + uint32(i)*0x40 }

// QBTC_L is the offset of QBTC_L[i], i < 16 (8.2.3.23.79).
func QBTC_L(i int) uint32 { return 0x08700 + uint32(i)*8 }

// QBTC_H is the offset of QBTC_H[i], i < 16 (8.2.3.23.80).
func QBTC_H(i int) uint32 { return 0x08704 + uint32(i)*8 }

// RNBC is the offset of RNBC[i], i < 8 (82598 4.4.3.9).
func RNBC(i int) uint32 { return 0x03FC0 + uint32(i)*4 }

// IP4AT is the offset of IP4AT[i], i < 4 (8.2.3.24).
func IP4AT(i int) uint32 { return 0x05840 + uint32(i)*8 }

// IP6AT is the offset of IP6AT[i], i < 4 (8.2.3.24).
func IP6AT(i int) uint32 { return 0x05880 + uint32(i)*4 }

// WUPM is the offset of WUPM[i], i < 32 (8.2.3.24).
func WUPM(i int) uint32 { return 0x05A00 + uint32(i)*4 }

// FHFT is the offset of FHFT[i], i < 384 (8.2.3.24.9).
func FHFT(i int) uint32 {
	if i < 256 {
		return 0x09000 + uint32(i)*4
	}
	return 0x09800 + uint32(i-256)*4
}

// MAVTV is the offset of MAVTV[i], i < 8 (8.2.3.25).
func MAVTV(i int) uint32 { return 0x05010 + uint32(i)*4 }

// MFUTP is the offset of MFUTP[i], i < 8 (8.2.3.25).
func MFUTP(i int) uint32 { return 0x05030 + uint32(i)*4 }

// BMCIP is the offset of BMCIP[i], i < 4 (8.2.3.25).
func BMCIP(i int) uint32 { return 0x05050 + uint32(i)*4 }

// METF is the offset of METF[i], i < 4 (8.2.3.25).
func METF(i int) uint32 { return 0x05190 + uint32(i)*4 }

// MDEF_EXT is the offset of MDEF_EXT[i], i < 8 (8.2.3.25).
func MDEF_EXT(i int) uint32 { return 0x05160 + uint32(i)*4 }

// MDEF is the offset of MDEF[i], i < 8 (8.2.3.25).
func MDEF(i int) uint32 { return 0x05890 + uint32(i)*4 }

// MIPAF is the offset of MIPAF[i], i < 16 (8.2.3.25).
func MIPAF(i int) uint32 { return 0x058B0 + uint32(i)*4 }

// MMAL is the offset of MMAL[i], i < 4 (8.2.3.25).
func MMAL(i int) uint32 { return 0x05910 + uint32(i)*8 }

// MMAH is the offset of MMAH[i], i < 4 (8.2.3.25).
func MMAH(i int) uint32 { return 0x05914 + uint32(i)*8 }

// FTFT is the offset of FTFT[i], i < 256 (8.2.3.25).
func FTFT(i int) uint32 { return 0x09400 + uint32(i)*4 }

// PFMAILBOX is the offset of PFMAILBOX[i], i < 64 (8.2.3.27.2).
func PFMAILBOX(i int) uint32 { return 0x04B00 + uint32(i)*4 }

// PFMBICR is the offset of PFMBICR[i], i < 4 (8.2.3.27.3).
func PFMBICR(i int) uint32 { return 0x00710 + uint32(i)*4 }

// PFMBIMR is the offset of PFMBIMR[i], i < 2 (8.2.3.27.4).
func PFMBIMR(i int) uint32 { return 0x00720 + uint32(i)*4 }

// PFVFLRE is the offset of PFVFLRE[i], i < 2 (8.2.3.27.5).
func PFVFLRE(i int) uint32 {
	if i < 1 {
		return 0x00600
	}
	return 0x001C0
}

// PFVFLREC is the offset of PFVFLREC[i], i < 2 (8.2.3.27.6).
func PFVFLREC(i int) uint32 { return 0x00700 + uint32(i)*4 }

// PFVFRE is the offset of PFVFRE[i], i < 2 (8.2.3.27.7).
func PFVFRE(i int) uint32 { return 0x051E0 + uint32(i)*4 }

// PFVFTE is the offset of PFVFTE[i], i < 2 (8.2.3.27.8).
func PFVFTE(i int) uint32 { return 0x08110 + uint32(i)*4 }

// PFVMTXSW is the offset of PFVMTXSW[i], i < 2 (8.2.3.27.10).
func PFVMTXSW(i int) uint32 { return 0x05180 + uint32(i)*4 }

// PFVFSPOOF is the offset of PFVFSPOOF[i], i < 8 (8.2.3.27.11).
func PFVFSPOOF(i int) uint32 { return 0x08200 + uint32(i)*4 }

// PFVMVIR is the offset of PFVMVIR[i], i < 64 (8.2.3.27.13).
func PFVMVIR(i int) uint32 { return 0x08000 + uint32(i)*4 }

// PFVML2FLT is the offset of PFVML2FLT[i], i < 64 (8.2.3.27.14).
func PFVML2FLT(i int) uint32 { return 0x0F000 + uint32(i)*4 }

// PFVLVF is the offset of PFVLVF[i], i < 64 (8.2.3.27.15).
func PFVLVF(i int) uint32 { return 0x0F100 + uint32(i)*4 }

// PFVLVFB is the offset of PFVLVFB[i], i < 128 (8.2.3.27.16).
func PFVLVFB(i int) uint32 { return 0x0F200 + uint32(i)*4 }

// PFUTA is the offset of PFUTA[i], i < 128 (8.2.3.27.17).
func PFUTA(i int) uint32 { return 0x0F400 + uint32(i)*4 }

// PFMRCTL is the offset of PFMRCTL[i], i < 4 (8.2.3.27.18).
func PFMRCTL(i int) uint32 { return 0x0F600 + uint32(i)*4 }

// PFMRVLAN is the offset of PFMRVLAN[i], i < 8 (8.2.3.27.19).
func PFMRVLAN(i int) uint32 { return 0x0F610 + uint32(i)*4 }

// PFMRVM is the offset of PFMRVM[i], i < 8 (8.2.3.27.20).
func PFMRVM(i int) uint32 { return 0x0F630 + uint32(i)*4 }

// PFMBMEM is the offset of PFMBMEM[i], i < 1024 (8.2.3.27).
func PFMBMEM(i int) uint32 { return 0x13000 + uint32(i)*4 }

// ERETA is the offset of ERETA[i], i < 96 (X550).
func ERETA(i int) uint32 { return 0x0EE80 + uint32(i)*4 }

// PFVFMRQC is the offset of PFVFMRQC[i], i < 64 (X550).
func PFVFMRQC(i int) uint32 { return 0x03400 + uint32(i)*4 }

// DMCTH is the offset of DMCTH[i], i < 8 (X550).
func DMCTH(i int) uint32 { return 0x03300 + uint32(i)*4 }

// MPC is RXMPC under the name of the 82598 and of Intel's drivers.
func MPC(i int) uint32 { return RXMPC(i) }
