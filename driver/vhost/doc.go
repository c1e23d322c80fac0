// Package vhost is the device end of virtio network devices: its ports, vhost-user:PATH, are cards to virtual machines
// and other processes, whose virtio drivers share their memory and rings over a socket. Every address, length and index
// that such a driver writes is checked: it can hurt itself alone.
//
// Sections in comments are those of "Virtual I/O Device (VIRTIO) Version 1.2"; headings are those of QEMU's
// docs/interop/vhost-user.rst, where front-end is the driver's side and back-end this one. "Receive" and "transmit" are
// this side's words: what the driver sends on its transmit queue comes in on a receive queue here.
package vhost
