package worker

import (
	"glassnic/nic"
	"glassnic/packet"
)

// ShareCache has those of a worker's queues that can use the worker's cache; nil gives each its own again,
// which must happen before the worker ends.
func ShareCache(c *packet.Cache, queues ...any) {
	for _, q := range queues {
		if u, ok := q.(nic.CacheUser); ok {
			u.UseCache(c)
		}
	}
}
