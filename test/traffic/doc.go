// Package traffic tests the whole way of a packet with traffic that is not our own: the Linux kernel's
// through TAP interfaces, captures, and long runs of two processes. There is nothing here but tests.
//
// They need root, for network namespaces of their own, and the tools that need names; with
// GLASSNIC_NO_NETNS set the tests that need root are left out.
package traffic
