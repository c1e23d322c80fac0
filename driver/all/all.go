// Package all makes every driver and every bus known to nic.Open; programs import it for its effect.
package all

import (
	_ "glassnic/bus/pci"         // the addresses of PCI devices
	_ "glassnic/bus/shm"         // shm:DIR/pN, models in another process
	_ "glassnic/bus/vfio"        // PCI devices that are bound to VFIO
	_ "glassnic/driver/afpacket" // packet:IFNAME
	_ "glassnic/driver/afxdp"    // xdp:IFNAME
	_ "glassnic/driver/e1000"
	_ "glassnic/driver/ixgbe"
	_ "glassnic/driver/pcapfile" // pcap:IN,OUT
	_ "glassnic/driver/tap"      // tap:NAME
	_ "glassnic/driver/vhost"    // vhost-user:PATH, virtual machines and other processes
	_ "glassnic/driver/virtio"
)
