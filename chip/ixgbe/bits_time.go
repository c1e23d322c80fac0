package ixgbe

// TSYNCRXCTL, TSYNCTXCTL and RXMTRL: which packets are stamped (7.9, 8.2.3.26).
const (
	TsyncrxctlRXTT       uint32 = 1 << 0 // RXSTMP holds a time; reading RXSTMPH makes room for the next
	TsyncrxctlTYPE       uint32 = 7 << 1
	TsyncrxctlTYPEL2V2   uint32 = 0 << 1 // version 2 by EtherType: the message of RXMTRL.MSGT, and 2 and 3
	TsyncrxctlTYPEL4V1   uint32 = 1 << 1 // version 1 by UDP: the message of RXMTRL.CTRLT
	TsyncrxctlTYPEV2     uint32 = 2 << 1 // as L2V2, by EtherType or UDP
	TsyncrxctlTYPEEvents uint32 = 5 << 1 // version 2, every event message: bit 3 of its type is zero
	TsyncrxctlEN         uint32 = 1 << 4

	TsynctxctlTXTT uint32 = 1 << 0 // TXSTMP holds a time; reading TXSTMPH makes room for the next
	TsynctxctlEN   uint32 = 1 << 4

	RxmtrlCTRLT      uint32 = 0xFF
	RxmtrlMSGTShift         = 8
	RxmtrlMSGT       uint32 = 0xFF << RxmtrlMSGTShift
	RxmtrlUDPTShift         = 16
	RxmtrlUDPT       uint32 = 0xFFFF << RxmtrlUDPTShift // UDP destination port
	Etqf1588         uint32 = 1<<31 | 1<<30             // ETQF: the EtherType's packets are PTP's, enabled (8.2.3.7.21)
	TimincaINCPShift        = 24                        // clocks between increments of SYSTIM
	TimincaINCP      uint32 = 0xFF << TimincaINCPShift
	TimincaINCVALUE  uint32 = 0xFF_FFFF // what each adds
	TimadjhSIGN      uint32 = 1 << 31   // take off instead of add
)
