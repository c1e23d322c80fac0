// Package tap makes ports of the kernel's TAP interfaces, with addresses such as tap:NAME: what the kernel sends there is
// received, and what is sent the kernel receives. Each frame costs a system call.
package tap
