package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"

	"glassnic/internal/filter"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

func port(t testing.TB, cfg nictest.Config) *nictest.Port {
	t.Helper()
	p, err := nictest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func frame(i, size int) []byte {
	f := bytes.Repeat([]byte{byte(i)}, size)
	copy(f, "frame")
	return f
}

// stored is a frame as read back.
type stored struct {
	data   []byte
	length int
	at     time.Time
}

// read reads a capture file of either format back.
func read(t *testing.T, format Format, file io.Reader) (frames []stored, snap uint32) {
	t.Helper()
	var r interface {
		LinkType() layers.LinkType
	}
	var next func() ([]byte, int, time.Time, error)
	if format == PcapNG {
		ng, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		r = ng
		i, _ := ng.Interface(0)
		snap = i.SnapLength
		next = func() ([]byte, int, time.Time, error) {
			data, ci, err := ng.ReadPacketData()
			return data, ci.Length, ci.Timestamp, err
		}
	} else {
		p, err := pcapgo.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		r, snap = p, p.Snaplen()
		next = func() ([]byte, int, time.Time, error) {
			data, ci, err := p.ReadPacketData()
			return data, ci.Length, ci.Timestamp, err
		}
	}
	if r.LinkType() != layers.LinkTypeEthernet {
		t.Errorf("link type %v", r.LinkType())
	}
	for {
		data, length, at, err := next()
		if errors.Is(err, io.EOF) {
			return frames, snap
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, stored{data, length, at})
	}
}

// TestFormats captures frames of all sizes, chained ones too, and reads them back.
func TestFormats(t *testing.T) {
	sizes := []int{0, 14, 60, 61, 62, 63, 1514, 2048, 2049, 9014, 15_000}
	for _, c := range []struct {
		format Format
		snap   int
	}{{"", 0}, {Pcap, 64}, {PcapNG, 0}, {PcapNG, 61}} {
		p := port(t, nictest.Config{Name: "p", Queues: 2})
		for i, size := range sizes {
			if p.Arrive(0, frame(i, size)) != 1 {
				t.Fatal("frame did not arrive")
			}
		}
		var file bytes.Buffer
		before := time.Now()
		total, err := Run(t.Context(), Config{Port: p, Output: &file, Format: c.format, SnapLen: c.snap, Count: uint64(len(sizes))}, nil)
		after := time.Now()
		if err != nil {
			t.Fatal(err)
		}
		frames, snap := read(t, c.format, &file)
		if len(frames) != len(sizes) {
			t.Fatalf("%+v: %d frames read back", c, len(frames))
		}
		want := c.snap
		if want == 0 {
			want = MaxSnap
		}
		if int(snap) != want {
			t.Errorf("%+v: snap length %d in the file", c, snap)
		}
		bytesStored := 0
		for i, f := range frames {
			full := frame(i, sizes[i])
			if !bytes.Equal(f.data, full[:min(len(full), want)]) || f.length != sizes[i] {
				t.Errorf("%+v: frame %d: %d of %d bytes", c, i, len(f.data), f.length)
			}
			if f.at.Before(before) || f.at.After(after) {
				t.Errorf("%+v: frame %d at %v, captured between %v and %v", c, i, f.at, before, after)
			}
			bytesStored += len(f.data)
		}
		if total.RxPackets != uint64(len(sizes)) || total.Written != total.RxPackets || int(total.Stored) != bytesStored || total.Type != "total" {
			t.Errorf("%+v: %+v", c, total)
		}
	}
}

// TestTag: a tag that a card took out of a frame is in the capture.
func TestTag(t *testing.T) {
	p := port(t, nictest.Config{Name: "p"})
	var file bytes.Buffer
	c, err := (&Config{Port: p, Output: &file}).capturer()
	if err != nil {
		t.Fatal(err)
	}
	p.Arrive(0, frame(1, 60))
	var b [1]*packet.Buf
	p.RxQueue(0).Receive(b[:])
	b[0].SetVLAN(0x2005)
	c.store(time.Now(), b[:])
	c.cache.Flush()
	if err := errors.Join(c.err, c.file.Flush()); err != nil {
		t.Fatal(err)
	}
	frames, _ := read(t, Pcap, &file)
	if f := frame(1, 60); !bytes.Equal(frames[0].data, slices.Concat(f[:12], []byte{0x81, 0, 0x20, 5}, f[12:])) {
		t.Errorf("% x", frames[0].data)
	}
}

// TestTimestamps: with it, what the card stamped has that time, and everything else the host's.
func TestTimestamps(t *testing.T) {
	card, host := time.Date(2001, 2, 3, 4, 5, 6, 789_012_345, time.UTC), time.Date(2002, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, on := range []bool{true, false} {
		p := port(t, nictest.Config{Name: "p"})
		var file bytes.Buffer
		c, err := (&Config{Port: p, Output: &file, Format: PcapNG, Timestamps: on}).capturer()
		if err != nil {
			t.Fatal(err)
		}
		p.Arrive(0, frame(1, 60))
		p.Arrive(0, frame(2, 60))
		var b [2]*packet.Buf
		p.RxQueue(0).Receive(b[:])
		b[0].SetTimestamp(card.UnixNano())
		c.store(host, b[:])
		c.cache.Flush()
		if err := errors.Join(c.err, c.file.Flush()); err != nil {
			t.Fatal(err)
		}
		first, stamped := host, uint64(0)
		if on {
			first, stamped = card, 1
		}
		frames, _ := read(t, PcapNG, &file)
		if !frames[0].at.Equal(first) || !frames[1].at.Equal(host) || c.c.stamped != stamped {
			t.Errorf("timestamps %v: times %v and %v, %d stamped", on, frames[0].at, frames[1].at, c.c.stamped)
		}
	}
}

// TestCount: no frame too many is taken out of the queues.
func TestCount(t *testing.T) {
	p := port(t, nictest.Config{Queues: 2})
	for i := range 40 {
		p.Arrive(i%2, frame(i, 60))
	}
	var file bytes.Buffer
	r, err := Run(t.Context(), Config{Port: p, Output: &file, Count: 25, Batch: 10}, nil)
	if err != nil || r.RxPackets != 25 || r.Written != 25 {
		t.Errorf("%+v, %v", r, err)
	}
	if frames, _ := read(t, Pcap, &file); len(frames) != 25 {
		t.Errorf("%d frames in the file", len(frames))
	}
	if s, _ := p.Stats(); s.RxPackets != 25 {
		t.Errorf("%d frames received", s.RxPackets)
	}
}

// TestFilter: frames that do not match are counted and not stored, and Count is of those that do.
func TestFilter(t *testing.T) {
	prog, err := filter.Compile(t.Context(), "ether[5] & 1 = 1 and greater 60", filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := port(t, nictest.Config{})
	for i := range 100 {
		f := frame(i, 59+i%2+2000*(i%4/2))
		f[5] = byte(i)
		p.Arrive(0, f)
	}
	var file bytes.Buffer
	r, err := Run(t.Context(), Config{Port: p, Output: &file, Filter: prog, Count: 40, Batch: 16}, nil)
	if err != nil || r.Written != 40 || r.RxPackets != r.Written+r.Filtered || r.Filtered < 39 || r.Filtered > 41 {
		t.Errorf("%+v, %v", r, err)
	}
	frames, _ := read(t, Pcap, &file)
	for i, f := range frames {
		if n := 2*i + 1; f.data[5] != byte(n) || f.length != 60+2000*(n%4/2) {
			t.Fatalf("frame %d: number %d of %d bytes", i, f.data[5], f.length)
		}
	}
	if len(frames) != 40 {
		t.Errorf("%d frames", len(frames))
	}
}

// TestPipe: whoever reads along sees frames before the end, and the end comes with the context.
func TestPipe(t *testing.T) {
	p := port(t, nictest.Config{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var sum, rx uint64
	done := make(chan Report)
	go func() {
		total, err := Run(ctx, Config{Port: p, Output: w, Interval: time.Millisecond}, func(r Report) {
			sum += r.Written
			rx += r.RxPackets
		})
		if err != nil {
			t.Error(err)
		}
		w.Close()
		done <- total
	}()
	in, err := pcapgo.NewReader(r) // needs the header
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p.Arrive(0, frame(i, 100))
		data, _, err := in.ReadPacketData()
		if err != nil || !bytes.Equal(data, frame(i, 100)) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	cancel()
	total := <-done
	if total.Written != 3 || sum != 3 || rx != 3 {
		t.Errorf("%+v; intervals add up to %d and %d", total, sum, rx)
	}
}

// output takes whole writes until it has room for no more.
type output struct {
	bytes.Buffer
	room int
}

var errFull = errors.New("no space left on device")

func (o *output) Write(b []byte) (int, error) {
	if o.Len()+len(b) > o.room {
		return 0, errFull
	}
	return o.Buffer.Write(b)
}

// TestOutputFails: the frames that are in the file are counted as written, all others as dropped.
func TestOutputFails(t *testing.T) {
	for _, format := range []Format{Pcap, PcapNG} {
		for _, room := range []int{0, 1000, 1 << 20} {
			p := port(t, nictest.Config{Ring: 2048})
			const n = 2000
			for i := range n {
				p.Arrive(0, frame(i, 600))
			}
			file := &output{room: room}
			r, err := Run(t.Context(), Config{Port: p, Output: file, Format: format}, nil)
			if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "capture: test: write:") {
				t.Errorf("%s, room for %d: %v", format, room, err)
			}
			s, _ := p.Stats()
			if r.RxPackets != s.RxPackets || r.RxPackets != r.Written+r.Drops[WriteFailed] {
				t.Errorf("%s, room for %d: %d received: %+v", format, room, s.RxPackets, r)
			}
			if room == 0 {
				continue
			}
			frames, _ := read(t, format, file)
			if uint64(len(frames)) != r.Written || r.Stored != r.Written*600 {
				t.Errorf("%s, room for %d: %d frames in the file: %+v", format, room, len(frames), r)
			}
			if room > 400_000 && r.Written == 0 {
				t.Errorf("%s, room for %d: nothing written", format, room)
			}
		}
	}
}

// TestMissed: what the card misses while the output blocks is reported, and stands in pcapng files.
func TestMissed(t *testing.T) {
	p := port(t, nictest.Config{Ring: 4})
	for i := range 7 { // before Run: not this capture's
		p.Arrive(0, frame(i, 60))
	}
	var file bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var missed uint64
	r, err := Run(ctx, Config{Port: p, Output: &file, Format: PcapNG, Interval: time.Millisecond}, func(r Report) {
		missed += r.Missed
		if missed == 0 {
			for range 10_000 { // faster than the worker
				p.Arrive(0, frame(0, 60))
			}
			return
		}
		cancel()
	})
	s, _ := p.Stats()
	if err != nil || r.Missed != s.RxMissed-3 || r.Missed == 0 || missed != r.Missed {
		t.Errorf("missed %d in intervals, %d by the card: %+v, %v", missed, s.RxMissed-3, r, err)
	}
	ng, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = ng.ReadPacketData()
	}
	i, err := ng.Interface(0)
	if err != nil || i.Name != "test" || i.Statistics.PacketsDropped != r.Missed || i.Statistics.PacketsReceived != r.Written+r.Missed {
		t.Errorf("interface %q: %+v, %v", i.Name, i.Statistics, err)
	}
}

// kernelPort is a port at which the kernel passes frames over.
type kernelPort struct {
	*nictest.Port
	programs [][]bpf.RawInstruction
}

func (p *kernelPort) Prefilter(program []bpf.RawInstruction) error {
	p.programs = append(p.programs, program)
	return errors.ErrUnsupported
}

// TestPrefilter: the kernel gets the filter for as long as it is of use, and what it lets pass is filtered all the same.
func TestPrefilter(t *testing.T) {
	prog, err := filter.Compile(t.Context(), "ether[5] = 1", filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &kernelPort{Port: port(t, nictest.Config{})}
	for i := range 3 {
		f := frame(i, 60)
		f[5] = byte(i)
		p.Arrive(0, f)
	}
	r, err := Run(t.Context(), Config{Port: p, Output: io.Discard, Filter: prog, Count: 1, Batch: 1}, nil)
	if err != nil || r.Written != 1 || r.Filtered != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if want := [][]bpf.RawInstruction{prog.Instructions(), nil}; !slices.EqualFunc(p.programs, want, slices.Equal) {
		t.Errorf("programs %v", p.programs)
	}
	p.Arrive(0, frame(3, 60))
	p.programs = nil
	if r, err = Run(t.Context(), Config{Port: p, Output: io.Discard, Count: 1}, nil); err != nil || r.Written != 1 || p.programs != nil {
		t.Errorf("%+v, %v, programs %v", r, err, p.programs)
	}
}
