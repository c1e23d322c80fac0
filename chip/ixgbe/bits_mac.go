package ixgbe

// HLREG0: MAC core control 0 (8.2.3.22.8).
const (
	Hlreg0TXCRCEN      uint32 = 1 << 0
	Hlreg0RXCRCSTRP    uint32 = 1 << 1
	Hlreg0JUMBOEN      uint32 = 1 << 2
	Hlreg0TXPADEN      uint32 = 1 << 10
	Hlreg0LPBK         uint32 = 1 << 15
	Hlreg0MDCSPD       uint32 = 1 << 16
	Hlreg0CONTMDC      uint32 = 1 << 17
	Hlreg0RXLNGTHERREN uint32 = 1 << 27
	Hlreg0RXPADSTRIPEN uint32 = 1 << 28
)

// MSCA, MSRWD: MDIO (8.2.3.22.11–12).
const (
	MscaDEVADDShift        = 16
	MscaPHYADDShift        = 21
	MscaOPAddress   uint32 = 0 << 26
	MscaOPWrite     uint32 = 1 << 26
	MscaOPReadInc   uint32 = 2 << 26
	MscaOPRead      uint32 = 3 << 26
	MscaSTOld       uint32 = 1 << 28
	MscaMDICMD      uint32 = 1 << 30 // starts the command; clears itself when done
	MscaMDIINPROGEN uint32 = 1 << 31
	MsrwdReadShift         = 16
)

// MAXFRS: largest frame with CRC and without VLAN tag, where HLREG0.JUMBOEN is set (8.2.3.22.13).
const (
	MaxfrsMFSShift        = 16
	MaxfrsMFS      uint32 = 0xFFFF << MaxfrsMFSShift
)

// AUTOC: auto-negotiation control (8.2.3.22.19).
const (
	AutocFLU             uint32 = 1 << 0 // force link up
	Autoc10GPMDShift            = 7
	Autoc10GPMD          uint32 = 3 << Autoc10GPMDShift
	Autoc10GXAUI         uint32 = 0 << Autoc10GPMDShift
	Autoc10GKX4          uint32 = 1 << Autoc10GPMDShift
	Autoc10GCX4          uint32 = 2 << Autoc10GPMDShift
	Autoc1GPMD           uint32 = 1 << 9
	AutocRestartAN       uint32 = 1 << 12 // restarts the link; clears itself
	AutocLMSShift               = 13
	AutocLMS             uint32 = 7 << AutocLMSShift
	AutocLMS1G           uint32 = 0 << AutocLMSShift // 1 Gb/s without auto-negotiation
	AutocLMS10G          uint32 = 1 << AutocLMSShift // 10 Gb/s parallel (XAUI, KX4, CX4) without auto-negotiation
	AutocLMS1GAN         uint32 = 2 << AutocLMSShift // 1 Gb/s with clause 37
	AutocLMS10GSerial    uint32 = 3 << AutocLMSShift // 10 Gb/s SFI/KR without backplane auto-negotiation
	AutocLMSKX4KXKR      uint32 = 4 << AutocLMSShift
	AutocLMSSGMII        uint32 = 5 << AutocLMSShift
	AutocLMSKX4KXKR1GAN  uint32 = 6 << AutocLMSShift
	AutocLMSKX4KXKRSGMII uint32 = 7 << AutocLMSShift
	AutocKRSupport       uint32 = 1 << 16
	AutocKXSupport       uint32 = 1 << 30
	AutocKX4Support      uint32 = 1 << 31
)

// AUTOC2 (8.2.3.22.22).
const (
	Autoc2SerialPMDShift        = 16
	Autoc2SerialPMD      uint32 = 3 << Autoc2SerialPMDShift
	Autoc2SerialKR       uint32 = 0 << Autoc2SerialPMDShift
	Autoc2SerialXFI      uint32 = 1 << Autoc2SerialPMDShift
	Autoc2SerialSFI      uint32 = 2 << Autoc2SerialPMDShift
)

// LINKS: link status (8.2.3.22.20).
const (
	LinksUP        uint32 = 1 << 30
	LinksSPEED     uint32 = 3 << 28
	LinksSPEED100M uint32 = 1 << 28
	LinksSPEED1G   uint32 = 2 << 28
	LinksSPEED10G  uint32 = 3 << 28
	LinksKXANCOMP  uint32 = 1 << 31
)
