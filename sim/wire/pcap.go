package wire

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"glassnic/internal/capfile"
)

// PcapConfig says how a capture file is replayed.
type PcapConfig struct {
	// Pace hands frames out in their captured rhythm, from the first Receive on; otherwise they are
	// always waiting. A further pass starts one mean gap after the last frame, or after a second
	// where there is one frame only.
	Pace bool
	// Loops is how often the file is played; 0 means once, negative without end.
	Loops int
	// Pad fills frames up to 60 bytes, as a sender's MAC does. Captures hold shorter ones where they
	// were taken in the sender before that, or truncated. They are handed out as captured unless
	// this is set, so that a replay can be compared byte for byte.
	Pad bool
	// Clock is as in SourceConfig, and is used with Pace only.
	Clock func() time.Duration
	// Now stamps written frames, once per Send; nil means time.Now.
	Now func() time.Time
}

// Pcap is an End on capture files: what arrives at the port was read from one, what the port sends
// is written to another, as nanosecond pcap. Without a file to write, sent frames are dropped and counted;
// so are those with the wrong FCS, and all after a write error, which Close returns.
type Pcap struct {
	counters
	cfg     PcapConfig
	capture *capture
	next    int // index of the next frame
	loops   int // passes left; negative means without end
	started bool
	start   time.Duration // clock at the start of this pass

	out   *pcapgo.Writer
	buf   *bufio.Writer
	file  io.Closer
	fault error // first write error
}

// OpenPcap opens capture files by name; an empty name means none. The file to read (pcap or pcapng
// in either byte order, link type Ethernet) is read into memory whole, at most 1 GiB of it.
func OpenPcap(in, out string, cfg PcapConfig) (*Pcap, error) {
	p := newPcap(cfg)
	if in != "" {
		f, err := os.Open(in)
		if err != nil {
			return nil, fmt.Errorf("wire: pcap: %w", err)
		}
		defer f.Close()
		if sameFile(f, out) {
			return nil, fmt.Errorf("wire: pcap %s: it cannot be read and overwritten at once: name another file to write", in)
		}
		if err := p.read(f); err != nil {
			return nil, fmt.Errorf("wire: pcap %s: %w", in, err)
		}
	}
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return nil, fmt.Errorf("wire: pcap: %w", err)
		}
		p.file = f
		if err := p.write(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("wire: pcap %s: %w", out, err)
		}
	}
	return p, nil
}

func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

// NewPcap is OpenPcap for streams; nil means none. The caller closes them, w after Close.
func NewPcap(r io.Reader, w io.Writer, cfg PcapConfig) (*Pcap, error) {
	p := newPcap(cfg)
	if r != nil {
		if err := p.read(r); err != nil {
			return nil, fmt.Errorf("wire: pcap: %w", err)
		}
	}
	if w != nil {
		if err := p.write(w); err != nil {
			return nil, fmt.Errorf("wire: pcap: %w", err)
		}
	}
	return p, nil
}

func newPcap(cfg PcapConfig) *Pcap {
	if cfg.Clock == nil {
		cfg.Clock = realTime()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	return &Pcap{cfg: cfg, capture: new(capture), loops: cfg.Loops}
}

func (p *Pcap) read(r io.Reader) error {
	c, err := readCapture(r, p.cfg.Pad)
	if err != nil {
		return err
	}
	p.capture = c
	p.dropped.Add(c.skipped)
	return nil
}

func (p *Pcap) write(w io.Writer) error {
	p.buf = bufio.NewWriterSize(w, 64<<10)
	p.out = pcapgo.NewWriterNanos(p.buf)
	if err := p.out.WriteFileHeader(capfile.MaxSnap, layers.LinkTypeEthernet); err != nil {
		return err
	}
	return p.buf.Flush() // a file that cannot be written shows now
}

// Receive implements End.
func (p *Pcap) Receive(frames []Frame) int {
	c := p.capture
	if p.loops == 0 || len(c.frames) == 0 {
		return 0
	}
	var now time.Duration
	if p.cfg.Pace {
		now = p.cfg.Clock()
		if !p.started {
			p.started, p.start = true, now
		}
	}
	n, bytes := 0, uint64(0)
	for n < len(frames) && p.loops != 0 {
		f := &c.frames[p.next]
		if p.cfg.Pace && now-p.start < f.at {
			break
		}
		data := c.data[f.start:f.end:f.end]
		frames[n] = Frame{Data: data}
		n++
		bytes += uint64(len(data))
		if p.next++; p.next == len(c.frames) {
			p.next = 0
			p.start += c.pass
			if p.loops > 0 {
				p.loops--
			}
		}
	}
	if n > 0 {
		p.rx(n, bytes)
	}
	return n
}

// Done tells whether every frame of every pass has been received.
func (p *Pcap) Done() bool { return p.loops == 0 || len(p.capture.frames) == 0 }

// Send implements End.
func (p *Pcap) Send(frames []Frame) int {
	var sent int
	var bytes uint64
	info := gopacket.CaptureInfo{Timestamp: p.cfg.Now()}
	for i := range frames {
		f := &frames[i]
		if p.out == nil || p.fault != nil || f.Bad || !sendable(f.Data) {
			continue
		}
		info.CaptureLength, info.Length = len(f.Data), len(f.Data)
		if p.fault = p.out.WritePacket(info, f.Data); p.fault != nil {
			continue
		}
		sent++
		bytes += uint64(len(f.Data))
	}
	if sent > 0 {
		p.tx(sent, bytes)
	}
	if sent < len(frames) {
		p.dropped.Add(uint64(len(frames) - sent))
	}
	return len(frames)
}

// Up implements End: always true.
func (*Pcap) Up() bool { return true }

// Close writes out what is buffered and closes the files of OpenPcap. It returns the first error of writing.
func (p *Pcap) Close() error {
	if p.buf == nil {
		return nil
	}
	if err := p.buf.Flush(); p.fault == nil {
		p.fault = err
	}
	if p.file != nil {
		if err := p.file.Close(); p.fault == nil {
			p.fault = err
		}
	}
	p.buf, p.out, p.file = nil, nil, nil
	if p.fault != nil {
		return fmt.Errorf("wire: pcap: write: %w: frames are missing from the file", p.fault)
	}
	return nil
}
