package ladder

// Rungs returns the rungs, from the ground up.
func Rungs() []Rung {
	return []Rung{
		{Name: "recv", What: "packet socket, recv and send", Copies: 2, Clock: CPUTime, Touches: true, open: openRecv,
			GivesUp: "nothing: any interface, beside the kernel's stack"},
		{Name: "mmsg", What: "packet socket, recvmmsg and sendmmsg", Copies: 2, Clock: CPUTime, Touches: true, open: openMmsg,
			GivesUp: "latency: frames wait for others"},
		{Name: "tpacket", What: "packet: port, TPACKET_V3 and sendmmsg", Copies: 3, Clock: CPUTime, Touches: true, open: openTPacket,
			GivesUp: "latency: a block waits until it is full, or a millisecond"},
		{Name: "routing", What: "kernel, IPv4 routing", Copies: 0, Clock: CPUTime, Touches: true, open: openRouting,
			GivesUp: "a program of one's own: what the kernel can do"},
		{Name: "bridge", What: "kernel, bridge", Copies: 0, Clock: CPUTime, open: openBridge,
			GivesUp: "a program of one's own, and the change: a bridge leaves frames as they are"},
		{Name: "ovs", What: "kernel, Open vSwitch", Copies: 0, Clock: CPUTime, Touches: true, open: openOVS,
			GivesUp: "a program of one's own: what flows of Open vSwitch can do"},
		{Name: "xdp-copy", What: "xdp: port, XDP in the kernel's stack, frames copied", Copies: 2, Clock: CPUTime, Touches: true, open: openXDPCopy,
			GivesUp: "the kernel's stack on that interface"},
		{Name: "xdp-native", What: "xdp: port, XDP in the interface's driver", Copies: 2, Clock: CPUTime, Touches: true, open: openXDPNative,
			GivesUp: "the kernel's stack on that interface; its driver has to know XDP"},
		{Name: "xdp-poll", What: "xdp: port that polls, without the kernel's part of receiving", Copies: 2, Clock: Passes, Touches: true, Aside: true, open: openXDPPoll,
			GivesUp: "the kernel's stack on that interface, and a core that always polls"},
		{Name: "dpdk-xdp", What: "DPDK testpmd, net_af_xdp, measured as xdp-poll", Copies: 2, Clock: Passes, Touches: true, Aside: true, open: openDPDKXDP,
			GivesUp: "the kernel's stack on that interface, a core that always polls, and its memory"},
		{Name: "vhost-user", What: "vhost-user: port, our driver at the other end", Copies: 2, Clock: Passes, Touches: true, open: openVhost,
			GivesUp: "a core that always polls; what sends is a process or a virtual machine"},
		{Name: "dpdk", What: "DPDK testpmd, net_vhost, our driver at the other end", Copies: 2, Clock: Passes, Touches: true, open: openDPDK,
			GivesUp: "a core that always polls, and its memory; what sends is a process or a virtual machine"},
		{Name: "ixgbe", What: "our 82599 driver, modelled cards", Copies: 0, Clock: Passes, Touches: true, open: openIxgbe,
			GivesUp: "a core that always polls; the kernel does not see the card at all"},
	}
}
