//go:build linux

package vhost

import (
	"errors"
	"sync"

	"glassnic/bus/dma"
)

// The pools of all ports lie in one memory, so that frames go from one to another without a copy in between.
var space struct {
	mu     sync.Mutex
	users  int
	shared *dma.Shared
	arena  *dma.Arena
}

// attach returns the memory. Each caller detaches.
func attach() (*dma.Arena, error) {
	space.mu.Lock()
	defer space.mu.Unlock()
	if space.users == 0 {
		s, err := dma.NewShared(dma.SharedOptions{Size: 1 << 36, SmallPages: true}) // address space only
		if err != nil {
			return nil, err
		}
		space.shared, space.arena = s, dma.NewArena(s)
	}
	space.users++
	return space.arena, nil
}

// detach frees the memory when its last user goes.
func detach() error {
	space.mu.Lock()
	defer space.mu.Unlock()
	if space.users--; space.users > 0 {
		return nil
	}
	return errors.Join(space.arena.Close(), space.shared.Close())
}
