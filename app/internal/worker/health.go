package worker

import (
	"errors"
	"slices"

	"glassnic/nic"
)

// Health looks after the ports of a run.
type Health struct {
	Ports []nic.Device
	// Report, if not nil, is called with each trouble of a port that does not end the run.
	Report func(error)

	troubles []error // that the last look found
}

// Look returns an error around nic.ErrGone where a port is lost. Other troubles are reported when they begin, and
// pass. A link that is down is none.
func (h *Health) Look() error {
	var gone error
	var now []error
	for _, p := range h.Ports {
		err := trouble(p)
		if errors.Is(err, nic.ErrGone) {
			gone = errors.Join(gone, err)
			continue
		}
		now = append(now, split(err)...)
	}
	for _, err := range now {
		known := slices.ContainsFunc(h.troubles, func(was error) bool { return was.Error() == err.Error() })
		if !known && h.Report != nil {
			h.Report(err)
		}
	}
	h.troubles = now
	return gone
}

// Left returns the troubles that the last look found.
func (h *Health) Left() error { return errors.Join(h.troubles...) }

// split returns the errors that were joined in one; none for nil.
func split(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func trouble(p nic.Device) error {
	if _, err := p.Link(); errors.Is(err, nic.ErrGone) {
		return err
	}
	if w, ok := p.(nic.Watched); ok {
		return w.Trouble()
	}
	return nil
}
