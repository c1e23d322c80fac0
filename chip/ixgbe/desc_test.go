package ixgbe

import (
	"encoding/binary"
	"testing"
)

// The datasheet draws descriptors as 32-bit and 16-bit fields; the words must be the same bytes.
func TestRxWriteBackLayout(t *testing.T) {
	var d [DescSize]byte
	binary.LittleEndian.PutUint16(d[0:], 0x0111)     // RSS type 1, IPv4 and TCP
	binary.LittleEndian.PutUint16(d[2:], 54<<5|1<<1) // header length, RSCCNT 1
	binary.LittleEndian.PutUint32(d[4:], 0xCAFEF00D) // RSS hash
	binary.LittleEndian.PutUint32(d[8:], 0x40000063) // L4E | IPCS | L4I | EOP | DD
	binary.LittleEndian.PutUint16(d[12:], 1514)
	binary.LittleEndian.PutUint16(d[14:], 0xA123)
	w0, w1 := binary.LittleEndian.Uint64(d[0:]), binary.LittleEndian.Uint64(d[8:])

	if w0&RxRSSTypeMask != RxRSSTCPIPv4 || w0&RxPktTypeMask != RxPktIPv4|RxPktTCP {
		t.Errorf("types of %#x", w0)
	}
	if w0&RxHdrLenMask>>RxHdrLenShift != 54 || w0&RxRSCCntMask>>RxRSCCntShift != 1 || w0&RxSPH != 0 {
		t.Errorf("header of %#x", w0)
	}
	if RxHash(w0) != 0xCAFEF00D {
		t.Errorf("hash %#x", RxHash(w0))
	}
	if w1&0xFFFFFFFF != RxDD|RxEOP|RxL4I|RxIPCS|RxL4E || w1&RxErrMask != RxL4E {
		t.Errorf("status of %#x", w1)
	}
	if RxLen(w1) != 1514 || RxLen(^uint64(0)) != 0xFFFF || RxVLAN(w1) != 0xA123 {
		t.Errorf("length %d VLAN %#x", RxLen(w1), RxVLAN(w1))
	}
}

func TestTxDataLayout(t *testing.T) {
	const length, total = 1000, 9000
	w1 := length | TxDTYPData | TxDCMDDEXT | TxDCMDIFCS | TxDCMDEOP | TxDCMDRS | TxPOPTSIXSM | TxPOPTSTXSM |
		1<<TxIDXShift | TxCC | uint64(total)<<TxPaylenShift
	var d [8]byte
	binary.LittleEndian.PutUint64(d[:], w1)
	if n := binary.LittleEndian.Uint16(d[0:]); n != length {
		t.Errorf("DTALEN %d", n)
	}
	if d[2] != 3<<4 || d[3] != 1<<0|1<<1|1<<3|1<<5 {
		t.Errorf("DTYP and MAC %#x, DCMD %#x", d[2], d[3])
	}
	if olinfo := binary.LittleEndian.Uint32(d[4:]); olinfo != 1<<4|1<<7|3<<8|total<<14 {
		t.Errorf("STA, IDX, CC, POPTS, PAYLEN %#x", olinfo)
	}
	if uint64(TxPaylenMax)<<TxPaylenShift>>TxPaylenShift != TxPaylenMax || TxPaylenMax != 256*1024-1 {
		t.Error("PAYLEN does not reach the top of the word")
	}
}

func TestTxContextLayout(t *testing.T) {
	w0 := uint64(20)<<TxCtxIPLenShift | 14<<TxCtxMACLenShift | 0xA123<<TxCtxVLANShift | 5<<TxCtxIPsecSAShift
	w1 := TxDTYPContext | TxDCMDDEXT | TxCtxIPv4 | TxCtxTCP | 1<<TxIDXShift | 20<<TxCtxL4LenShift | 1460<<TxCtxMSSShift
	if lens := uint32(w0); lens != 0xA123<<16|14<<9|20 || w0>>32 != 5 {
		t.Errorf("word 0 %#x", w0)
	}
	if tucmd, mss := uint32(w1), uint32(w1>>32); tucmd != 0x20200000|0x0400|0x0800 || mss != 1460<<16|20<<8|1<<4 {
		t.Errorf("word 1 %#x", w1)
	}
}

func TestFieldsOfAWordDoNotOverlap(t *testing.T) {
	for name, fields := range map[string][]uint64{
		"rx word 0": {RxRSSTypeMask, RxPktTypeMask, RxRSCCntMask, RxHdrLenMask, RxSPH, 0xFFFFFFFF << RxHashShift},
		"rx word 1": {RxDD, RxEOP, RxFLM, RxVP, RxUDPCS, RxL4I, RxIPCS, RxPIF, RxVEXT, RxUDPV, RxLLINT, RxTSIP, RxTS,
			RxSECP, RxLB, RxFDIRErr, RxHBO, RxSECErr, RxRXE, RxL4E, RxIPE, RxLenMask, 0xFFFF << RxVLANShift},
		"tx word 1": {TxDTALENMask, TxMACLinkSec, TxMACTSTAMP, TxDTYPMask, TxDCMDEOP, TxDCMDIFCS, TxDCMDRS, TxDCMDDEXT,
			TxDCMDVLE, TxDCMDTSE, TxDD, 7 << TxIDXShift, TxCC, TxPOPTSIXSM, TxPOPTSTXSM, TxPOPTSIPSEC, TxPaylenMax << TxPaylenShift},
		"context word 1": {0x1FF << TxCtxESPLenShift, TxCtxSNAP, TxCtxIPv4, TxCtxL4TMask, TxCtxESP, TxCtxEncrypt,
			TxDTYPMask, TxDCMDDEXT, 7 << TxIDXShift, 0xFF << TxCtxL4LenShift, 0xFFFF << TxCtxMSSShift},
		"context word 0": {0x1FF << TxCtxIPLenShift, 0x7F << TxCtxMACLenShift, 0xFFFF << TxCtxVLANShift, 0x3FF << TxCtxIPsecSAShift},
	} {
		var used uint64
		for i, f := range fields {
			if f == 0 || used&f != 0 {
				t.Errorf("%s: field %d (%#x) is empty or overlaps", name, i, f)
			}
			used |= f
		}
	}
}

func TestLimits(t *testing.T) {
	if RingMultiple*DescSize != 128 || RingMin%RingMultiple != 0 || RingMax*DescSize != 128<<10 {
		t.Error("ring sizes are not multiples of 128 bytes up to 128 KiB")
	}
	if BufMax/BufUnit > int(SrrctlBSIZEPACKET) || BufUnit != SrrctlBSIZEPACKETUnit {
		t.Error("BufMax does not fit SRRCTL.BSIZEPACKET")
	}
	if MaxFrame > int(MaxfrsMFS>>MaxfrsMFSShift) || MaxJumbo > MaxFrame || MaxFrame != 15<<10+512 {
		t.Error("frame sizes")
	}
	if RDT(MaxQueues-1) != 0x0D018+63*0x40 || TDT(MaxQueues-1) != 0x06018+127*0x40 {
		t.Error("MaxQueues is not what the tail registers have")
	}
}
