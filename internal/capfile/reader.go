// Package capfile reads and writes capture files of Ethernet frames, in the formats pcap and pcapng.
package capfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Reader reads a capture file from its beginning to its end.
type Reader struct {
	next  func() ([]byte, gopacket.CaptureInfo, error)
	count int
}

// NewReader tells pcap from pcapng, in either byte order, by the first bytes. Interfaces of another kind than Ethernet
// are an error.
func NewReader(r io.Reader) (_ *Reader, err error) {
	defer func() { err = recovered(recover(), err) }()
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
		return &Reader{next: ng.ZeroCopyReadPacketData}, checkLink(ng.LinkType())
	case "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d":
		pr, err := pcapgo.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("pcap header: %w", err)
		}
		return &Reader{next: pr.ZeroCopyReadPacketData}, checkLink(pr.LinkType())
	}
	return nil, fmt.Errorf("not a pcap or pcapng file: it starts with % x (unpack compressed files first)", start)
}

func checkLink(t layers.LinkType) error {
	if t != layers.LinkTypeEthernet {
		return fmt.Errorf("link type %d (%s): only Ethernet (1) can be replayed", t, t)
	}
	return nil
}

// Each calls f with each frame that follows, until f returns false, which the end of the file is not: then it returns
// io.EOF. The bytes are valid until f returns. After another error, which says how many frames are intact, the
// reader is of no more use.
func (r *Reader) Each(f func(data []byte, info gopacket.CaptureInfo) bool) (err error) {
	// The readers are not ours, and files come from anywhere.
	defer func() {
		if err = recovered(recover(), err); err != nil && err != io.EOF {
			err = fmt.Errorf("damaged after frame %d: %w: \"editcap -r IN OUT 1-%d\" keeps what is intact", r.count, err, r.count)
		}
	}()
	for {
		data, info, err := r.next()
		if err == io.EOF && info.CaptureLength != 0 { // of the pcap reader, where a frame's header is all that there is
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		r.count++
		if !f(data, info) {
			return nil
		}
	}
}

// recovered turns a panic into an error.
func recovered(p any, err error) error {
	if p != nil {
		return fmt.Errorf("%v", p)
	}
	return err
}
