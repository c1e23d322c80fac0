package worker

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"glassnic/nic"
)

// sick is a port with a trouble.
type sick struct {
	nic.Device
	link, trouble error
}

func (s *sick) Link() (nic.Link, error) { return nic.Link{}, s.link }
func (s *sick) Trouble() error          { return s.trouble }

// mute is one that does not say how it is.
type mute struct{ nic.Device }

func (mute) Link() (nic.Link, error) { return nic.Link{}, errors.New("no link") }

func TestHealth(t *testing.T) {
	a, b := &sick{link: errors.New("no link")}, &sick{}
	var heard []string
	h := Health{Ports: []nic.Device{a, mute{}, b}, Report: func(err error) { heard = append(heard, err.Error()) }}
	look := func() {
		t.Helper()
		if err := h.Look(); err != nil {
			t.Errorf("ends for %v", err)
		}
	}
	look()
	b.trouble = fmt.Errorf("b: %w", nic.ErrStalled)
	look()
	look()
	b.trouble = errors.Join(b.trouble, nic.ErrFault)
	look()
	if err := h.Left(); !errors.Is(err, nic.ErrFault) {
		t.Errorf("left: %v", err)
	}
	b.trouble = nil
	look()
	if err := h.Left(); err != nil {
		t.Errorf("left after it passed: %v", err)
	}
	b.trouble = nic.ErrStalled
	look()
	if want := []string{"b: no progress", "DMA fault", "no progress"}; !slices.Equal(heard, want) {
		t.Errorf("%q, want %q", heard, want)
	}
	a.trouble = fmt.Errorf("a: %w", nic.ErrGone)
	if err := h.Look(); !errors.Is(err, nic.ErrGone) {
		t.Errorf("%v of a port that is gone", err)
	}
	a.link, a.trouble = nic.ErrGone, nil
	if err := h.Look(); !errors.Is(err, nic.ErrGone) {
		t.Errorf("%v of a port whose link is gone", err)
	}
	if len(heard) != 3 {
		t.Errorf("%q", heard)
	}
}
