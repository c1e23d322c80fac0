// Package vhostuser is the protocol by which a virtio driver shares its rings with a device in another process: the
// front-end has the memory and the driver, the back-end is the device. Both ends are here.
//
// Headings in comments are those of QEMU's docs/interop/vhost-user.rst, "Vhost-user Protocol". Numbers are in the
// machine's byte order, which is little-endian wherever this is built.
package vhostuser

import (
	"fmt"
	"strings"
)

// Request is what a message asks for ("Front-end message types").
type Request uint32

// Requests of the front-end.
const (
	GetFeatures         Request = 1
	SetFeatures         Request = 2
	SetOwner            Request = 3
	ResetOwner          Request = 4 // deprecated
	SetMemTable         Request = 5
	SetLogBase          Request = 6
	SetLogFD            Request = 7
	SetVringNum         Request = 8
	SetVringAddr        Request = 9
	SetVringBase        Request = 10
	GetVringBase        Request = 11
	SetVringKick        Request = 12
	SetVringCall        Request = 13
	SetVringErr         Request = 14
	GetProtocolFeatures Request = 15
	SetProtocolFeatures Request = 16
	GetQueueNum         Request = 17
	SetVringEnable      Request = 18
	SendRARP            Request = 19
	NetSetMTU           Request = 20
	SetBackendReqFD     Request = 21 // SET_SLAVE_REQ_FD in older editions
	IOTLBMsg            Request = 22
	SetVringEndian      Request = 23
	GetConfig           Request = 24
	SetConfig           Request = 25
	GetInflightFD       Request = 31
	SetInflightFD       Request = 32
	ResetDevice         Request = 34
	VringKick           Request = 35
	GetMaxMemSlots      Request = 36
	AddMemReg           Request = 37
	RemMemReg           Request = 38
	SetStatus           Request = 39
	GetStatus           Request = 40
)

var requestNames = map[Request]string{
	GetFeatures: "GET_FEATURES", SetFeatures: "SET_FEATURES", SetOwner: "SET_OWNER", ResetOwner: "RESET_OWNER",
	SetMemTable: "SET_MEM_TABLE", SetLogBase: "SET_LOG_BASE", SetLogFD: "SET_LOG_FD", SetVringNum: "SET_VRING_NUM",
	SetVringAddr: "SET_VRING_ADDR", SetVringBase: "SET_VRING_BASE", GetVringBase: "GET_VRING_BASE",
	SetVringKick: "SET_VRING_KICK", SetVringCall: "SET_VRING_CALL", SetVringErr: "SET_VRING_ERR",
	GetProtocolFeatures: "GET_PROTOCOL_FEATURES", SetProtocolFeatures: "SET_PROTOCOL_FEATURES",
	GetQueueNum: "GET_QUEUE_NUM", SetVringEnable: "SET_VRING_ENABLE", SendRARP: "SEND_RARP", NetSetMTU: "NET_SET_MTU",
	SetBackendReqFD: "SET_BACKEND_REQ_FD", IOTLBMsg: "IOTLB_MSG", SetVringEndian: "SET_VRING_ENDIAN",
	GetConfig: "GET_CONFIG", SetConfig: "SET_CONFIG", GetInflightFD: "GET_INFLIGHT_FD", SetInflightFD: "SET_INFLIGHT_FD",
	ResetDevice: "RESET_DEVICE", VringKick: "VRING_KICK", GetMaxMemSlots: "GET_MAX_MEM_SLOTS", AddMemReg: "ADD_MEM_REG",
	RemMemReg: "REM_MEM_REG", SetStatus: "SET_STATUS", GetStatus: "GET_STATUS",
}

// String returns the specification's name without VHOST_USER_.
func (r Request) String() string {
	if s, ok := requestNames[r]; ok {
		return s
	}
	return fmt.Sprintf("request %d", uint32(r))
}

// FeatureProtocol is the virtio feature bit by which a back-end says that it has protocol features ("Communication").
const FeatureProtocol uint64 = 1 << 30

// FeatureLogAll is the virtio feature bit that starts the logging of writes to memory ("Migration").
const FeatureLogAll uint64 = 1 << 26

// ProtocolFeatures are extensions of the protocol ("Protocol features").
type ProtocolFeatures uint64

// Protocol features.
const (
	FeatureMQ                ProtocolFeatures = 1 << 0
	FeatureLogSHMFD          ProtocolFeatures = 1 << 1
	FeatureRARP              ProtocolFeatures = 1 << 2
	FeatureReplyAck          ProtocolFeatures = 1 << 3
	FeatureMTU               ProtocolFeatures = 1 << 4
	FeatureBackendReq        ProtocolFeatures = 1 << 5
	FeatureConfig            ProtocolFeatures = 1 << 9
	FeatureInflightSHMFD     ProtocolFeatures = 1 << 12
	FeatureResetDevice       ProtocolFeatures = 1 << 13
	FeatureConfigureMemSlots ProtocolFeatures = 1 << 15
	FeatureStatus            ProtocolFeatures = 1 << 16
)

var protocolNames = []struct {
	f    ProtocolFeatures
	name string
}{
	{FeatureMQ, "MQ"}, {FeatureLogSHMFD, "LOG_SHMFD"}, {FeatureRARP, "RARP"}, {FeatureReplyAck, "REPLY_ACK"},
	{FeatureMTU, "MTU"}, {FeatureBackendReq, "BACKEND_REQ"}, {FeatureConfig, "CONFIG"},
	{FeatureInflightSHMFD, "INFLIGHT_SHMFD"}, {FeatureResetDevice, "RESET_DEVICE"},
	{FeatureConfigureMemSlots, "CONFIGURE_MEM_SLOTS"}, {FeatureStatus, "STATUS"},
}

// Has tells whether all features of g are among f.
func (f ProtocolFeatures) Has(g ProtocolFeatures) bool { return f&g == g }

// String names the features, without VHOST_USER_PROTOCOL_F_.
func (f ProtocolFeatures) String() string {
	var all []string
	for _, p := range protocolNames {
		if f.Has(p.f) {
			all = append(all, p.name)
			f &^= p.f
		}
	}
	if f != 0 {
		all = append(all, fmt.Sprintf("%#x", uint64(f)))
	}
	if len(all) == 0 {
		return "no protocol features"
	}
	return strings.Join(all, ", ")
}

// Limits of the protocol.
const (
	// HeaderSize is the size of a message's header in bytes ("Header").
	HeaderSize = 12
	// MaxPayload is the longest payload in bytes that either end takes. The longest that is sent is a table of
	// memory or a configuration space, of less than 300.
	MaxPayload = 1024
	// MaxFDs is how many file descriptors a message has at most, one for each region of a table of memory
	// ("Memory regions description").
	MaxFDs = 8
	// MaxConfig is the longest part of a configuration space in bytes ("Virtio device config space").
	MaxConfig = 256
	// MaxVring is the highest number of a ring, of which messages have 8 bits (SET_VRING_KICK).
	MaxVring = 255
)

// ParseAddress splits the part of an address behind its scheme, PATH or PATH,client or PATH,server, into the path of
// the socket and whether to connect to it (client) or to listen on it.
func ParseAddress(rest string, client bool) (path string, isClient bool, err error) {
	path, mode, found := strings.Cut(rest, ",")
	switch {
	case !found:
	case mode == "client":
		client = true
	case mode == "server":
		client = false
	default:
		return "", false, fmt.Errorf("%q: want client or server behind the comma", mode)
	}
	// sun_path of unix(7) has 108 bytes, the last of which is zero.
	if path == "" || len(path) > 107 {
		return "", false, fmt.Errorf("socket %q: want a path of 1 to 107 bytes", path)
	}
	return path, client, nil
}
