package ixgbe

// Byte offsets in BAR0. Registers says what each register does.
// Offsets: general, EEPROM and PCIe registers (8.2.3.1, 8.2.3.2, 8.2.3.4).
const (
	CTRL       uint32 = 0x00000
	STATUS     uint32 = 0x00008
	CTRL_EXT   uint32 = 0x00018
	ESDP       uint32 = 0x00020
	I2CCTL     uint32 = 0x00028
	LEDCTL     uint32 = 0x00200
	EXVET      uint32 = 0x05078
	FRTIMER    uint32 = 0x00048
	TCPTIMER   uint32 = 0x0004C
	EEC        uint32 = 0x10010
	EERD       uint32 = 0x10014
	FLA        uint32 = 0x1001C
	EEMNGCTL   uint32 = 0x10110
	EEMNGDATA  uint32 = 0x10114
	FLMNGCTL   uint32 = 0x10118
	FLMNGDATA  uint32 = 0x1011C
	FLOP       uint32 = 0x1013C
	GRC        uint32 = 0x10200
	GCR        uint32 = 0x11000
	GSCL_1     uint32 = 0x11010
	GSCL_2     uint32 = 0x11014
	FACTPS     uint32 = 0x10150
	PCIEPHYADR uint32 = 0x11040
	PCIEPHYDAT uint32 = 0x11044
	SWSM       uint32 = 0x10140
	FWSM       uint32 = 0x10148
	SW_FW_SYNC uint32 = 0x10160
	GCR_EXT    uint32 = 0x11050
	MREVID     uint32 = 0x11064
	PICAUSE    uint32 = 0x110B0
	PIENA      uint32 = 0x110B8
)

// Offsets: interrupt registers (8.2.3.5, 8.2.3.6).
const (
	EICR      uint32 = 0x00800
	EICS      uint32 = 0x00808
	EIMS      uint32 = 0x00880
	EIMC      uint32 = 0x00888
	EIAC      uint32 = 0x00810
	EIAM      uint32 = 0x00890
	EITRSEL   uint32 = 0x00894
	LLITHRESH uint32 = 0x0EC90
	IMIRVP    uint32 = 0x0EC60
	IVAR_MISC uint32 = 0x00A00
	GPIE      uint32 = 0x00898
)

// Offsets: receive filter registers (8.2.3.7).
const (
	FCTRL      uint32 = 0x05080
	VLNCTRL    uint32 = 0x05088
	MCSTCTRL   uint32 = 0x05090
	RXCSUM     uint32 = 0x05000
	RFCTL      uint32 = 0x05008
	MRQC       uint32 = 0x05818
	RQTC       uint32 = 0x0EC70
	SYNQF      uint32 = 0x0EC30
	RXFECCERR0 uint32 = 0x051B8
)

// Offsets: receive DMA registers (8.2.3.8).
const (
	RDRXCTL   uint32 = 0x02F00
	RXCTRL    uint32 = 0x03000
	RXMEMWRAP uint32 = 0x03190
	RSCDBU    uint32 = 0x03028
)

// Offsets: flow control registers (8.2.3.3).
const (
	PFCTOP uint32 = 0x03008
	FCRTV  uint32 = 0x032A0
	TFCS   uint32 = 0x0CE00
	FCCFG  uint32 = 0x03D00
)

// Offsets: transmit registers (8.2.3.9).
const (
	DTXMXSZRQ  uint32 = 0x08100
	DMATXCTL   uint32 = 0x04A80
	DTXTCPFLGL uint32 = 0x04A88
	DTXTCPFLGH uint32 = 0x04A8C
	MNGTXMAP   uint32 = 0x0CD10
	MTQC       uint32 = 0x08120
)

// Offsets: DCB and DCA registers (8.2.3.10, 8.2.3.11).
const (
	RTRPCS   uint32 = 0x02430
	RTTDCS   uint32 = 0x04900
	RTTPCS   uint32 = 0x0CD00
	RTRUP2TC uint32 = 0x03020
	RTTUP2TC uint32 = 0x0C800
	RTTDQSEL uint32 = 0x04904
	RTTDT1C  uint32 = 0x04908
	RTTDT1S  uint32 = 0x0490C
	RTTBCNRC uint32 = 0x04984
	RTTBCNRS uint32 = 0x04988
	RTTBCNRM uint32 = 0x04980
	RTTBCNRD uint32 = 0x0498C
	DCA_ID   uint32 = 0x11070
	DCA_CTRL uint32 = 0x11074
)

// Offsets: security, LinkSec and IPsec registers (from 8.2.3.12).
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

// Offsets: Flow Director and FCoE registers (8.2.3.21 and before).
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

// Offsets: MAC registers (8.2.3.22).
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

// Offsets: statistics (8.2.3.23): a read clears, a full counter stays at its maximum.
const (
	CRCERRS     uint32 = 0x04000
	ILLERRC     uint32 = 0x04004
	ERRBC       uint32 = 0x04008
	MLFC        uint32 = 0x04034
	MRFC        uint32 = 0x04038
	RLEC        uint32 = 0x04040
	SSVPC       uint32 = 0x08780
	LXONTXC     uint32 = 0x03F60
	LXONRXCNT   uint32 = 0x041A4
	LXOFFTXC    uint32 = 0x03F68
	LXOFFRXCNT  uint32 = 0x041A8
	PRC64       uint32 = 0x0405C
	PRC127      uint32 = 0x04060
	PRC255      uint32 = 0x04064
	PRC511      uint32 = 0x04068
	PRC1023     uint32 = 0x0406C
	PRC1522     uint32 = 0x04070
	BPRC        uint32 = 0x04078
	MPRC        uint32 = 0x0407C
	GPRC        uint32 = 0x04074
	GORCL       uint32 = 0x04088
	GORCH       uint32 = 0x0408C
	RXNFGPC     uint32 = 0x041B0
	RXNFGBCL    uint32 = 0x041B4
	RXNFGBCH    uint32 = 0x041B8
	RXDGPC      uint32 = 0x02F50
	RXDGBCL     uint32 = 0x02F54
	RXDGBCH     uint32 = 0x02F58
	RXDDPC      uint32 = 0x02F5C
	RXDDBCL     uint32 = 0x02F60
	RXDDBCH     uint32 = 0x02F64
	RXLPBKPC    uint32 = 0x02F68
	RXLPBKBCL   uint32 = 0x02F6C
	RXLPBKBCH   uint32 = 0x02F70
	RXDLPBKPC   uint32 = 0x02F74
	RXDLPBKBCL  uint32 = 0x02F78
	RXDLPBKBCH  uint32 = 0x02F7C
	GPTC        uint32 = 0x04080
	GOTCL       uint32 = 0x04090
	GOTCH       uint32 = 0x04094
	TXDGPC      uint32 = 0x087A0
	TXDGBCL     uint32 = 0x087A4
	TXDGBCH     uint32 = 0x087A8
	RUC         uint32 = 0x040A4
	RFC         uint32 = 0x040A8
	ROC         uint32 = 0x040AC
	RJC         uint32 = 0x040B0
	MNGPRC      uint32 = 0x040B4
	MNGPDC      uint32 = 0x040B8
	MNGPTC      uint32 = 0x0CF90
	TORL        uint32 = 0x040C0
	TORH        uint32 = 0x040C4
	TPR         uint32 = 0x040D0
	TPT         uint32 = 0x040D4
	PTC64       uint32 = 0x040D8
	PTC127      uint32 = 0x040DC
	PTC255      uint32 = 0x040E0
	PTC511      uint32 = 0x040E4
	PTC1023     uint32 = 0x040E8
	PTC1522     uint32 = 0x040EC
	MPTC        uint32 = 0x040F0
	BPTC        uint32 = 0x040F4
	MSPDC       uint32 = 0x04010
	XEC         uint32 = 0x04120
	RXDSTATCTRL uint32 = 0x02F40
	FCCRC       uint32 = 0x05118
	FCOERPDC    uint32 = 0x0241C
	FCLAST      uint32 = 0x02424
	FCOEPRC     uint32 = 0x02428
	FCOEDWRC    uint32 = 0x0242C
	FCOEPTC     uint32 = 0x08784
	FCOEDWTC    uint32 = 0x08788
)

// Offsets: wake-up and manageability registers (8.2.3.24, 8.2.3.25).
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

// Offsets: time sync registers (8.2.3.26).
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

// Offsets: virtualization registers of the physical function (8.2.3.27).
const (
	PFVTCTL   uint32 = 0x051B0
	PFQDE     uint32 = 0x02F04
	PFDTXGSWC uint32 = 0x08220
)

// Offsets: registers that the X540 and X550 add or move.
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
