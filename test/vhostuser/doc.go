// Package vhostuser tests ports over vhost-user with foreign partners, DPDK's and Open vSwitch.
package vhostuser
