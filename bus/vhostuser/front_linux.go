package vhostuser

import (
	"fmt"
	"io"
)

// Front is the front-end's side of a connection. Requests go one after the other: its methods belong to one
// goroutine. File descriptors that they are given stay the caller's.
type Front struct {
	conn     *Conn
	Protocol ProtocolFeatures // negotiated
}

// NewFront makes the front-end of a connection, which belongs to it.
func NewFront(c *Conn) *Front { return &Front{conn: c} }

// Close closes the connection.
func (f *Front) Close() error { return f.conn.Close() }

// Gone waits until the back-end ends the connection and returns why. No request may be under way or begin.
func (f *Front) Gone() error {
	m, err := f.conn.Receive(0)
	if err == nil {
		m.Close()
		err = fmt.Errorf("%v without a request", m.Request)
	}
	return err
}

// ask sends a request and waits for its reply.
func (f *Front) ask(m *Message) (*Message, error) {
	if err := f.conn.Send(m); err != nil {
		return nil, err
	}
	r, err := f.conn.Receive(Timeout)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", m.Request, err)
	}
	if !r.Reply || r.Request != m.Request {
		r.Close()
		return nil, fmt.Errorf("%v: the answer is to %v", m.Request, r.Request)
	}
	return r, nil
}

// get is ask for a request without payload and a reply of 64 bits.
func (f *Front) get(r Request) (uint64, error) {
	m, err := f.ask(&Message{Request: r})
	if err != nil {
		return 0, err
	}
	m.Close()
	return m.U64()
}

// do sends a request without reply, and has it acknowledged where the back-end can.
func (f *Front) do(r Request, payload []byte, fds ...int) error {
	m := &Message{Request: r, Payload: payload, FDs: fds, NeedReply: f.Protocol.Has(FeatureReplyAck)}
	if !m.NeedReply {
		return f.conn.Send(m)
	}
	a, err := f.ask(m)
	if err != nil {
		return err
	}
	a.Close()
	v, err := a.U64()
	if err == nil && v != 0 {
		err = fmt.Errorf("%v: the back-end refused it (%d)", r, v)
	}
	return err
}

// Features asks for the virtio features that the back-end offers.
func (f *Front) Features() (uint64, error) { return f.get(GetFeatures) }

// SetFeatures sets the virtio features that are used.
func (f *Front) SetFeatures(v uint64) error { return f.do(SetFeatures, PutU64(v)) }

// Negotiate takes those of the wanted protocol features that the back-end has. Features must have shown
// FeatureProtocol.
func (f *Front) Negotiate(want ProtocolFeatures) error {
	v, err := f.get(GetProtocolFeatures)
	if err != nil {
		return err
	}
	// REPLY_ACK counts from the next message on.
	use := ProtocolFeatures(v) & want
	if err := f.do(SetProtocolFeatures, PutU64(uint64(use))); err != nil {
		return err
	}
	f.Protocol = use
	return nil
}

// SetOwner begins the session.
func (f *Front) SetOwner() error { return f.do(SetOwner, nil) }

// QueueNum asks how many queues the back-end has, with FeatureMQ. For network devices they are pairs.
func (f *Front) QueueNum() (uint64, error) { return f.get(GetQueueNum) }

// SetMemTable hands memory over: up to MaxFDs regions with a file descriptor each.
func (f *Front) SetMemTable(all []Region, fds []int) error {
	return f.do(SetMemTable, PutRegions(all), fds...)
}

// MaxMemSlots asks how many regions there may be, with FeatureConfigureMemSlots.
func (f *Front) MaxMemSlots() (uint64, error) { return f.get(GetMaxMemSlots) }

// AddMemReg hands one more region over, with FeatureConfigureMemSlots.
func (f *Front) AddMemReg(r Region, fd int) error { return f.do(AddMemReg, r.Payload(), fd) }

// RemMemReg takes a region away, with FeatureConfigureMemSlots.
func (f *Front) RemMemReg(r Region) error { return f.do(RemMemReg, r.Payload()) }

// SetVringNum sets a ring's number of descriptors.
func (f *Front) SetVringNum(index, n int) error {
	return f.do(SetVringNum, VringState{uint32(index), uint32(n)}.Payload())
}

// SetVringBase sets where a ring begins: of a split ring the next entry of the available ring; of a packed one in bits
// 0–14 the next descriptor and in bit 15 its wrap counter, and in bits 16–31 the same of the used ones.
func (f *Front) SetVringBase(index int, base uint32) error {
	return f.do(SetVringBase, VringState{uint32(index), base}.Payload())
}

// SetVringAddr sets where a ring lies.
func (f *Front) SetVringAddr(a VringAddr) error { return f.do(SetVringAddr, a.Payload()) }

// VringBase stops a ring and returns where it stands, as SetVringBase has it.
func (f *Front) VringBase(index int) (uint32, error) {
	m, err := f.ask(&Message{Request: GetVringBase, Payload: VringState{uint32(index), 0}.Payload()})
	if err != nil {
		return 0, err
	}
	m.Close()
	s, err := m.VringState()
	if err == nil && s.Index != uint32(index) {
		err = fmt.Errorf("%v: the answer is about ring %d, not %d", GetVringBase, s.Index, index)
	}
	return s.Num, err
}

// SetVringKick hands over the eventfd that tells of new buffers and starts the ring; -1: the back-end polls.
func (f *Front) SetVringKick(index, fd int) error { return f.event(SetVringKick, index, fd) }

// SetVringCall hands over the eventfd that tells of used buffers; -1: the front-end polls.
func (f *Front) SetVringCall(index, fd int) error { return f.event(SetVringCall, index, fd) }

// SetVringErr hands over the eventfd that tells of errors; -1: none.
func (f *Front) SetVringErr(index, fd int) error { return f.event(SetVringErr, index, fd) }

func (f *Front) event(r Request, index, fd int) error {
	if fd < 0 {
		return f.do(r, PutU64(uint64(index)&vringIndexMask|vringNoFD))
	}
	return f.do(r, PutU64(uint64(index)&vringIndexMask), fd)
}

// SetVringEnable enables or disables a ring, where FeatureProtocol was negotiated.
func (f *Front) SetVringEnable(index int, on bool) error {
	s := VringState{Index: uint32(index)}
	if on {
		s.Num = 1
	}
	return f.do(SetVringEnable, s.Payload())
}

// Status asks for the device's status, with FeatureStatus (virtio 2.1).
func (f *Front) Status() (uint64, error) { return f.get(GetStatus) }

// SetStatus sets the device's status, with FeatureStatus.
func (f *Front) SetStatus(v uint64) error { return f.do(SetStatus, PutU64(v)) }

// ResetDevice resets the device, with FeatureResetDevice.
func (f *Front) ResetDevice() error { return f.do(ResetDevice, nil) }

// ReadConfig reads len(b) bytes of the configuration space, with FeatureConfig.
func (f *Front) ReadConfig(offset int, b []byte) error {
	m, err := f.ask(&Message{Request: GetConfig, Payload: Config{Offset: uint32(offset), Data: b}.Payload()})
	if err != nil {
		return err
	}
	m.Close()
	c, err := m.Config()
	if err != nil {
		return err
	}
	if int(c.Offset) != offset || len(c.Data) != len(b) {
		return fmt.Errorf("%v: %d bytes at %d: %w", GetConfig, len(c.Data), c.Offset, io.ErrUnexpectedEOF)
	}
	copy(b, c.Data)
	return nil
}

// Do sends any other request that has no reply, and has it acknowledged where the back-end can.
func (f *Front) Do(r Request, payload []byte, fds ...int) error { return f.do(r, payload, fds...) }
