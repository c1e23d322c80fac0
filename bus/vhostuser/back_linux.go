package vhostuser

// Answer sends the reply to a request: a payload.
func (c *Conn) Answer(m *Message, payload []byte) error {
	return c.Send(&Message{Request: m.Request, Reply: true, Payload: payload})
}

// Acknowledge tells the front-end whether a request that has no reply of its own succeeded, if it wants to know
// ("VHOST_USER_PROTOCOL_F_REPLY_ACK").
func (c *Conn) Acknowledge(m *Message, f ProtocolFeatures, ok bool) error {
	if !m.NeedReply || !f.Has(FeatureReplyAck) {
		return nil
	}
	v := uint64(1)
	if ok {
		v = 0
	}
	return c.Answer(m, PutU64(v))
}
