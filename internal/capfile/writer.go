package capfile

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Format is a format of capture files.
type Format string

// The formats, both with times in nanoseconds.
const (
	Pcap   Format = "pcap"
	PcapNG Format = "pcapng"
)

// MaxSnap is the longest that a frame may be stored; readers of capture files refuse more.
const MaxSnap = 262144

// bufferSize is how much is written at once, and more than the longest frame with its header.
const bufferSize = MaxSnap + 64<<10

// overhead is more than either format adds to a frame.
const overhead = 64

// Settings are those of a file that is written.
type Settings struct {
	Format Format // "": Pcap
	Snap   int    // most bytes of a frame, as the header says; 0: MaxSnap
	Port   string // the name of the interface, which pcapng holds
}

// Writer writes one capture file. Frames go to the output in whole buffers, so that none is half written when the
// output fails between two writes.
type Writer struct {
	buf     *bufio.Writer
	write   func(gopacket.CaptureInfo, []byte) error
	ng      *pcapgo.NgWriter // nil for pcap
	start   time.Time
	size    int64 // bytes, those in buf too
	pending Tally // what is in buf
	written Tally // what the output has taken
}

// Tally counts frames and what is stored of them.
type Tally struct{ Frames, Bytes uint64 }

func (t *Tally) add(o Tally) {
	t.Frames += o.Frames
	t.Bytes += o.Bytes
}

// NewWriter begins a file; its header is buffered.
func NewWriter(out io.Writer, cfg Settings) (*Writer, error) {
	if cfg.Snap == 0 {
		cfg.Snap = MaxSnap
	}
	f := &Writer{buf: bufio.NewWriterSize(out, bufferSize), start: time.Now()}
	switch cfg.Format {
	case "", Pcap:
		w := pcapgo.NewWriterNanos(f.buf)
		f.write = w.WritePacket
		if err := w.WriteFileHeader(uint32(cfg.Snap), layers.LinkTypeEthernet); err != nil {
			return nil, err
		}
	case PcapNG:
		// The writer's own buffer is f.buf: bufio does not wrap a buffer that is large enough.
		ng, err := pcapgo.NewNgWriterInterface(f.buf,
			pcapgo.NgInterface{Name: cfg.Port, OS: runtime.GOOS, LinkType: layers.LinkTypeEthernet, SnapLength: uint32(cfg.Snap)},
			pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "glassnic"}})
		if err != nil {
			return nil, err
		}
		f.ng, f.write = ng, ng.WritePacket
	default:
		return nil, fmt.Errorf("no format %q: use %s or %s", cfg.Format, Pcap, PcapNG)
	}
	f.size = int64(f.buf.Buffered())
	return f, nil
}

// Add appends a frame of which data is all or the beginning, and length the length.
func (f *Writer) Add(at time.Time, data []byte, length int) error {
	if f.buf.Available() < len(data)+overhead {
		if err := f.Flush(); err != nil {
			return err
		}
	}
	f.pending.Frames++
	f.pending.Bytes += uint64(len(data))
	before := f.buf.Buffered()
	err := f.write(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: length}, data)
	f.size += int64(f.buf.Buffered() - before)
	return err
}

// Flush hands what is buffered to the output.
func (f *Writer) Flush() error {
	if f.buf.Buffered() == 0 {
		return nil
	}
	if err := f.buf.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	f.written.add(f.pending)
	f.pending = Tally{}
	return nil
}

// Written tells what the output has taken.
func (f *Writer) Written() Tally { return f.written }

// Finish writes what is left, and what pcapng has at the end: how many frames there were and how many were missed.
func (f *Writer) Finish(missed uint64) error {
	if f.ng == nil {
		return f.Flush()
	}
	if err := f.Flush(); err != nil {
		return err
	}
	now := time.Now()
	err := f.ng.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{
		LastUpdate: now, StartTime: f.start, EndTime: now,
		PacketsReceived: f.written.Frames + missed, PacketsDropped: missed,
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return f.Flush()
}
