package capture

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

// bufferSize is how much is written at once, and more than the longest frame with its header.
const bufferSize = MaxSnap + 64<<10

// overhead is more than either format adds to a frame.
const overhead = 64

// file writes one capture file. Frames go to the output in whole buffers, so that none is half written
// when the output fails between two writes.
type file struct {
	buf     *bufio.Writer
	write   func(gopacket.CaptureInfo, []byte) error
	ng      *pcapgo.NgWriter // nil for pcap
	start   time.Time
	pending tally // what is in buf
	written tally // what the output has taken
}

// tally counts frames and what is stored of them.
type tally struct{ frames, bytes uint64 }

func newFile(out io.Writer, format Format, snap int, port string) (*file, error) {
	f := &file{buf: bufio.NewWriterSize(out, bufferSize), start: time.Now()}
	switch format {
	case Pcap:
		w := pcapgo.NewWriterNanos(f.buf)
		f.write = w.WritePacket
		return f, w.WriteFileHeader(uint32(snap), layers.LinkTypeEthernet)
	case PcapNG:
		// The writer's own buffer is f.buf: bufio does not wrap a buffer that is large enough.
		ng, err := pcapgo.NewNgWriterInterface(f.buf,
			pcapgo.NgInterface{Name: port, OS: runtime.GOOS, LinkType: layers.LinkTypeEthernet, SnapLength: uint32(snap)},
			pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "glassnic"}})
		if err != nil {
			return nil, err
		}
		f.ng, f.write = ng, ng.WritePacket
		return f, nil
	}
	return nil, fmt.Errorf("no format %q: use %s or %s", format, Pcap, PcapNG)
}

// add appends a frame of which data is all or the beginning.
func (f *file) add(at time.Time, data []byte, length int) error {
	if f.buf.Available() < len(data)+overhead {
		if err := f.flush(); err != nil {
			return err
		}
	}
	f.pending.frames++
	f.pending.bytes += uint64(len(data))
	return f.write(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: length}, data)
}

// flush hands what is buffered to the output.
func (f *file) flush() error {
	if f.buf.Buffered() == 0 {
		return nil
	}
	if err := f.buf.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	f.written.frames += f.pending.frames
	f.written.bytes += f.pending.bytes
	f.pending = tally{}
	return nil
}

// finish writes what pcapng has at the end: how many frames there were and how many the card missed.
func (f *file) finish(missed uint64) error {
	if f.ng == nil {
		return f.flush()
	}
	if err := f.flush(); err != nil {
		return err
	}
	now := time.Now()
	err := f.ng.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{
		LastUpdate: now, StartTime: f.start, EndTime: now,
		PacketsReceived: f.written.frames + missed, PacketsDropped: missed,
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return f.flush()
}
