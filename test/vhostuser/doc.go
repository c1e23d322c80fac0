// Package vhostuser tests ports over vhost-user with foreign partners, such as DPDK's.
package vhostuser
