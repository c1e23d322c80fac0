package wire

// None is a port with no cable: no link, nothing arrives, and what is sent all the same is dropped
// and counted. The zero None is ready.
type None struct{ counters }

// Receive implements End.
func (*None) Receive([]Frame) int { return 0 }

// Send implements End.
func (n *None) Send(frames []Frame) int {
	n.dropped.Add(uint64(len(frames)))
	return len(frames)
}

// Up implements End: always false.
func (*None) Up() bool { return false }

// Close implements End.
func (*None) Close() error { return nil }
