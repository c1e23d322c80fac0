// Package afxdp makes ports of the kernel's network interfaces by AF_XDP sockets (Linux,
// Documentation/networking/af_xdp.rst), with addresses such as xdp:eth1: an XDP program hands what the interface receives
// to sockets, one for each queue, before the kernel's own stack sees it. Frames lie in memory that this process and the
// kernel share, UMEM: a card whose driver can writes them there itself.
package afxdp
