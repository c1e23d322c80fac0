package ixgbe

// Offsets of security, LinkSec and IPsec registers (from 8.2.3.12).
const (
	SECTXCTRL   uint32 = 0x08800
	SECTXSTAT   uint32 = 0x08804
	SECTXBUFFAF uint32 = 0x08808
	SECTXMINIFG uint32 = 0x08810
	SECRXCTRL   uint32 = 0x08D00
	SECRXSTAT   uint32 = 0x08D04
	LSECTXCAP   uint32 = 0x08A00
	LSECTXCTRL  uint32 = 0x08A04
	LSECTXSCL   uint32 = 0x08A08
	LSECTXSCH   uint32 = 0x08A0C
	LSECTXSA    uint32 = 0x08A10
	LSECTXPN0   uint32 = 0x08A14
	LSECTXPN1   uint32 = 0x08A18
	LSECTXUT    uint32 = 0x08A3C
	LSECTXPKTE  uint32 = 0x08A40
	LSECTXPKTP  uint32 = 0x08A44
	LSECTXOCTE  uint32 = 0x08A48
	LSECTXOCTP  uint32 = 0x08A4C
	LSECRXCAP   uint32 = 0x08F00
	LSECRXCTRL  uint32 = 0x08F04
	LSECRXSCL   uint32 = 0x08F08
	LSECRXSCH   uint32 = 0x08F0C
	LSECRXUT    uint32 = 0x08F40
	LSECRXOCTE  uint32 = 0x08F44
	LSECRXOCTP  uint32 = 0x08F48
	LSECRXBAD   uint32 = 0x08F4C
	LSECRXNOSCI uint32 = 0x08F50
	LSECRXUNSCI uint32 = 0x08F54
	LSECRXUC    uint32 = 0x08F58
	LSECRXDELAY uint32 = 0x08F5C
	LSECRXLATE  uint32 = 0x08F60
	LSECRXUNSA  uint32 = 0x08F7C
	LSECRXNUSA  uint32 = 0x08F80
	IPSTXIDX    uint32 = 0x08900
	IPSTXSALT   uint32 = 0x08904
	IPSRXIDX    uint32 = 0x08E00
	IPSRXSPI    uint32 = 0x08E14
	IPSRXIPIDX  uint32 = 0x08E18
	IPSRXSALT   uint32 = 0x08E2C
	IPSRXMOD    uint32 = 0x08E30
)

// Offsets of Flow Director and FCoE registers (8.2.3.21 and before).
const (
	FDIRCTRL  uint32 = 0x0EE00
	FDIRHKEY  uint32 = 0x0EE68
	FDIRSKEY  uint32 = 0x0EE6C
	FDIRDIP4M uint32 = 0x0EE3C
	FDIRSIP4M uint32 = 0x0EE40
	FDIRTCPM  uint32 = 0x0EE44
	FDIRUDPM  uint32 = 0x0EE48
	FDIRIP6M  uint32 = 0x0EE74
	FDIRM     uint32 = 0x0EE70
	FDIRFREE  uint32 = 0x0EE38
	FDIRLEN   uint32 = 0x0EE4C
	FDIRUSTAT uint32 = 0x0EE50
	FDIRFSTAT uint32 = 0x0EE54
	FDIRMATCH uint32 = 0x0EE58
	FDIRMISS  uint32 = 0x0EE5C
	FDIRIPSA  uint32 = 0x0EE18
	FDIRIPDA  uint32 = 0x0EE1C
	FDIRPORT  uint32 = 0x0EE20
	FDIRVLAN  uint32 = 0x0EE24
	FDIRHASH  uint32 = 0x0EE28
	FDIRCMD   uint32 = 0x0EE2C
	FCPTRL    uint32 = 0x02410
	FCPTRH    uint32 = 0x02414
	FCBUFF    uint32 = 0x02418
	FCDMARW   uint32 = 0x02420
	FCFLT     uint32 = 0x05108
	FCSMAC    uint32 = 0x0510C
	FCFLTRW   uint32 = 0x05110
	FCD_ID    uint32 = 0x05114
	FCPARAM   uint32 = 0x051D8
	FCRXCTRL  uint32 = 0x05100
	FCRECTL   uint32 = 0x0ED00
	TEOFF     uint32 = 0x04A94
	TSOFF     uint32 = 0x04A98
	REOFF     uint32 = 0x05158
	RSOFF     uint32 = 0x051F8
)

// Offsets of MAC registers (8.2.3.22).
const (
	PCS1GCFIG   uint32 = 0x04200
	PCS1GLCTL   uint32 = 0x04208
	PCS1GLSTA   uint32 = 0x0420C
	PCS1GANA    uint32 = 0x04218
	PCS1GANLP   uint32 = 0x0421C
	PCS1GANNP   uint32 = 0x04220
	PCS1GANLPNP uint32 = 0x04224
	HLREG0      uint32 = 0x04240
	HLREG1      uint32 = 0x04244
	PAP         uint32 = 0x04248
	MSCA        uint32 = 0x0425C
	MSRWD       uint32 = 0x04260
	MAXFRS      uint32 = 0x04268
	PCSS1       uint32 = 0x04288
	PCSS2       uint32 = 0x0428C
	XPCSS       uint32 = 0x04290
	SERDESC     uint32 = 0x04298
	MACS        uint32 = 0x0429C
	AUTOC       uint32 = 0x042A0
	LINKS       uint32 = 0x042A4
	LINKS2      uint32 = 0x04324
	AUTOC2      uint32 = 0x042A8
	ANLP1       uint32 = 0x042B0
	ANLP2       uint32 = 0x042B4
	MMNGC       uint32 = 0x042D0
	ANLPNP1     uint32 = 0x042D4
	ANLPNP2     uint32 = 0x042D8
	KRPCSFC     uint32 = 0x042E0
	KRPCSS      uint32 = 0x042E4
	FECS1       uint32 = 0x042E8
	FECS2       uint32 = 0x042EC
	CORECTL     uint32 = 0x14F00
	SMADARCTL   uint32 = 0x14F10
	MFLCN       uint32 = 0x04294
	SGMIIC      uint32 = 0x04314
)

// Offsets of wake-up and manageability registers (8.2.3.24, 8.2.3.25).
const (
	WUC      uint32 = 0x05800
	WUFC     uint32 = 0x05808
	WUS      uint32 = 0x05810
	IPAV     uint32 = 0x05838
	WUPL     uint32 = 0x05900
	BMCIPVAL uint32 = 0x05060
	MANC     uint32 = 0x05820
	MFVAL    uint32 = 0x05824
	MANC2H   uint32 = 0x05860
	LSWFW    uint32 = 0x15F14
)

// Offsets of time sync registers (8.2.3.26).
const (
	TSYNCRXCTL uint32 = 0x05188
	RXSTMPL    uint32 = 0x051E8
	RXSTMPH    uint32 = 0x051A4
	RXSATRL    uint32 = 0x051A0
	RXSATRH    uint32 = 0x051A8
	RXMTRL     uint32 = 0x05120
	TSYNCTXCTL uint32 = 0x08C00
	TXSTMPL    uint32 = 0x08C04
	TXSTMPH    uint32 = 0x08C08
	SYSTIML    uint32 = 0x08C0C
	SYSTIMH    uint32 = 0x08C10
	TIMINCA    uint32 = 0x08C14
	TIMADJL    uint32 = 0x08C18
	TIMADJH    uint32 = 0x08C1C
	TSAUXC     uint32 = 0x08C20
	TRGTTIML0  uint32 = 0x08C24
	TRGTTIMH0  uint32 = 0x08C28
	TRGTTIML1  uint32 = 0x08C2C
	TRGTTIMH1  uint32 = 0x08C30
	AUXSTMPL0  uint32 = 0x08C3C
	AUXSTMPH0  uint32 = 0x08C40
	AUXSTMPL1  uint32 = 0x08C44
	AUXSTMPH1  uint32 = 0x08C48
)

// Offsets of virtualization registers of the physical function (8.2.3.27).
const (
	PFVTCTL   uint32 = 0x051B0
	PFQDE     uint32 = 0x02F04
	PFDTXGSWC uint32 = 0x08220
)

// Offsets of registers that the X540 and X550 add or move.
const (
	MACC               uint32 = 0x04330
	EEWR               uint32 = 0x10018
	SRAMREL            uint32 = 0x10210
	FDIRSCTPM          uint32 = 0x0EE78
	B2OSPC             uint32 = 0x041C0
	O2BGPTC            uint32 = 0x041C4
	O2BSPC             uint32 = 0x087B0
	B2OGPRC            uint32 = 0x02F90
	BUPRC              uint32 = 0x04180
	BMPRC              uint32 = 0x04184
	BBPRC              uint32 = 0x04188
	BUPTC              uint32 = 0x0418C
	BMPTC              uint32 = 0x04190
	BBPTC              uint32 = 0x04194
	BCRCERRS           uint32 = 0x04198
	BXONRXC            uint32 = 0x0419C
	BXOFFRXC           uint32 = 0x041E0
	BXONTXC            uint32 = 0x041E4
	BXOFFTXC           uint32 = 0x041E8
	PROXYS             uint32 = 0x05F60
	PROXYFC            uint32 = 0x05F64
	SYSTIMR            uint32 = 0x08C58
	TSICR              uint32 = 0x08C60
	TSIM               uint32 = 0x08C68
	TSSDP              uint32 = 0x0003C
	VXLANCTRL          uint32 = 0x0507C
	TLPIC              uint32 = 0x041F4
	RLPIC              uint32 = 0x041F8
	EEE_SU             uint32 = 0x04380
	EEE_STAT           uint32 = 0x04398
	EEER               uint32 = 0x043A0
	DMACR              uint32 = 0x02400
	DMCTLX             uint32 = 0x02404
	DMCMNGTH           uint32 = 0x15F20
	I2CCTL_X550        uint32 = 0x15F5C
	EEC_X550EMA        uint32 = 0x15FF8
	FLA_X550EMA        uint32 = 0x15F68
	GRC_X550EMA        uint32 = 0x15F64
	SRAMREL_X550EMA    uint32 = 0x15F6C
	FACTPS_X550EMA     uint32 = 0x15FEC
	SWSM_X550EMA       uint32 = 0x15F70
	FWSM_X550EMA       uint32 = 0x15F74
	SW_FW_SYNC_X550EMA uint32 = 0x15F78
)
