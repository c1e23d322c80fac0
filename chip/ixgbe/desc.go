package ixgbe

// A descriptor is two little-endian 64-bit words. "Word 0" is at the lower address.
const (
	DescSize = 16 // bytes

	RingMultiple = 8       // descriptors: RDLEN and TDLEN are multiples of 128 bytes (8.2.3.8.3, 8.2.3.9.7)
	RingMin      = 64      // descriptors, as in Intel's drivers; the card's own limit is RingMultiple
	RingMax      = 8192    // descriptors: lengths are validated up to 128 KiB (8.2.3.8.3, 8.2.3.9.7)
	RingAlign    = 128     // bytes, of the base address (8.2.3.8.1, 8.2.3.9.5)
	MaxQueues    = 128     // per direction
	BARSize      = 0x20000 // of BAR0, bytes

	MinFrame = 64    // bytes with CRC
	MaxFrame = 15872 // bytes with CRC: 15.5 KiB (1.3)
	MaxJumbo = 9728  // bytes with CRC: 9.5 KiB, where Intel's drivers stop

	BufUnit = 1024  // granularity of the receive buffer size (8.2.3.8.7)
	BufMin  = 1024  // bytes
	BufMax  = 16384 // bytes

	TxBufMax  = 16384 // bytes of one data descriptor, as in Intel's drivers; DTALEN has 16 bits
	TxDescMax = 40    // descriptors of one packet less WTHRESH, and between two with RS (8.2.3.9.10)
)

// Receive descriptor as posted (7.1.6.1): word 0 is the packet buffer address, word 1 the header
// buffer address with DD in bit 0, so software clears word 1 when it posts a descriptor.

// Receive write-back word 0 (7.1.6.2).
const (
	RxRSSTypeMask  uint64 = 0xF
	RxPktTypeShift        = 4
	RxPktTypeMask  uint64 = 0x1FFF << RxPktTypeShift
	RxRSCCntShift         = 17
	RxRSCCntMask   uint64 = 0xF << RxRSCCntShift // of a coalesced packet: one more than the packets that begin in this buffer; else 0
	RxHdrLenShift         = 21
	RxHdrLenMask   uint64 = 0x3FF << RxHdrLenShift
	RxSPH          uint64 = 1 << 31 // header was split
	RxHashShift           = 32      // RSS hash, or fragment checksum and IP identification
)

// RSS types of word 0: the header fields that the hash covers.
const (
	RxRSSNone    uint64 = 0
	RxRSSTCPIPv4 uint64 = 1
	RxRSSIPv4    uint64 = 2
	RxRSSTCPIPv6 uint64 = 3
	RxRSSIPv6    uint64 = 5
	RxRSSUDPIPv4 uint64 = 7
	RxRSSUDPIPv6 uint64 = 8
	RxRSSFDIR    uint64 = 0xF // Flow Director reports its filter instead of a hash
)

// Packet types of word 0.
const (
	RxPktIPv4    uint64 = 1 << 4
	RxPktIPv4E   uint64 = 1 << 5
	RxPktIPv6    uint64 = 1 << 6
	RxPktIPv6E   uint64 = 1 << 7
	RxPktTCP     uint64 = 1 << 8
	RxPktUDP     uint64 = 1 << 9
	RxPktSCTP    uint64 = 1 << 10
	RxPktNFS     uint64 = 1 << 11
	RxPktESP     uint64 = 1 << 12
	RxPktAH      uint64 = 1 << 13
	RxPktLinkSec uint64 = 1 << 14
	RxPktL2      uint64 = 1 << 15 // matched ETQF; bits 6:4 are the filter index
)

// Receive write-back word 1 (7.1.6.2): extended status in bits 19:0, extended error in 31:20,
// packet length in 47:32, VLAN tag in 63:48.
const (
	RxDD    uint64 = 1 << 0 // descriptor done
	RxEOP   uint64 = 1 << 1 // last buffer of the packet; the fields below are valid only with it
	RxFLM   uint64 = 1 << 2
	RxVP    uint64 = 1 << 3 // VLAN tag stripped into the VLAN field
	RxUDPCS uint64 = 1 << 4 // UDP checksum was checked
	RxL4I   uint64 = 1 << 5 // L4 integrity was checked
	RxIPCS  uint64 = 1 << 6 // IPv4 header checksum was checked
	RxPIF   uint64 = 1 << 7 // multicast that only the hash filter passed
	RxVEXT  uint64 = 1 << 9
	RxUDPV  uint64 = 1 << 10 // fragment checksum field is valid
	RxLLINT uint64 = 1 << 11
	RxTSIP  uint64 = 1 << 15 // X550: time stamp in front of the packet
	RxTS    uint64 = 1 << 16
	RxSECP  uint64 = 1 << 17
	RxLB    uint64 = 1 << 18 // from a VM of this card

	RxNextShift        = 4 // without EOP: index of the next descriptor of an RSC packet
	RxNextMask  uint64 = 0xFFFF << RxNextShift

	RxErrMask uint64 = 0xFFF << 20
	RxFDIRErr uint64 = 7 << 20
	RxHBO     uint64 = 1 << 23
	RxSECErr  uint64 = 3 << 27
	RxRXE     uint64 = 1 << 29 // MAC error: CRC, length, symbol; only with FCTRL.SBP
	RxL4E     uint64 = 1 << 30 // TCP, UDP or SCTP checksum wrong
	RxIPE     uint64 = 1 << 31 // IPv4 header checksum wrong

	RxLenShift         = 32
	RxLenMask   uint64 = 0xFFFF << RxLenShift
	RxVLANShift        = 48
)

// RxLen is the number of bytes in the buffer, from write-back word 1.
func RxLen(w1 uint64) int { return int(w1 >> RxLenShift & 0xFFFF) }

// RxVLAN is the stripped tag, from write-back word 1.
func RxVLAN(w1 uint64) uint16 { return uint16(w1 >> RxVLANShift) }

// RxHash is the RSS hash, from write-back word 0.
func RxHash(w0 uint64) uint32 { return uint32(w0 >> RxHashShift) }

// Transmit data descriptor word 1 (7.2.3.2.4): word 0 is the buffer address.
const (
	TxDTALENMask  uint64 = 0xFFFF // bytes in this buffer
	TxMACLinkSec  uint64 = 1 << 18
	TxMACTSTAMP   uint64 = 1 << 19
	TxDTYPMask    uint64 = 0xF << 20
	TxDTYPContext uint64 = 2 << 20
	TxDTYPData    uint64 = 3 << 20
	TxDCMDEOP     uint64 = 1 << 24 // last buffer of the packet
	TxDCMDIFCS    uint64 = 1 << 25 // append the CRC
	TxDCMDRS      uint64 = 1 << 27 // report status: set DD when done
	TxDCMDDEXT    uint64 = 1 << 29 // advanced descriptor; always one
	TxDCMDVLE     uint64 = 1 << 30 // insert the VLAN tag of the context
	TxDCMDTSE     uint64 = 1 << 31 // segment

	TxDD          uint64 = 1 << 32 // descriptor done, written back
	TxIDXShift           = 36      // context index, 0 or 1
	TxCC          uint64 = 1 << 39 // check context: switch loopback and anti-spoof
	TxPOPTSIXSM   uint64 = 1 << 40 // insert the IPv4 header checksum
	TxPOPTSTXSM   uint64 = 1 << 41 // insert the L4 checksum
	TxPOPTSIPSEC  uint64 = 1 << 42
	TxPaylenShift        = 46 // bytes of the whole packet without CRC; with TSE without headers
	TxPaylenMax          = 1<<18 - 1
)

// Transmit context descriptor (7.2.3.2.3), word 0.
const (
	TxCtxIPLenShift   = 0 // bytes, 9 bits
	TxCtxMACLenShift  = 9 // bytes, 7 bits
	TxCtxVLANShift    = 16
	TxCtxIPsecSAShift = 32 // index of the security association, 10 bits
)

// Transmit context descriptor, word 1; with TxDTYPContext, TxDCMDDEXT and the index at TxIDXShift.
const (
	TxCtxESPLenShift        = 0 // bytes of the ESP trailer, 9 bits
	TxCtxSNAP        uint64 = 1 << 9
	TxCtxIPv4        uint64 = 1 << 10 // else IPv6
	TxCtxUDP         uint64 = 0 << 11
	TxCtxTCP         uint64 = 1 << 11
	TxCtxSCTP        uint64 = 2 << 11
	TxCtxL4TMask     uint64 = 3 << 11
	TxCtxESP         uint64 = 1 << 13 // else AH
	TxCtxEncrypt     uint64 = 1 << 14 // ESP with encryption
	TxCtxL4LenShift         = 40      // bytes, 8 bits
	TxCtxMSSShift           = 48      // bytes of payload per segment, 16 bits
)
