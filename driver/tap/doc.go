// Package tap makes ports of the kernel's TAP interfaces, with addresses such as tap:NAME: what the kernel sends there is
// received, and what is sent the kernel receives. Each frame costs a system call, and so does a large one that the kernel
// has not cut, or cuts; unless the kernel's own virtio device serves the interface, which the driver of such devices has.
package tap
