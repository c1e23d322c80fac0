package wire

import (
	"errors"
	"io"
	"time"

	"github.com/gopacket/gopacket"

	"glassnic/internal/capfile"
)

// maxCapture bounds the bytes of frames read into memory.
const maxCapture = 1 << 30

// capture is a capture file in memory.
type capture struct {
	data    []byte
	frames  []captured
	pass    time.Duration // from the start of one pass to that of the next
	skipped uint64        // frames too long for a wire, and empty ones
}

type captured struct {
	start, end int           // in data
	at         time.Duration // after the first frame, never going back
}

// readCapture reads a pcap or pcapng file to its end. Frames longer than MaxFrame (a kernel's
// segmentation offload shows such) and empty ones are counted in skipped and left out.
func readCapture(r io.Reader, pad bool) (*capture, error) {
	reader, err := capfile.NewReader(r)
	if err != nil {
		return nil, err
	}
	c := new(capture)
	var first time.Time
	tooMuch := false
	err = reader.Each(func(data []byte, info gopacket.CaptureInfo) bool {
		if !sendable(data) {
			c.skipped++
			return true
		}
		if tooMuch = len(c.data)+len(data) > maxCapture; tooMuch {
			return false
		}
		if first.IsZero() {
			first = info.Timestamp
		}
		c.add(data, info.Timestamp.Sub(first), pad)
		return true
	})
	if tooMuch {
		return nil, errors.New("more than 1 GiB of frames: split it with \"editcap -c\"")
	}
	if err != io.EOF {
		return nil, err
	}
	c.pass = time.Second
	if n := len(c.frames); n > 1 {
		last := c.frames[n-1].at
		c.pass = last + last/time.Duration(n-1)
	}
	return c, nil
}

func (c *capture) add(data []byte, at time.Duration, pad bool) {
	if n := len(c.frames); n > 0 {
		at = max(at, c.frames[n-1].at)
	}
	f := captured{start: len(c.data), at: max(at, 0)}
	c.data = append(c.data, data...)
	if short := MinFrame - len(data); pad && short > 0 {
		c.data = append(c.data, make([]byte, short)...)
	}
	f.end = len(c.data)
	c.frames = append(c.frames, f)
}
