package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const (
	// snapLength is what is written as the longest frame a file may hold: the most that tcpdump reads.
	snapLength = 262144
	// maxCapture bounds the bytes of frames read into memory.
	maxCapture = 1 << 30
)

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
func readCapture(r io.Reader, pad bool) (c *capture, err error) {
	c = new(capture)
	// The readers are not ours, and files come from anywhere.
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("damaged after frame %d: %v", len(c.frames), p)
		}
	}()
	next, err := openCapture(r)
	if err != nil {
		return nil, err
	}
	var first time.Time
	for count := 0; ; count++ {
		data, info, err := next()
		if err == io.EOF && info.CaptureLength == 0 {
			break
		}
		if err == io.EOF { // the pcap reader says so of a frame of which nothing but its header is there
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("damaged after frame %d: %w: \"editcap -r IN OUT 1-%d\" keeps what is intact", count, err, count)
		}
		if !sendable(data) {
			c.skipped++
			continue
		}
		if len(c.data)+len(data) > maxCapture {
			return nil, fmt.Errorf("more than 1 GiB of frames: split it with \"editcap -c\"")
		}
		if first.IsZero() {
			first = info.Timestamp
		}
		c.add(data, info.Timestamp.Sub(first), pad)
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

// openCapture tells pcap from pcapng by the first bytes and returns what reads the next frame, valid
// until the call after it.
func openCapture(r io.Reader) (func() ([]byte, gopacket.CaptureInfo, error), error) {
	br := bufio.NewReaderSize(r, 64<<10)
	start, err := br.Peek(4)
	if err != nil {
		return nil, errors.New("not a pcap or pcapng file: too short")
	}
	switch string(start) {
	case "\x0a\x0d\x0d\x0a":
		// Interfaces of other link types are an error instead of being left out silently.
		ng, err := pcapgo.NewNgReader(br, pcapgo.NgReaderOptions{ErrorOnMismatchingLinkType: true})
		if err != nil {
			return nil, fmt.Errorf("pcapng header: %w", err)
		}
		return ng.ZeroCopyReadPacketData, checkLink(ng.LinkType())
	case "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d":
		pr, err := pcapgo.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("pcap header: %w", err)
		}
		return pr.ZeroCopyReadPacketData, checkLink(pr.LinkType())
	}
	return nil, fmt.Errorf("not a pcap or pcapng file: it starts with % x (unpack compressed files first)", start)
}

func checkLink(t layers.LinkType) error {
	if t != layers.LinkTypeEthernet {
		return fmt.Errorf("link type %d (%s): only Ethernet (1) can be replayed", t, t)
	}
	return nil
}
