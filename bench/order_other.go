//go:build !amd64 || race

package bench

import "sync/atomic"

func store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
