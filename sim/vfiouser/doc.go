// Package vfiouser gives a modelled card to a virtual machine: it is the server of the vfio-user protocol, by which an
// emulator such as QEMU (from 10.1 on, vfio-user-pci) uses a PCI device of another process over a Unix socket. The
// guest's memory is shared, so that the card's DMA goes straight to it, and interrupts are eventfds.
//
// Headings in comments are those of docs/interop/vfio-user.rst of QEMU; structures are those of linux/vfio.h.
package vfiouser
