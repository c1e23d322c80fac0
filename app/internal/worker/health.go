package worker

import (
	"errors"

	"glassnic/nic"
)

// Health looks after the ports of a run.
type Health struct {
	Ports []nic.Device
	// Report, if not nil, is called with each trouble of a port that does not end the run.
	Report func(error)

	troubles []error // of each port, at the last look
}

// Look returns an error around nic.ErrGone where a port is lost. Other troubles are reported when they begin, or
// change, and pass: a link that is down is none.
func (h *Health) Look() error {
	if h.troubles == nil {
		h.troubles = make([]error, len(h.Ports))
	}
	var gone error
	for i, p := range h.Ports {
		err := trouble(p)
		if errors.Is(err, nic.ErrGone) {
			gone = errors.Join(gone, err)
			continue
		}
		if was := h.troubles[i]; err != nil && h.Report != nil && (was == nil || was.Error() != err.Error()) {
			h.Report(err)
		}
		h.troubles[i] = err
	}
	return gone
}

// Left returns the troubles that the last look found.
func (h *Health) Left() error { return errors.Join(h.troubles...) }

func trouble(p nic.Device) error {
	if _, err := p.Link(); errors.Is(err, nic.ErrGone) {
		return err
	}
	if w, ok := p.(nic.Watched); ok {
		return w.Trouble()
	}
	return nil
}
