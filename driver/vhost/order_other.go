//go:build linux && (!amd64 || race)

package vhost

import "sync/atomic"

func store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
