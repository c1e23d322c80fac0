package ixgbe

import (
	"strings"
	"testing"
)

// Bits are written twice, as constants for code and as fields for tables; both must agree.
func TestBitsAndFieldsAgree(t *testing.T) {
	for name, want := range map[string]uint32{
		"CTRL.GIO_DIS": CtrlGIODIS, "CTRL.LRST": CtrlLRST, "CTRL.RST": CtrlRST,
		"STATUS.LAN_ID": StatusLANID, "STATUS.LINK_UP": StatusLinkUp, "STATUS.NUM_VFS": StatusNumVFs,
		"STATUS.IOV": StatusIOV, "STATUS.GIO": StatusGIO,
		"CTRL_EXT.PFRSTD": CtrlExtPFRSTD, "CTRL_EXT.NS_DIS": CtrlExtNSDIS, "CTRL_EXT.RO_DIS": CtrlExtRODIS,
		"CTRL_EXT.EXT_VLAN": CtrlExtEXTVLAN, "CTRL_EXT.DRV_LOAD": CtrlExtDRVLOAD,
		"LEDCTL.LED0_MODE": LedctlMODEMask(0), "LEDCTL.LED3_MODE": LedctlMODEMask(3),
		"LEDCTL.LED0_BLINK": LedctlBLINK(0), "LEDCTL.LED1_BLINK": LedctlBLINK(1), "LEDCTL.LED2_BLINK": LedctlBLINK(2),
		"LEDCTL.LED3_BLINK": LedctlBLINK(3), "LEDCTL.LED2_IVRT": LedctlIVRT(2), "LEDCTL.GLOBAL_BLINK_MODE": LedGlobBlink,
		"EEC.EE_SK": EecSK, "EEC.EE_CS": EecCS, "EEC.EE_DI": EecDI, "EEC.EE_DO": EecDO, "EEC.EE_REQ": EecEEREQ,
		"EEC.EE_GNT": EecEEGNT, "EEC.EE_PRES": EecEEPRES, "EEC.AUTO_RD": EecARD,
		"EERD.START": EerdSTART, "EERD.DONE": EerdDONE,
		"EERD.ADDR": 0x3FFF << EerdADDRShift, "EERD.DATA": 0xFFFF << EerdDATAShift,
		"EEMNGCTL.CFG_DONE0": EemngctlCFGDONE0, "EEMNGCTL.CFG_DONE1": EemngctlCFGDONE1,
		"SWSM.SMBI": SwsmSMBI, "SWSM.SWESMBI": SwsmSWESMBI,
		"FWSM.FW_MODE": FwsmMODE, "FWSM.FW_VAL": FwsmFWVAL, "FWSM.EXT_ERR_IND": FwsmERRIND,
		"SW_FW_SYNC.SW_EEP_SM": SwFwSyncSWEEP, "SW_FW_SYNC.SW_PHY_SM0": SwFwSyncSWPHY0,
		"SW_FW_SYNC.SW_PHY_SM1": SwFwSyncSWPHY1, "SW_FW_SYNC.SW_MAC_CSR_SM": SwFwSyncSWMACCSR,
		"SW_FW_SYNC.SW_FLASH_SM": SwFwSyncSWFLASH, "SW_FW_SYNC.FW_EEP_SM": SwFwSyncFWEEP,
		"SW_FW_SYNC.FW_PHY_SM0": SwFwSyncFWPHY0, "SW_FW_SYNC.FW_PHY_SM1": SwFwSyncFWPHY1,
		"SW_FW_SYNC.FW_MAC_CSR_SM": SwFwSyncFWMACCSR, "SW_FW_SYNC.FW_FLASH_SM": SwFwSyncFWFLASH,
		"GCR_EXT.VT_MODE": GcrExtVTMode, "GCR_EXT.BUFFERS_CLEAR_FUNC": GcrExtBuffersClear,
		"EICR.RTXQ": EicrRTxQ, "EICR.FLOW_DIRECTOR": EicrFDIR, "EICR.RX_MISS": EicrRXMISS, "EICR.PCI": EicrPCI,
		"EICR.MAILBOX": EicrMAILBOX, "EICR.LSC": EicrLSC, "EICR.LINKSEC": EicrLINKSEC, "EICR.MNG": EicrMNG,
		"EICR.GPI_SDP0": EicrGPISDP0, "EICR.GPI_SDP1": EicrGPISDP1, "EICR.GPI_SDP2": EicrGPISDP2,
		"EICR.GPI_SDP3": EicrGPISDP3, "EICR.ECC": EicrECC, "EICR.TCP_TIMER": EicrTIMER, "EICR.OTHER": EicrOTHER,
		"EITR.ITR_INTERVAL": EitrITRInterval, "EITR.LLI_MODERATION": EitrLLIMod, "EITR.CNT_WDIS": EitrCNTWDIS,
		"IVAR.INT_ALLOC0": IvarAlloc, "IVAR.INT_ALLOC_VAL0": IvarAllocVal,
		"IVAR.INT_ALLOC3": IvarAlloc << 24, "IVAR.INT_ALLOC_VAL3": IvarAllocVal << 24,
		"GPIE.SDP0_GPIEN": GpieSDP0GPIEN, "GPIE.SDP1_GPIEN": GpieSDP1GPIEN, "GPIE.SDP2_GPIEN": GpieSDP2GPIEN,
		"GPIE.SDP3_GPIEN": GpieSDP3GPIEN, "GPIE.MULTIPLE_MSIX": GpieMultipleMSIX, "GPIE.OCD": GpieOCD,
		"GPIE.EIMEN": GpieEIMEN, "GPIE.LLI_INTERVAL": 0xF << GpieLLIntervalShift, "GPIE.RSC_DELAY": 7 << GpieRSCDelayShift,
		"GPIE.VT_MODE": GpieVTMode, "GPIE.EIAME": GpieEIAME, "GPIE.PBA_SUPPORT": GpiePBASupport,
		"FCRTL.XONE": FcrtlXONE, "FCRTH.FCEN": FcrthFCEN, "FCCFG.TFCE": FccfgTFCE,
		"MFLCN.PMCF": MflcnPMCF, "MFLCN.DPF": MflcnDPF, "MFLCN.RPFCE": MflcnRPFCE, "MFLCN.RFCE": MflcnRFCE,
		"FCTRL.SBP": FctrlSBP, "FCTRL.MPE": FctrlMPE, "FCTRL.UPE": FctrlUPE, "FCTRL.BAM": FctrlBAM,
		"VLNCTRL.VET": VlnctrlVET, "VLNCTRL.CFI": VlnctrlCFI, "VLNCTRL.CFIEN": VlnctrlCFIEN, "VLNCTRL.VFE": VlnctrlVFE,
		"MCSTCTRL.MO": McstctrlMO, "MCSTCTRL.MFE": McstctrlMFE,
		"RXCSUM.IPPCSE": RxcsumIPPCSE, "RXCSUM.PCSD": RxcsumPCSD,
		"RFCTL.RSC_DIS": RfctlRSCDIS, "RFCTL.NFSW_DIS": RfctlNFSWDIS, "RFCTL.NFSR_DIS": RfctlNFSRDIS,
		"RAH.RAH": RahRAH, "RAH.AV": RahAV,
		"MRQC.MRQE": MrqcMRQE, "MRQC.TCPIPV4": MrqcTCPIPv4, "MRQC.IPV4": MrqcIPv4, "MRQC.IPV6": MrqcIPv6,
		"MRQC.TCPIPV6": MrqcTCPIPv6, "MRQC.UDPIPV4": MrqcUDPIPv4, "MRQC.UDPIPV6": MrqcUDPIPv6,
		"RXDCTL.ENABLE": RxdctlENABLE, "RXDCTL.VME": RxdctlVME,
		"SRRCTL.BSIZEPACKET": SrrctlBSIZEPACKET, "SRRCTL.BSIZEHEADER": SrrctlBSIZEHEADER, "SRRCTL.RDMTS": SrrctlRDMTS,
		"SRRCTL.DESCTYPE": SrrctlDESCTYPE, "SRRCTL.DROP_EN": SrrctlDropEN,
		"DCA_RXCTRL.DESC_DCA_EN": DcaRxctrlDescDCAEN, "DCA_RXCTRL.HEAD_DCA_EN": DcaRxctrlHeadDCAEN,
		"DCA_RXCTRL.DATA_DCA_EN": DcaRxctrlDataDCAEN, "DCA_RXCTRL.DESC_READ_RO_EN": DcaRxctrlDescReadRO,
		"DCA_RXCTRL.DESC_WB_RO_EN": DcaRxctrlDescWriteRO, "DCA_RXCTRL.RESERVED12": DcaRxctrlReserved12,
		"DCA_RXCTRL.DATA_WRITE_RO_EN": DcaRxctrlDataWriteRO, "DCA_RXCTRL.HEAD_WRITE_RO_EN": DcaRxctrlHeadWriteRO,
		"DCA_RXCTRL.CPUID":       0xFF << DcaRxctrlCPUIDShift,
		"DCA_TXCTRL.DESC_DCA_EN": DcaTxctrlDescDCAEN, "DCA_TXCTRL.DESC_READ_RO_EN": DcaTxctrlDescReadRO,
		"DCA_TXCTRL.DESC_WB_RO_EN": DcaTxctrlDescWriteRO, "DCA_TXCTRL.DATA_READ_RO_EN": DcaTxctrlDataReadRO,
		"DCA_TXCTRL.CPUID": 0xFF << DcaTxctrlCPUIDShift,
		"RSCCTL.RSCEN":     RscctlRSCEN, "RSCCTL.MAXDESC": RscctlMAXDESC,
		"RDRXCTL.CRCSTRIP": RdrxctlCRCSTRIP, "RDRXCTL.DMAIDONE": RdrxctlDMAIDONE,
		"RDRXCTL.RSCFRSTSIZE": RdrxctlRSCFRSTSIZE, "RDRXCTL.RSCACKC": RdrxctlRSCACKC,
		"RDRXCTL.FCOE_WRFIX": RdrxctlFCOEWRFIX,
		"RXPBSIZE.SIZE":      RxpbsizeSIZE, "TXPBSIZE.SIZE": TxpbsizeSIZE, "RXCTRL.RXEN": RxctrlRXEN,
		"DMATXCTL.TE": DmatxctlTE, "DMATXCTL.GDV": DmatxctlGDV, "DMATXCTL.VT": 0xFFFF << DmatxctlVTShift,
		"DTXMXSZRQ.MAX_BYTES_NUM_REQ": DtxmxszrqMAXBYTES,
		"TXDCTL.PTHRESH":              TxdctlPTHRESH, "TXDCTL.HTHRESH": TxdctlHTHRESH, "TXDCTL.WTHRESH": TxdctlWTHRESH,
		"TXDCTL.ENABLE": TxdctlENABLE, "TXDCTL.SWFLSH": TxdctlSWFLSH, "TDWBAL.HEAD_WB_EN": TdwbalHeadWBEn,
		"MTQC.RT_ENA": MtqcRTEna, "MTQC.VT_ENA": MtqcVTEna, "MTQC.NUM_TC_OR_Q": MtqcNumTCOrQ,
		"RTTDCS.ARBDIS":       RttdcsARBDIS,
		"SECTXCTRL.SECTX_DIS": SectxctrlSECTXDIS, "SECTXCTRL.TX_DIS": SectxctrlTXDIS,
		"SECTXCTRL.STORE_FORWARD": SectxctrlSTOREFWD, "SECTXSTAT.SECTX_RDY": SectxstatRDY,
		"SECRXCTRL.SECRX_DIS": SecrxctrlSECRXDIS, "SECRXCTRL.RX_DIS": SecrxctrlRXDIS, "SECRXSTAT.SECRX_RDY": SecrxstatRDY,
		"HLREG0.TXCRCEN": Hlreg0TXCRCEN, "HLREG0.RXCRCSTRP": Hlreg0RXCRCSTRP, "HLREG0.JUMBOEN": Hlreg0JUMBOEN,
		"HLREG0.TXPADEN": Hlreg0TXPADEN, "HLREG0.LPBK": Hlreg0LPBK, "HLREG0.MDCSPD": Hlreg0MDCSPD,
		"HLREG0.CONTMDC": Hlreg0CONTMDC, "HLREG0.RXLNGTHERREN": Hlreg0RXLNGTHERREN, "HLREG0.RXPADSTRIPEN": Hlreg0RXPADSTRIPEN,
		"MSCA.DEVADD": 0x1F << MscaDEVADDShift, "MSCA.PHYADD": 0x1F << MscaPHYADDShift, "MSCA.OPCODE": MscaOPRead,
		"MSCA.MDICMD": MscaMDICMD, "MSCA.MDIINPROGEN": MscaMDIINPROGEN, "MSRWD.MDIRDDATA": 0xFFFF << MsrwdReadShift,
		"MAXFRS.MFS":      MaxfrsMFS,
		"TSYNCRXCTL.RXTT": TsyncrxctlRXTT, "TSYNCRXCTL.TYPE": TsyncrxctlTYPE, "TSYNCRXCTL.EN": TsyncrxctlEN,
		"TSYNCTXCTL.TXTT": TsynctxctlTXTT, "TSYNCTXCTL.EN": TsynctxctlEN, "RXMTRL.CTRLT": RxmtrlCTRLT,
		"RXMTRL.MSGT": RxmtrlMSGT, "RXMTRL.UDPT": RxmtrlUDPT, "TIMINCA.INCVALUE": TimincaINCVALUE, "TIMINCA.INCPERIOD": TimincaINCP,
		"AUTOC.FLU": AutocFLU, "AUTOC.PMD_10G_PARALLEL": Autoc10GPMD, "AUTOC.PMD_1G": Autoc1GPMD,
		"AUTOC.RESTART_AN": AutocRestartAN, "AUTOC.LMS": AutocLMS, "AUTOC.KR_SUPPORT": AutocKRSupport,
		"AUTOC.KX_SUPPORT": AutocKXSupport | AutocKX4Support, "AUTOC2.PMD_10G_SERIAL": Autoc2SerialPMD,
		"LINKS.UP": LinksUP, "LINKS.SPEED": LinksSPEED, "LINKS.KX_AN_COMP": LinksKXANCOMP,
		"MACC.FLU": MaccFLU, "MACC.FSV": MaccFSV10G, "MACC.FS": MaccFS,
	} {
		rn, fn, _ := strings.Cut(name, ".")
		found := false
		for n := range complete {
			for _, f := range complete[n].Fields {
				if complete[n].Name == rn && f.Name == fn {
					found = true
					if mask(f) != want {
						t.Errorf("%s: field %#08x, constant %#08x", name, mask(f), want)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: no such field", name)
		}
	}
}

func TestValuesFitTheirMasks(t *testing.T) {
	for _, c := range []struct {
		name   string
		mask   uint32
		values []uint32
	}{
		{"AUTOC.LMS", AutocLMS, []uint32{AutocLMS1G, AutocLMS10G, AutocLMS1GAN, AutocLMS10GSerial, AutocLMSKX4KXKR,
			AutocLMSSGMII, AutocLMSKX4KXKR1GAN, AutocLMSKX4KXKRSGMII}},
		{"LINKS.SPEED", LinksSPEED, []uint32{LinksSPEED10M, LinksSPEED100M, LinksSPEED1G, LinksSPEED10G}},
		{"SRRCTL.DESCTYPE", SrrctlDESCTYPE, []uint32{SrrctlDESCTYPELegacy, SrrctlDESCTYPEAdvOneBuf,
			SrrctlDESCTYPEAdvSplit, SrrctlDESCTYPEAdvSplitAlways}},
		{"RXPBSIZE.SIZE", RxpbsizeSIZE, []uint32{0, RxpbsizeMax}},
		{"TXPBSIZE.SIZE", TxpbsizeSIZE, []uint32{0, TxpbsizeMax}},
		{"LEDCTL.MODE", LedModeMask, []uint32{LedModeLinkUp, LedModeLink10G, LedModeMACActivity, LedModeFilterActive,
			LedModeLinkActivity, LedModeLink1G, LedModeLink100M, LedModeOn, LedModeOff}},
	} {
		seen := map[uint32]bool{}
		for _, v := range c.values {
			if v&^c.mask != 0 || seen[v] {
				t.Errorf("%s: value %#x is outside %#x or twice", c.name, v, c.mask)
			}
			seen[v] = true
		}
	}
}
