//go:build !linux

package wire

import "errors"

var errNoTap = errors.New("wire: TAP interfaces need Linux")

// Tap is a TAP interface of Linux; on this system there are none.
type Tap struct{ None }

// OpenTap returns an error: TAP interfaces need Linux.
func OpenTap(string) (*Tap, error) { return nil, errNoTap }

// NewTap returns an error: TAP interfaces need Linux.
func NewTap(int) (*Tap, error) { return nil, errNoTap }

// Name returns "".
func (*Tap) Name() string { return "" }
