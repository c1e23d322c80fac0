// Package afpacket makes ports of the kernel's network interfaces by packet sockets (packet(7)), with addresses such as
// packet:eth1: what comes in there is received from a ring that the kernel fills (TPACKET_V3), and frames are sent in
// batches. The kernel's own stack receives the same frames, too.
package afpacket
