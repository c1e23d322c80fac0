package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"glassnic/nic"
	"glassnic/packet"
)

func frame(i, size int) []byte {
	f := bytes.Repeat([]byte{byte(i)}, size)
	copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5")
	return f
}

// write makes a file with frames at times.
func write(t testing.TB, at []time.Duration, frames ...[]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in.pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriterNanos(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, data := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1e9, 0), CaptureLength: len(data), Length: len(data)}
		if at != nil {
			info.Timestamp = info.Timestamp.Add(at[i])
		}
		if err := w.WritePacket(info, data); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func open(t testing.TB, addr string, cfg nic.Config) *Device {
	t.Helper()
	d, err := nic.Open(t.Context(), "pcap:"+addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.(*Device)
}

// receive receives until nothing comes.
func receive(d *Device, batch int) (all [][]byte) {
	b := make([]*packet.Buf, batch)
	for n := d.rx.Receive(b); n > 0; n = d.rx.Receive(b) {
		for _, f := range b[:n] {
			all = append(all, f.AppendTo(nil))
		}
		packet.Free(b[:n])
	}
	return all
}

// TestThrough: what is read is written, byte for byte, in both formats, and other programs read it.
func TestThrough(t *testing.T) {
	var frames [][]byte
	for i, size := range []int{14, 60, 61, 1514, 2048, 2049, 9014, 60} {
		frames = append(frames, frame(i, size))
	}
	in := write(t, nil, frames...)
	for _, ext := range []string{"pcap", "pcapng"} {
		out := filepath.Join(t.TempDir(), "out."+ext)
		a := open(t, in+",loop=3", nic.Config{MTU: 9000})
		b, err := nic.Open(t.Context(), "pcap:,"+out, nic.Config{MTU: 9000})
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]*packet.Buf, 5)
		for n := a.rx.Receive(batch); n > 0; n = a.rx.Receive(batch) {
			if b.TxQueue(0).Send(batch[:n]) != n {
				t.Fatal("not all taken")
			}
		}
		if !a.Finished() {
			t.Error("not finished")
		}
		s, _ := b.Stats()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if s.TxPackets != 24 || s.TxDropped != 0 {
			t.Errorf("%+v", s)
		}
		c := open(t, out, nic.Config{MTU: 9000})
		got := receive(c, 32)
		if want := slices.Repeat(frames, 3); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: %d frames, want %d, or other bytes", ext, len(got), len(want))
		}
		readable(t, out, 24)
	}
}

// readable: tcpdump, tshark and capinfos read a file.
func readable(t *testing.T, file string, frames int) {
	t.Helper()
	for _, c := range []struct {
		tool string
		args []string
		want func(string) bool
	}{
		{"tcpdump", []string{"-n", "-r", file}, func(out string) bool { return strings.Count(out, "ethertype") == frames }},
		{"tshark", []string{"-r", file, "-T", "fields", "-e", "frame.len"}, func(out string) bool { return strings.Count(out, "\n") == frames }},
		{"capinfos", []string{"-c", "-M", "-T", "-r", file}, func(out string) bool { return strings.Contains(out, fmt.Sprintf("\t%d", frames)) }},
	} {
		out, err := exec.Command(c.tool, c.args...).Output()
		if err != nil || !c.want(string(out)) {
			t.Errorf("%s: %v: want %d frames:\n%s", c.tool, err, frames, out)
		}
	}
}

// TestRotation: sizes and numbers of files.
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		opts string
		want []string
	}{
		{"rotate=1k", []string{"o.pcap", "o.pcap1", "o.pcap2", "o.pcap3", "o.pcap4", "o.pcap5", "o.pcap6"}},
		{"rotate=1k,files=3", []string{"o.pcap0", "o.pcap1", "o.pcap2"}},
		{"", []string{"o.pcap"}},
	} {
		dir := t.TempDir()
		d := open(t, strings.TrimSuffix(","+filepath.Join(dir, "o.pcap")+","+c.opts, ","), nic.Config{})
		const n = 20
		var b [1]*packet.Buf
		for i := range n {
			if d.Info().Pool.Alloc(b[:]) == 0 || !b[0].SetBytes(frame(i, 400)) {
				t.Fatal("no buffer")
			}
			d.tx.Send(b[:])
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		var names []string
		list, _ := os.ReadDir(dir)
		frames := 0
		for _, e := range list {
			names = append(names, e.Name())
			in := open(t, filepath.Join(dir, e.Name()), nic.Config{})
			frames += len(receive(in, 8))
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: %q", c.opts, names)
		}
		if !strings.Contains(c.opts, "files") && frames != n {
			t.Errorf("%s: %d frames", c.opts, frames)
		}
	}
}

// TestPace: frames come at their times, and passes go on in the rhythm.
func TestPace(t *testing.T) {
	ms := time.Millisecond
	in := write(t, []time.Duration{0, 10 * ms, 10 * ms, 5 * ms, 30 * ms}, frame(0, 60), frame(1, 60), frame(2, 60), frame(3, 60), frame(4, 60))
	d := open(t, in+",loop=2,pace", nic.Config{})
	now := time.Unix(50, 0)
	d.rx.clock = func() time.Time { return now }
	b := make([]*packet.Buf, 8)
	var got []string
	for at := 0; at < 80; at++ {
		n := d.rx.Receive(b)
		for _, f := range b[:n] {
			got = append(got, fmt.Sprintf("%d@%d", f.Bytes()[59], at))
		}
		packet.Free(b[:n])
		now = now.Add(ms)
	}
	// A pass takes 30 ms and a mean gap of 7.5.
	want := []string{"0@0", "1@10", "2@10", "3@10", "4@30", "0@38", "1@48", "2@48", "3@48", "4@68"}
	if !slices.Equal(got, want) || !d.Finished() {
		t.Errorf("%v, finished: %v", got, d.Finished())
	}
}

// TestNoBuffers: frames wait while the pool is empty; none is lost.
func TestNoBuffers(t *testing.T) {
	var frames [][]byte
	for i := range 200 {
		frames = append(frames, frame(i, 60+i%2*3000))
	}
	d := open(t, write(t, nil, frames...), nic.Config{MTU: 9000, Buffers: 32})
	var held []*packet.Buf
	b := make([]*packet.Buf, 64)
	var got [][]byte
	for range 1000 {
		n := d.rx.Receive(b)
		for _, f := range b[:n] {
			got = append(got, f.AppendTo(nil))
		}
		held = append(held, b[:n]...)
		if n == 0 {
			packet.Free(held)
			held = nil
		}
	}
	packet.Free(held)
	if s, _ := d.Stats(); !slices.EqualFunc(got, frames, bytes.Equal) || s.RxNoBuffer == 0 || s.RxDropped != 0 || s.RxPackets != 200 {
		t.Errorf("%d frames: %+v", len(got), s)
	}
}

// TestDamaged: what is intact is received, and the port says what is wrong.
func TestDamaged(t *testing.T) {
	in := write(t, nil, frame(0, 60), frame(1, 60), frame(2, 60))
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in, data[:len(data)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, in, nic.Config{})
	if n := len(receive(d, 8)); n != 2 {
		t.Errorf("%d frames", n)
	}
	if err := d.Trouble(); !errors.Is(err, nic.ErrGone) || !strings.Contains(err.Error(), "damaged after frame 2") {
		t.Errorf("%v", err)
	}
}

func TestRefused(t *testing.T) {
	in := write(t, nil, frame(0, 60))
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no capture at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr, want string
		cfg        nic.Config
	}{
		{"", "no file to read or to write", nic.Config{}},
		{in + "," + in, "read and overwritten", nic.Config{}},
		{text, "not a pcap or pcapng file", nic.Config{}},
		{"/dev/zero", "no regular file", nic.Config{}},
		{in + "-gone", "no such file", nic.Config{}},
		{"," + in + "/x", "not a directory", nic.Config{}},
		{in, "one queue", nic.Config{RxQueues: 2}},
		{in + ",out,fast", "unknown option", nic.Config{}},
		{in + ",loop=0", "option \"loop=0\"", nic.Config{}},
		{in + ",,rotate=1M", "file to write", nic.Config{}},
		{",out,files=3", "goes with", nic.Config{}},
	} {
		d, err := nic.Open(t.Context(), "pcap:"+c.addr, c.cfg)
		if d != nil {
			t.Errorf("%q: there is a port", c.addr)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.addr, err)
		}
	}
}

// TestAllocations: reading and writing at full rate allocates nothing.
func TestAllocations(t *testing.T) {
	in := write(t, nil, slices.Repeat([][]byte{frame(0, 60), frame(1, 1514), frame(2, 600), frame(3, 60)}, 500)...)
	d := open(t, in+","+os.DevNull, nic.Config{})
	b := make([]*packet.Buf, 3)
	got := 0
	n := testing.AllocsPerRun(500, func() {
		k := d.rx.Receive(b)
		got += k
		d.tx.Send(b[:k])
	})
	if n != 0 || got != 1503 {
		t.Errorf("%v allocations for a batch, %d frames", n, got)
	}
}

// BenchmarkGaps replays a file in its rhythm and says how far the gaps between frames are from those of the file.
func BenchmarkGaps(b *testing.B) {
	const frames = 2000
	at := make([]time.Duration, frames)
	list := make([][]byte, frames)
	for i := range frames {
		if list[i] = frame(i, 200); i > 0 {
			at[i] = at[i-1] + time.Duration(100+i*37%900)*time.Microsecond
		}
	}
	in := write(b, at, list...)
	var off []time.Duration
	batch := make([]*packet.Buf, 32)
	for b.Loop() {
		d := open(b, in+",pace", nic.Config{})
		var last time.Time
		for i := 0; !d.Finished(); {
			n := d.rx.Receive(batch)
			now := time.Now()
			for range n {
				if i > 0 {
					off = append(off, (now.Sub(last) - (at[i] - at[i-1])).Abs())
				}
				last = now
				i++
			}
			packet.Free(batch[:n])
		}
	}
	slices.Sort(off)
	for _, p := range []int{50, 90, 99} {
		b.ReportMetric(float64(off[len(off)*p/100].Nanoseconds())/1000, fmt.Sprintf("µs-p%d", p))
	}
}
