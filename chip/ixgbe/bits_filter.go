package ixgbe

// ETQF, ETQS: EtherType filters (7.1.2.3, 8.2.3.7.21, 8.2.3.7.22).
const (
	EtherTypeFilters = 8

	EtqfETYPE    uint32 = 0xFFFF
	EtqfUPShift         = 16
	EtqfUP       uint32 = 7 << EtqfUPShift
	EtqfUPEN     uint32 = 1 << 19 // compare the user priority
	EtqfPOOLEN   uint32 = 1 << 26
	EtqfFILTEREN uint32 = 1 << 31
	EtqsRXQShift        = 16
	EtqsRXQ      uint32 = 0x7F << EtqsRXQShift
	EtqsLLI      uint32 = 1 << 29
	EtqsQUEUEEN  uint32 = 1 << 31
	TupleFilters        = 128
	TupleTCP            = 0 // FTQF.PROTOCOL
	TupleUDP            = 1
	TupleSCTP           = 2
	TupleOther          = 3
)

// SAQF, DAQF, SDPQF, FTQF, L34TIMIR: filters of five fields over IPv4 (7.1.2.5, 8.2.3.7.16 to .19, 8.2.3.5.13).
// Addresses and ports are in the byte order of the wire, the first byte lowest, as DPDK's driver writes them; the source
// port is in the lower half of SDPQF.
const (
	FtqfPROTOCOL      uint32 = 3
	FtqfPRIORITYShift        = 2
	FtqfPRIORITY      uint32 = 7 << FtqfPRIORITYShift // the highest wins
	FtqfMASK          uint32 = 0x1F << 25             // what is not compared:
	FtqfMASKSource    uint32 = 1 << 25
	FtqfMASKDest      uint32 = 1 << 26
	FtqfMASKSPort     uint32 = 1 << 27
	FtqfMASKDPort     uint32 = 1 << 28
	FtqfMASKProtocol  uint32 = 1 << 29
	FtqfPOOLMASK      uint32 = 1 << 30
	FtqfQUEUEEN       uint32 = 1 << 31
	L34timirSIZEBP    uint32 = 1 << 12
	L34timirReserved  uint32 = 1 << 19 // bits 19:13 are to be written as 1000000b
	L34timirRXQShift         = 21
	L34timirRXQ       uint32 = 0x7F << L34timirRXQShift
)

// SYNQF: filter of TCP SYN packets (7.1.2.6, 8.2.3.7.20).
const (
	SynqfQUEUEEN  uint32 = 1 << 0
	SynqfRXQShift        = 1
	SynqfRXQ      uint32 = 0x7F << SynqfRXQShift
	SynqfSYNQFP   uint32 = 1 << 31 // before the filters of five fields
)

// FDIRCTRL and its like: flow director (7.1.2.7, 8.2.3.21). FDIRIPSA, FDIRIPDA and their masks are in the byte order of
// the wire, the first byte lowest, as are the flexible bytes of FDIRVLAN; VLAN and ports are numbers.
const (
	FdirctrlPBALLOC      uint32 = 3
	FdirctrlPBALLOC64K   uint32 = 1
	FdirctrlINITDONE     uint32 = 1 << 3
	FdirctrlPERFECT      uint32 = 1 << 4
	FdirctrlREPORT       uint32 = 1 << 5
	FdirctrlREPORTALWAYS uint32 = 1 << 7
	FdirctrlDROPQShift          = 8
	FdirctrlDROPQ        uint32 = 0x7F << FdirctrlDROPQShift
	FdirctrlFLEXShift           = 16
	FdirctrlFLEX         uint32 = 0x1F << FdirctrlFLEXShift
	FdirctrlMAXLENShift         = 24
	FdirctrlMAXLEN       uint32 = 0xF << FdirctrlMAXLENShift
	FdirctrlFULLShift           = 28
	FdirctrlFULL         uint32 = 0xF << FdirctrlFULLShift
	FdirmVLANID          uint32 = 1 << 0 // a bit that is set is not compared
	FdirmVLANP           uint32 = 1 << 1
	FdirmPOOL            uint32 = 1 << 2
	FdirmL4P             uint32 = 1 << 3
	FdirmFLEX            uint32 = 1 << 4
	FdirmDIPV6           uint32 = 1 << 5
	Fdirip6mDIPMShift           = 16
	FdirhashHASH         uint32 = 0x7FFF
	FdirhashVALID        uint32 = 1 << 15
	FdirhashINDEXShift          = 16
	FdirhashINDEX        uint32 = 0x7FFF << FdirhashINDEXShift // signature, or the driver's number of a perfect match
	FdirportDestShift           = 16
	FdirvlanFLEXShift           = 16
	FdircmdCMD           uint32 = 3 // reads as 0 when done
	FdircmdAdd           uint32 = 1
	FdircmdRemove        uint32 = 2
	FdircmdQuery         uint32 = 3
	FdircmdVALID         uint32 = 1 << 2 // the filter of a query is there
	FdircmdUPDATE        uint32 = 1 << 3
	FdircmdL4Shift              = 5
	FdircmdL4            uint32 = 3 << FdircmdL4Shift // a FDIRL4
	FdircmdIPV6          uint32 = 1 << 7
	FdircmdCLEARHT       uint32 = 1 << 8
	FdircmdDROP          uint32 = 1 << 9
	FdircmdLAST          uint32 = 1 << 11
	FdircmdQUEUEEN       uint32 = 1 << 15
	FdircmdRXQShift             = 16
	FdircmdRXQ           uint32 = 0x7F << FdircmdRXQShift
	FDIRL4None                  = 0
	FDIRL4UDP                   = 1
	FDIRL4TCP                   = 2
	FDIRL4SCTP                  = 3
	FDIRPerfectBits             = 11 // log2 of the buckets, and filters, with PBALLOC of 1; one more with 2, two with 3
	FDIRSignatureBits           = 13
	FDIRKiB                     = 64 // of the receive packet buffer, with PBALLOC of 1; twice with 2, four times with 3
)
