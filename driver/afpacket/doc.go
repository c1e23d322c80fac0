// Package afpacket makes ports of the kernel's network interfaces by packet sockets (packet(7)), with addresses such as
// packet:eth1: what comes in there is received from a ring that the kernel fills (TPACKET_V3), and frames are sent in
// batches. With nic.Timestamps, frames carry the system's time at which the kernel got them. The kernel's own stack receives the same frames, too.
package afpacket
