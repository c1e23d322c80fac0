package vhostuser

import (
	"encoding/binary"
	"fmt"
)

// Flags of a message's header ("Header").
const (
	version       uint32 = 1
	versionMask   uint32 = 3
	flagReply     uint32 = 1 << 2
	flagNeedReply uint32 = 1 << 3
)

// Message is one message, without its version. File descriptors of one that was received belong to whoever has the
// message: Take those that are wanted, then Close.
type Message struct {
	Request   Request
	Reply     bool // it answers a request
	NeedReply bool // with FeatureReplyAck: an answer is wanted whatever the request is
	Payload   []byte
	FDs       []int
}

// appendHeader appends the header of m to b.
func (m *Message) appendHeader(b []byte) []byte {
	flags := version
	if m.Reply {
		flags |= flagReply
	}
	if m.NeedReply {
		flags |= flagNeedReply
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(m.Request))
	b = binary.LittleEndian.AppendUint32(b, flags)
	return binary.LittleEndian.AppendUint32(b, uint32(len(m.Payload)))
}

// parseHeader returns a message without payload, and the size of its payload in bytes, up to MaxPayload. The header
// has HeaderSize bytes.
func parseHeader(b []byte) (*Message, int, error) {
	flags := binary.LittleEndian.Uint32(b[4:])
	size := binary.LittleEndian.Uint32(b[8:])
	m := &Message{Request: Request(binary.LittleEndian.Uint32(b)), Reply: flags&flagReply != 0, NeedReply: flags&flagNeedReply != 0}
	if flags&versionMask != version {
		return nil, 0, fmt.Errorf("%v: protocol version %d, want %d", m.Request, flags&versionMask, version)
	}
	if size > MaxPayload {
		return nil, 0, fmt.Errorf("%v: payload of %d bytes, want %d at most", m.Request, size, MaxPayload)
	}
	return m, int(size), nil
}

// size checks the size of the payload.
func (m *Message) size(want int) error {
	if len(m.Payload) != want {
		return fmt.Errorf("%v: payload of %d bytes, want %d", m.Request, len(m.Payload), want)
	}
	return nil
}

// Empty checks that there is no payload.
func (m *Message) Empty() error { return m.size(0) }

// U64 returns a payload that is a single 64-bit integer.
func (m *Message) U64() (uint64, error) {
	if err := m.size(8); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(m.Payload), nil
}

// PutU64 is the payload of a 64-bit integer.
func PutU64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// VringState is "A vring state description".
type VringState struct{ Index, Num uint32 }

// VringState returns a payload that is a state.
func (m *Message) VringState() (VringState, error) {
	if err := m.size(8); err != nil {
		return VringState{}, err
	}
	return VringState{binary.LittleEndian.Uint32(m.Payload), binary.LittleEndian.Uint32(m.Payload[4:])}, nil
}

// Payload is the state as a payload.
func (s VringState) Payload() []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, s.Index), s.Num)
}

// VringAddr is "A vring address description": user addresses of a ring's parts. Of a packed ring they are the
// descriptor ring (Desc) and the event suppression structures of driver (Avail) and device (Used).
type VringAddr struct {
	Index, Flags           uint32
	Desc, Used, Avail, Log uint64
}

// VringAddr returns a payload that is a ring's addresses.
func (m *Message) VringAddr() (VringAddr, error) {
	if err := m.size(40); err != nil {
		return VringAddr{}, err
	}
	le, p := binary.LittleEndian, m.Payload
	return VringAddr{
		Index: le.Uint32(p), Flags: le.Uint32(p[4:]),
		Desc: le.Uint64(p[8:]), Used: le.Uint64(p[16:]), Avail: le.Uint64(p[24:]), Log: le.Uint64(p[32:]),
	}, nil
}

// Payload is the addresses as a payload.
func (a VringAddr) Payload() []byte {
	le := binary.LittleEndian
	p := le.AppendUint32(le.AppendUint32(nil, a.Index), a.Flags)
	for _, v := range []uint64{a.Desc, a.Used, a.Avail, a.Log} {
		p = le.AppendUint64(p, v)
	}
	return p
}

// Bits of the payload of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR.
const (
	vringIndexMask uint64 = 0xff
	vringNoFD      uint64 = 1 << 8
)

// VringFD returns the ring that the message's file descriptor is for. ok is false where the front-end has none; there
// is exactly one otherwise.
func (m *Message) VringFD() (index int, ok bool, err error) {
	v, err := m.U64()
	if err != nil {
		return 0, false, err
	}
	want := 1
	if v&vringNoFD != 0 {
		want = 0
	}
	if v&^(vringIndexMask|vringNoFD) != 0 || len(m.FDs) != want {
		return 0, false, fmt.Errorf("%v: value %#x with %d file descriptors", m.Request, v, len(m.FDs))
	}
	return int(v & vringIndexMask), want == 1, nil
}

// Config is "Virtio device config space": part of it.
type Config struct {
	Offset, Flags uint32
	Data          []byte
}

// Config returns a payload that is part of a configuration space, up to MaxConfig bytes. Data is part of the payload.
func (m *Message) Config() (Config, error) {
	if len(m.Payload) < 12 {
		return Config{}, fmt.Errorf("%v: payload of %d bytes, want 12 or more", m.Request, len(m.Payload))
	}
	le, p := binary.LittleEndian, m.Payload
	c := Config{le.Uint32(p), le.Uint32(p[8:]), p[12:]}
	if n := le.Uint32(p[4:]); n != uint32(len(c.Data)) || n > MaxConfig || c.Offset > MaxConfig-n {
		return Config{}, fmt.Errorf("%v: %d bytes at %d in a payload of %d", m.Request, n, c.Offset, len(p))
	}
	return c, nil
}

// Payload is the part as a payload.
func (c Config) Payload() []byte {
	le := binary.LittleEndian
	p := le.AppendUint32(le.AppendUint32(nil, c.Offset), uint32(len(c.Data)))
	return append(le.AppendUint32(p, c.Flags), c.Data...)
}

// Region is a region of the front-end's memory ("Memory regions description").
type Region struct {
	Guest  uint64 // address in descriptors
	Size   uint64 // bytes
	User   uint64 // address in messages
	Offset uint64 // bytes from the begin of what the file descriptor maps
}

const regionSize = 32

func parseRegion(p []byte) Region {
	le := binary.LittleEndian
	return Region{le.Uint64(p), le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:])}
}

func (r Region) append(p []byte) []byte {
	for _, v := range []uint64{r.Guest, r.Size, r.User, r.Offset} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return p
}

// Regions returns a payload that is a table of memory. There are as many file descriptors.
func (m *Message) Regions() ([]Region, error) {
	if len(m.Payload) < 8 {
		return nil, fmt.Errorf("%v: payload of %d bytes, want 8 or more", m.Request, len(m.Payload))
	}
	n := binary.LittleEndian.Uint32(m.Payload)
	if n > MaxFDs || len(m.FDs) != int(n) {
		return nil, fmt.Errorf("%v: %d regions with %d file descriptors, want one each and %d at most", m.Request, n, len(m.FDs), MaxFDs)
	}
	// Some front-ends send room for all regions whatever their number is.
	if need := 8 + int(n)*regionSize; len(m.Payload) < need || len(m.Payload) > 8+MaxFDs*regionSize {
		return nil, fmt.Errorf("%v: %d regions in a payload of %d bytes", m.Request, n, len(m.Payload))
	}
	all := make([]Region, n)
	for i := range all {
		all[i] = parseRegion(m.Payload[8+i*regionSize:])
	}
	return all, nil
}

// PutRegions is the payload of a table of memory.
func PutRegions(all []Region) []byte {
	p := binary.LittleEndian.AppendUint64(nil, uint64(len(all))) // 32 bits, and 32 of padding
	for _, r := range all {
		p = r.append(p)
	}
	return p
}

// Region returns a payload that is a "Single memory region description".
func (m *Message) Region() (Region, error) {
	if err := m.size(8 + regionSize); err != nil {
		return Region{}, err
	}
	return parseRegion(m.Payload[8:]), nil
}

// Payload is the region as a payload of its own.
func (r Region) Payload() []byte { return r.append(make([]byte, 8, 8+regionSize)) }
