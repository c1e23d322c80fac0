package wire

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var epoch = time.Unix(1_700_000_000, 123_456_789).UTC()

type stamped struct {
	at   time.Duration
	data []byte
}

// pcapFile writes a capture file of nanosecond resolution.
func pcapFile(t testing.TB, link layers.LinkType, frames ...stamped) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(65536, link); err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		// Captured length below the frame's: truncated.
		info := gopacket.CaptureInfo{Timestamp: epoch.Add(f.at), CaptureLength: len(f.data), Length: len(f.data) + 4}
		if err := w.WritePacket(info, f.data); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func ngFile(t testing.TB, link layers.LinkType, frames ...stamped) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, link)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: epoch.Add(f.at), CaptureLength: len(f.data), Length: len(f.data)}, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bigEndian is a microsecond pcap file of one 3-byte frame.
var bigEndian = []byte("\xa1\xb2\xc3\xd4\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x01" +
	"\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x40abc")

var three = []stamped{{0, []byte("a short one")}, {time.Millisecond, bytes.Repeat([]byte{2}, 1514)}, {3 * time.Millisecond, bytes.Repeat([]byte{3}, 60)}}

func newTestPcap(t testing.TB, file []byte, cfg PcapConfig) *Pcap {
	t.Helper()
	p, err := NewPcap(bytes.NewReader(file), nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPcapRead(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap": pcapFile(t, layers.LinkTypeEthernet, three...), "pcapng": ngFile(t, layers.LinkTypeEthernet, three...),
	} {
		p := newTestPcap(t, file, PcapConfig{})
		got := take(p, 100)
		if len(got) != 3 {
			t.Fatalf("%s: %d frames", name, len(got))
		}
		for i := range got {
			if !bytes.Equal(got[i].Data, three[i].data) {
				t.Errorf("%s: frame %d is not as captured", name, i)
			}
		}
		wantStats(t, p, Stats{RxFrames: 3, RxBytes: 11 + 1514 + 60})
		if !p.Done() || !p.Up() || p.Close() != nil {
			t.Error(name)
		}
	}
	if got := take(newTestPcap(t, bigEndian, PcapConfig{}), 9); len(got) != 1 || string(got[0].Data) != "abc" {
		t.Errorf("big-endian: %v", got)
	}
	got := take(newTestPcap(t, bigEndian, PcapConfig{Pad: true}), 9)
	if len(got) != 1 || !bytes.Equal(got[0].Data, append([]byte("abc"), make([]byte, 57)...)) {
		t.Errorf("padded: %v", got)
	}
}

func TestPcapLoops(t *testing.T) {
	file := pcapFile(t, layers.LinkTypeEthernet, three...)
	for loops, want := range map[int]int{0: 3, 1: 3, 4: 12, -1: 1000} {
		p := newTestPcap(t, file, PcapConfig{Loops: loops})
		got := take(p, 1000)
		if len(got) != want || p.Done() != (loops >= 0) {
			t.Errorf("%d loops: %d frames, done %v", loops, len(got), p.Done())
		}
		if last := got[len(got)-1].Data; !bytes.Equal(last, three[(want-1)%3].data) {
			t.Errorf("%d loops: last frame is %d bytes", loops, len(last))
		}
	}
	if got := take(newTestPcap(t, pcapFile(t, layers.LinkTypeEthernet), PcapConfig{Loops: -1}), 10); len(got) != 0 {
		t.Error("an empty file has frames")
	}
}

func TestPcapPace(t *testing.T) {
	const ms = time.Millisecond
	// The third is stamped before the second: the file's order counts.
	frames := []stamped{three[0], {4 * ms, three[1].data}, {2 * ms, three[2].data}, {6 * ms, three[0].data}}
	var c fakeClock
	c.now = time.Hour
	p := newTestPcap(t, pcapFile(t, layers.LinkTypeEthernet, frames...), PcapConfig{Pace: true, Loops: 3, Clock: c.clock})
	// One pass takes 6 ms and a mean gap of 2 ms.
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {3 * ms, 0}, {ms, 2}, {ms, 0}, {ms, 1}, {2*ms - 1, 0}, {1, 1}, {6 * ms, 3}, {ms, 0}, {ms, 1}, {time.Hour, 3}, {time.Hour, 0}} {
		c.now += step.after
		if got := len(take(p, 100)); got != step.want {
			t.Errorf("at %v: %d frames, want %d", c.now-time.Hour, got, step.want)
		}
	}
}

// A pass lasts to the latest stamp, and a mean gap, also where that is not the last.
func TestPcapPass(t *testing.T) {
	for want, stamps := range map[time.Duration][]time.Duration{6: {0, 4, 2}, 3: {5, 3, 7}, 1e9: {5}} {
		var frames []stamped
		for _, at := range stamps {
			frames = append(frames, stamped{at, three[0].data})
		}
		if p := newTestPcap(t, pcapFile(t, layers.LinkTypeEthernet, frames...), PcapConfig{}); p.capture.pass != want {
			t.Errorf("%v: %v, want %v", stamps, p.capture.pass, want)
		}
	}
}

func TestPcapSkips(t *testing.T) {
	file := pcapFile(t, layers.LinkTypeEthernet, stamped{0, make([]byte, MaxFrame+1)}, stamped{0, nil}, three[1])
	p := newTestPcap(t, file, PcapConfig{})
	if got := take(p, 10); len(got) != 1 || len(got[0].Data) != 1514 {
		t.Errorf("%d frames", len(got))
	}
	wantStats(t, p, Stats{RxFrames: 1, RxBytes: 1514, Dropped: 2})
}

func TestPcapErrors(t *testing.T) {
	good := pcapFile(t, layers.LinkTypeEthernet, three...)
	ng := ngFile(t, layers.LinkTypeEthernet, three...)
	version := bytes.Clone(good)
	version[4] = 9
	for _, test := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "too short", nil},
		{"text", "not a pcap", []byte("hello world")},
		{"gzip", "unpack", []byte("\x1f\x8b\x08\x00")},
		{"header only in part", "header", good[:20]},
		{"version", "header", version},
		{"loopback", "link type 0", pcapFile(t, layers.LinkTypeNull, three...)},
		{"wifi", "link type 105", ngFile(t, layers.LinkTypeIEEE802_11, three...)},
		{"cut in a frame", "damaged after frame 2", good[:len(good)-1]},
		{"cut after a frame's header", "damaged after frame 2", good[:len(good)-60]},
		{"cut in a frame's header", "damaged after frame 2", good[:len(good)-61]},
		{"pcapng cut", "damaged after frame 2", ng[:len(ng)-1]},
	} {
		if _, err := NewPcap(bytes.NewReader(test.file), nil, PcapConfig{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "x.pcap")
	if err := os.WriteFile(name, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ in, out, want string }{
		{filepath.Join(dir, "missing"), "", "missing"},
		{name, name, "read and overwritten"},
		{"", filepath.Join(dir, "no/such/dir"), "no/such/dir"},
		{"", "/dev/full", "/dev/full: write"},
		{"pcap_test.go", "", "pcap_test.go: not a pcap"},
	} {
		if p, err := OpenPcap(test.in, test.out, PcapConfig{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: %v %v, want %q", test.in, test.out, p, err, test.want)
		}
	}
	if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, good) {
		t.Error("the file to read was changed", err)
	}
}

func TestPcapWrite(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, ngFile(t, layers.LinkTypeEthernet, three...), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPcap(in, out, PcapConfig{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	p.Send(take(p, 10))
	if n := p.Send([]Frame{{Data: make([]byte, 60), Bad: true}, {}, frameOf(MaxFrame, 4)}); n != 3 {
		t.Error(n)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.Send([]Frame{frameOf(60, 1)}) // after Close
	wantStats(t, p, Stats{RxFrames: 3, RxBytes: 1585, TxFrames: 4, TxBytes: 1585 + MaxFrame, Dropped: 3})

	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil || r.LinkType() != layers.LinkTypeEthernet || r.Resolution() != gopacket.TimestampResolutionNanosecond {
		t.Fatal(r, err)
	}
	for _, want := range append(three, stamped{0, frameOf(MaxFrame, 4).Data}) {
		data, info, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(data, want.data) || !info.Timestamp.Equal(epoch) || info.Length != len(want.data) {
			t.Errorf("%d bytes %v %v, want %d bytes", len(data), info, err, len(want.data))
		}
	}
}

type failingWriter struct{ room int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestPcapWriteError(t *testing.T) {
	p, err := NewPcap(nil, &failingWriter{room: 100_000}, PcapConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		p.Send([]Frame{frameOf(1514, 1)})
	}
	s := p.Stats()
	if s.TxFrames+s.Dropped != 200 || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
}

func FuzzPcap(f *testing.F) {
	f.Add(pcapFile(f, layers.LinkTypeEthernet, three...))
	f.Add(ngFile(f, layers.LinkTypeEthernet, three...))
	f.Add(bigEndian)
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := NewPcap(bytes.NewReader(file), nil, PcapConfig{})
		if err != nil {
			return
		}
		n := uint64(len(take(p, 1000)))
		if !p.Done() && n < 1000 || p.Stats().RxFrames != n {
			t.Errorf("%d frames, %+v", n, p.Stats())
		}
	})
}
