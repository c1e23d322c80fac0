//go:build !linux

// Package wake is how one thread wakes another that sleeps in poll(2).
package wake

import (
	"errors"
	"time"
)

// Event needs Linux.
type Event struct{}

// New fails.
func New() (*Event, error) { return nil, errors.ErrUnsupported }

// FD returns -1.
func (*Event) FD() int { return -1 }

// Signal does nothing.
func (*Event) Signal() error { return nil }

// Clear does nothing.
func (*Event) Clear() error { return nil }

// Close does nothing.
func (*Event) Close() error { return nil }

// Set needs Linux.
type Set struct{}

// Add does nothing.
func (*Set) Add(int) {}

// Sleep sleeps for the limit.
func (*Set) Sleep(limit time.Duration) (bool, error) {
	time.Sleep(limit)
	return false, nil
}

// Nap needs Linux.
type Nap struct{}

// NewNap fails.
func NewNap(*Event) (*Nap, error) { return nil, errors.ErrUnsupported }

// Sleep sleeps.
func (*Nap) Sleep(d time.Duration) { time.Sleep(d) }

// Close does nothing.
func (*Nap) Close() error { return nil }
