package virtio

// The header before each frame (5.1.6): flags and GSO type of 8 bits each, then of 16 bits each header length, GSO
// size, start of the checksummed part, offset of the checksum from there, and the number of buffers.
const (
	HdrSize       = 12
	HdrLegacySize = 10 // of a legacy device without NET_F_MRG_RXBUF: no number of buffers
	HdrFlags      = 0
	HdrGSOType    = 1
	HdrCSumStart  = 6
	HdrCSumOffset = 8
	HdrNumBuffers = 10
)

// Flags and GSO types of the header.
const (
	HdrNeedsCSum uint8 = 1 // the checksum is partial
	HdrDataValid uint8 = 2 // the checksum was verified
	GSONone      uint8 = 0
)

// Fields of the device configuration (5.1.4).
const (
	ConfigMAC      = 0  // 6 bytes
	ConfigStatus   = 6  // 16 bits, with NET_F_STATUS
	ConfigMaxPairs = 8  // 16 bits, with NET_F_MQ or NET_F_RSS
	ConfigMTU      = 10 // 16 bits, with NET_F_MTU
	ConfigSpeed    = 12 // 32 bits, Mbit/s, with NET_F_SPEED_DUPLEX
	ConfigDuplex   = 16 // 8 bits, 1 for full, with NET_F_SPEED_DUPLEX
)

// Bits of the status field.
const (
	NetLinkUp   uint16 = 1
	NetAnnounce uint16 = 2 // the device wants its address announced (5.1.6.5.4)
)

// SpeedUnknown is what the speed field holds when nobody knows.
const SpeedUnknown uint32 = 1<<32 - 1

// Classes and commands of the control queue (5.1.6.5).
const (
	CtrlRx          uint8 = 0 // 5.1.6.5.1; one byte, on or off
	CtrlRxPromisc   uint8 = 0
	CtrlRxAllMulti  uint8 = 1
	CtrlMAC         uint8 = 1 // 5.1.6.5.2
	CtrlMACTableSet uint8 = 0 // two tables, each a count of 32 bits and the addresses: unicast, multicast
	CtrlMACAddrSet  uint8 = 1 // the address
	CtrlVLAN        uint8 = 2 // 5.1.6.5.3; 16 bits
	CtrlVLANAdd     uint8 = 0
	CtrlVLANDel     uint8 = 1
	CtrlAnnounce    uint8 = 3 // 5.1.6.5.4; nothing
	CtrlAnnounceAck uint8 = 0
	CtrlMQ          uint8 = 4 // 5.1.6.5.5
	CtrlMQPairsSet  uint8 = 0 // 16 bits
	CtrlOK          uint8 = 0 // answer
	CtrlErr         uint8 = 1
)

// Numbers of queues (5.1.2): pair i has 2i and 2i+1, the control queue comes after all pairs that the device has.
func RxQueue(i int) int { return 2 * i }

// TxQueue returns the number of transmit queue i.
func TxQueue(i int) int { return 2*i + 1 }

// CtrlQueue returns the number of the control queue of a device with so many pairs.
func CtrlQueue(pairs int) int { return 2 * pairs }
