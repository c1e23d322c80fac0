package virtio

import (
	"fmt"
	"math/bits"
	"strings"
)

// Features are feature bits.
type Features uint64

// Feature bits of network devices (5.1.3), and those of every device (6).
const (
	NetCSum          Features = 1 << 0  // the device completes checksums of what is sent
	NetGuestCSum     Features = 1 << 1  // the driver takes frames with partial checksums
	NetCtrlGuestOff  Features = 1 << 2  // offloads can be changed on the way
	NetMTU           Features = 1 << 3  // the device tells the MTU
	NetMAC           Features = 1 << 5  // the device has an address
	NetGSO           Features = 1 << 6  // legacy: the device cuts segments of any kind (5.1.3.2)
	NetGuestTSO4     Features = 1 << 7  // the driver takes TCP segments over IPv4 put together
	NetGuestTSO6     Features = 1 << 8  // the same over IPv6
	NetGuestECN      Features = 1 << 9  // the same with ECN
	NetGuestUFO      Features = 1 << 10 // the driver takes UDP datagrams put together
	NetHostTSO4      Features = 1 << 11 // the device cuts TCP segments over IPv4
	NetHostTSO6      Features = 1 << 12 // the same over IPv6
	NetHostECN       Features = 1 << 13 // the same with ECN
	NetHostUFO       Features = 1 << 14 // the device cuts UDP datagrams
	NetMrgRxbuf      Features = 1 << 15 // a received frame may fill several buffers
	NetStatus        Features = 1 << 16 // the device tells the link's state
	NetCtrlVQ        Features = 1 << 17 // there is a control queue
	NetCtrlRx        Features = 1 << 18 // promiscuous and all-multicast modes
	NetCtrlVLAN      Features = 1 << 19 // VLAN filter
	NetCtrlRxExtra   Features = 1 << 20 // further receive modes
	NetGuestAnnounce Features = 1 << 21 // the device asks for announcements
	NetMQ            Features = 1 << 22 // several pairs of queues
	NetCtrlMACAddr   Features = 1 << 23 // the address can be changed by a command
	NotifyOnEmpty    Features = 1 << 24 // legacy: an interrupt when the ring runs empty
	AnyLayout        Features = 1 << 27 // legacy: descriptors may divide header and frame at will
	IndirectDesc     Features = 1 << 28 // tables of descriptors
	EventIdx         Features = 1 << 29 // notifications wanted from an index on
	Version1         Features = 1 << 32 // version 1.0 or later
	AccessPlatform   Features = 1 << 33 // the device's accesses are translated or limited, as by an IOMMU
	RingPacked       Features = 1 << 34 // packed rings
	InOrder          Features = 1 << 35 // buffers are used in the order in which they were offered
	OrderPlatform    Features = 1 << 36 // memory is accessed in the order that real devices need
	SRIOV            Features = 1 << 37 // single root I/O virtualization
	NotificationData Features = 1 << 38 // notifications carry more than the queue
	NotifConfigData  Features = 1 << 39 // the device says what notifications carry
	RingReset        Features = 1 << 40 // single queues can be reset
	NetNotfCoal      Features = 1 << 53 // notifications can be put together
	NetGuestUSO4     Features = 1 << 54 // the driver takes UDP segments put together
	NetGuestUSO6     Features = 1 << 55 // the same over IPv6
	NetHostUSO       Features = 1 << 56 // the device cuts UDP segments
	NetHashReport    Features = 1 << 57 // the device reports hashes
	NetGuestHdrLen   Features = 1 << 59 // the driver gives the exact length of headers
	NetRSS           Features = 1 << 60 // receive side scaling by Toeplitz hash
	NetRscExt        Features = 1 << 61 // the device reports how many segments it has put together
	NetStandby       Features = 1 << 62 // the device stands by for another with its address
	NetSpeedDuplex   Features = 1 << 63 // the device tells speed and duplex
)

// featureNames are the specification's names without VIRTIO_.
var featureNames = map[Features]string{
	NetCSum: "NET_F_CSUM", NetGuestCSum: "NET_F_GUEST_CSUM", NetCtrlGuestOff: "NET_F_CTRL_GUEST_OFFLOADS",
	NetMTU: "NET_F_MTU", NetMAC: "NET_F_MAC", NetGSO: "NET_F_GSO", NetGuestTSO4: "NET_F_GUEST_TSO4", NetGuestTSO6: "NET_F_GUEST_TSO6",
	NetGuestECN: "NET_F_GUEST_ECN", NetGuestUFO: "NET_F_GUEST_UFO", NetHostTSO4: "NET_F_HOST_TSO4",
	NetHostTSO6: "NET_F_HOST_TSO6", NetHostECN: "NET_F_HOST_ECN", NetHostUFO: "NET_F_HOST_UFO",
	NetMrgRxbuf: "NET_F_MRG_RXBUF", NetStatus: "NET_F_STATUS", NetCtrlVQ: "NET_F_CTRL_VQ", NetCtrlRx: "NET_F_CTRL_RX",
	NetCtrlVLAN: "NET_F_CTRL_VLAN", NetCtrlRxExtra: "NET_F_CTRL_RX_EXTRA", NetGuestAnnounce: "NET_F_GUEST_ANNOUNCE",
	NetMQ: "NET_F_MQ", NetCtrlMACAddr: "NET_F_CTRL_MAC_ADDR", NotifyOnEmpty: "F_NOTIFY_ON_EMPTY",
	AnyLayout: "F_ANY_LAYOUT", IndirectDesc: "F_INDIRECT_DESC", EventIdx: "F_EVENT_IDX", Version1: "F_VERSION_1",
	AccessPlatform: "F_ACCESS_PLATFORM", RingPacked: "F_RING_PACKED", InOrder: "F_IN_ORDER",
	OrderPlatform: "F_ORDER_PLATFORM", SRIOV: "F_SR_IOV", NotificationData: "F_NOTIFICATION_DATA",
	NotifConfigData: "F_NOTIF_CONFIG_DATA", RingReset: "F_RING_RESET", NetNotfCoal: "NET_F_NOTF_COAL",
	NetGuestUSO4: "NET_F_GUEST_USO4", NetGuestUSO6: "NET_F_GUEST_USO6", NetHostUSO: "NET_F_HOST_USO",
	NetHashReport: "NET_F_HASH_REPORT", NetGuestHdrLen: "NET_F_GUEST_HDRLEN", NetRSS: "NET_F_RSS",
	NetRscExt: "NET_F_RSC_EXT", NetStandby: "NET_F_STANDBY", NetSpeedDuplex: "NET_F_SPEED_DUPLEX",
}

// Has tells whether all of want are among f.
func (f Features) Has(want Features) bool { return f&want == want }

// String returns the specification's names, such as "VIRTIO_NET_F_MQ".
func (f Features) String() string {
	if f == 0 {
		return "no features"
	}
	var s []string
	for ; f != 0; f &= f - 1 {
		n := bits.TrailingZeros64(uint64(f))
		name := featureNames[1<<n]
		if name == "" {
			name = fmt.Sprintf("bit %d", n)
		}
		s = append(s, "VIRTIO_"+name)
	}
	return strings.Join(s, ", ")
}
