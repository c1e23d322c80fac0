package e1000

// Offsets of statistics (8254x 13.7, 82574 10.2.7, I210 8.18).
const (
	CRCERRS  uint32 = 0x04000
	ALGNERRC uint32 = 0x04004
	SYMERRS  uint32 = 0x04008
	RXERRC   uint32 = 0x0400C
	MPC      uint32 = 0x04010
	SCC      uint32 = 0x04014
	ECOL     uint32 = 0x04018
	MCC      uint32 = 0x0401C
	LATECOL  uint32 = 0x04020
	COLC     uint32 = 0x04028
	DC       uint32 = 0x04030
	TNCRS    uint32 = 0x04034
	SEC      uint32 = 0x04038
	CEXTERR  uint32 = 0x0403C
	RLEC     uint32 = 0x04040
	XONRXC   uint32 = 0x04048
	XONTXC   uint32 = 0x0404C
	XOFFRXC  uint32 = 0x04050
	XOFFTXC  uint32 = 0x04054
	FCRUC    uint32 = 0x04058
	PRC64    uint32 = 0x0405C
	PRC127   uint32 = 0x04060
	PRC255   uint32 = 0x04064
	PRC511   uint32 = 0x04068
	PRC1023  uint32 = 0x0406C
	PRC1522  uint32 = 0x04070
	GPRC     uint32 = 0x04074
	BPRC     uint32 = 0x04078
	MPRC     uint32 = 0x0407C
	GPTC     uint32 = 0x04080
	GORCL    uint32 = 0x04088
	GORCH    uint32 = 0x0408C
	GOTCL    uint32 = 0x04090
	GOTCH    uint32 = 0x04094
	RNBC     uint32 = 0x040A0
	RUC      uint32 = 0x040A4
	RFC      uint32 = 0x040A8
	ROC      uint32 = 0x040AC
	RJC      uint32 = 0x040B0
	MGTPRC   uint32 = 0x040B4
	MGTPDC   uint32 = 0x040B8
	MGTPTC   uint32 = 0x040BC
	TORL     uint32 = 0x040C0
	TORH     uint32 = 0x040C4
	TOTL     uint32 = 0x040C8
	TOTH     uint32 = 0x040CC
	TPR      uint32 = 0x040D0
	TPT      uint32 = 0x040D4
	PTC64    uint32 = 0x040D8
	PTC127   uint32 = 0x040DC
	PTC255   uint32 = 0x040E0
	PTC511   uint32 = 0x040E4
	PTC1023  uint32 = 0x040E8
	PTC1522  uint32 = 0x040EC
	MPTC     uint32 = 0x040F0
	BPTC     uint32 = 0x040F4
	TSCTC    uint32 = 0x040F8
	TSCTFC   uint32 = 0x040FC
	IAC      uint32 = 0x04100
)

// Offsets of statistics that only the 82574 has (82574 10.2.7).
const (
	ICRXPTC  uint32 = 0x04104
	ICRXATC  uint32 = 0x04108
	ICTXPTC  uint32 = 0x0410C
	ICTXATC  uint32 = 0x04110
	ICTXQEC  uint32 = 0x04118
	ICTXQMTC uint32 = 0x0411C
	ICRXDMTC uint32 = 0x04120
	ICRXOC   uint32 = 0x04124
)

// Offsets of statistics that only the 82576 family has (I210 8.18).
const (
	RPTHC   uint32 = 0x04104
	HGPTC   uint32 = 0x04118
	RXDMTC  uint32 = 0x04120
	HTCBDPC uint32 = 0x04124
	HGORCL  uint32 = 0x04128
	HGORCH  uint32 = 0x0412C
	HGOTCL  uint32 = 0x04130
	HGOTCH  uint32 = 0x04134
	LENERRS uint32 = 0x04138
)
