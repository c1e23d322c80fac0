package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"glassnic/nic"
)

// minFrame is what a sender pads frames to, and the least that a receiver takes (datasheet 8.2.3.22.8,
// HLREG0.TXPADEN; 8.2.3.23.9, RUC).
const minFrame = 60

// TestCaptures replays every capture of the gopacket module.
func TestCaptures(t *testing.T) {
	need(t, "tcpdump", "tshark")
	dir := strings.TrimSpace(command(t, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gopacket/gopacket"))
	files, err := filepath.Glob(filepath.Join(dir, "pcap", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures in %s: %v", dir, err)
	}
	replayed := 0
	for _, file := range files {
		frames, link := readPcap(t, file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			if link != layers.LinkTypeEthernet {
				testRefused(t, file)
				return
			}
			replayed++
			testReplay(t, file, frames, replay{mtu: 1500, loops: 1})
			// Often enough that the rings go round and batches are full.
			testReplay(t, file, frames, replay{mtu: 1500, loops: 1000})
		})
	}
	if replayed < 2 {
		t.Errorf("%d Ethernet captures of %d", replayed, len(files))
	}
}

// testRefused: a card has an Ethernet port.
func testRefused(t *testing.T, file string) {
	dev, err := nic.Open(t.Context(), "sim:pcap="+file, nic.Config{})
	if err == nil {
		dev.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "Ethernet") {
		t.Errorf("opened, or refused for another reason: %v", err)
	}
}

// TestMadeCapture replays frames of all sizes, also such as a card must drop.
func TestMadeCapture(t *testing.T) {
	need(t, "tcpdump", "tshark")
	file := filepath.Join(t.TempDir(), "made.pcap")
	frames := writePcap(t, file)
	for _, mtu := range []int{1500, 9000, 9710} {
		t.Run(fmt.Sprintf("mtu %d", mtu), func(t *testing.T) {
			testReplay(t, file, frames, replay{mtu: mtu, loops: 20})
		})
		t.Run(fmt.Sprintf("mtu %d without padding", mtu), func(t *testing.T) {
			testReplay(t, file, frames, replay{mtu: mtu, loops: 20, bare: true})
		})
	}
}

// replay says how a file is replayed.
type replay struct {
	mtu, loops int
	bare       bool // short frames come as they are in the file, instead of padded as a sender's MAC does
}

// fate says what becomes of a frame: "" when it comes out, else the counter that has it.
func (r *replay) fate(frame []byte) string {
	// Without jumbo frames 1518 bytes with FCS, else what the driver makes of the MTU: room for one tag;
	// in both cases 4 more for a frame that has one (datasheet 8.2.3.22.8, 8.2.3.22.13).
	longest := 1518 - 4
	if r.mtu > 1500 {
		longest = r.mtu + 14 + 4
	}
	if len(frame) > 14 && frame[12] == 0x81 && frame[13] == 0 {
		longest += 4
	}
	switch {
	case len(frame) < minFrame && r.bare:
		return "RUC"
	case len(frame) > longest:
		return "ROC"
	}
	return ""
}

// expect returns what comes out, padded with zeros to 60 bytes, and how many frames have which other fate.
func (r *replay) expect(frames [][]byte) (want [][]byte, drops map[string]uint64) {
	drops = map[string]uint64{}
	for _, f := range frames {
		if why := r.fate(f); why != "" {
			drops[why]++
			continue
		}
		want = append(want, append(f[:len(f):len(f)], make([]byte, max(0, minFrame-len(f)))...))
	}
	return want, drops
}

// testReplay sends a file through wire, card, driver, forward, driver, card, wire, to another file, and
// compares the two byte for byte, in order.
func testReplay(t *testing.T, file string, frames [][]byte, r replay) {
	want, drops := r.expect(frames)
	total := uint64(r.loops * len(want))

	result := filepath.Join(t.TempDir(), "result.pcap")
	address := fmt.Sprintf("sim:pcap=%s,loop=%d", file, r.loops)
	if !r.bare {
		address += ",pad"
	}
	// Room is whole KiB of buffer (datasheet 8.2.3.8.7), in which any frame fits: one that needs two descriptors is dropped
	// where there is one, however long its wire would wait (DROP_EN).
	cfg := nic.Config{MTU: r.mtu, Promiscuous: true, Buffers: 16384, Room: 10240}
	out := openPort(t, "sim:pcap=,"+result, cfg)
	cfg.Pool = out.Info().Pool
	in := openPort(t, address, cfg)
	f := startForward(t, in, out, true)
	eventually(t, patience, "replay", func() error {
		a, b, err := f.account(0)
		if err == nil && b.TxPackets < total {
			err = fmt.Errorf("%d of %d frames came out; %d were received, %d missed, %d refused, forward dropped %v", b.TxPackets, total, a.RxPackets, a.RxMissed, a.RxErrors, f.direction(0).Drops)
		}
		return err
	})
	f.stop(t)
	stats, err := in.Stats()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range stats.Counters {
		if n := drops[c.Name] * uint64(r.loops); (c.Name == "RUC" || c.Name == "ROC" || c.Name == "RLEC" || c.Name == "CRCERRS") && c.Value != n {
			t.Errorf("%s is %d, want %d", c.Name, c.Value, n)
		}
	}
	if err := errors.Join(in.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}

	got, _ := readPcap(t, result)
	if uint64(len(got)) != total {
		t.Fatalf("%d frames in the file, want %d", len(got), total)
	}
	for i := range got {
		if w := want[i%len(want)]; !bytes.Equal(got[i], w) {
			t.Fatalf("frame %d has %d bytes, want %d, and differs from byte %d on", i, len(got[i]), len(w), common(got[i], w))
		}
	}
	testReadable(t, result, int(total))
}

// common is how many bytes from the start are the same.
func common(a, b []byte) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// TestCaptureInParts replays frames longer than a buffer. A card drops them where too few descriptors are
// free; those that come out are whole, in order, and all but those counted.
func TestCaptureInParts(t *testing.T) {
	const loops = 200
	dir := t.TempDir()
	file, result := filepath.Join(dir, "made.pcap"), filepath.Join(dir, "result.pcap")
	r := replay{mtu: 9000, loops: loops}
	want, _ := r.expect(writePcap(t, file))
	cfg := nic.Config{MTU: r.mtu, Promiscuous: true, Buffers: 8192}
	out := openPort(t, "sim:pcap=,"+result, cfg)
	cfg.Pool = out.Info().Pool
	in := openPort(t, fmt.Sprintf("sim:pcap=%s,loop=%d,pad", file, loops), cfg)
	f := startForward(t, in, out, true)
	total, missed := uint64(loops*len(want)), uint64(0)
	eventually(t, patience, "replay", func() error {
		a, b, err := f.account(0)
		if missed = a.RxMissed; err == nil && b.TxPackets+missed != total {
			err = fmt.Errorf("%d frames came out, %d were missed, of %d", b.TxPackets, missed, total)
		}
		return err
	})
	f.stop(t)
	if err := errors.Join(in.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	got, _ := readPcap(t, result)
	if uint64(len(got))+missed != total {
		t.Errorf("%d frames in the file, %d missed, of %d", len(got), missed, total)
	}
	next := 0
	for i, frame := range got {
		for next < loops*len(want) && !bytes.Equal(frame, want[next%len(want)]) {
			next++
		}
		if next == loops*len(want) {
			t.Fatalf("frame %d of %d bytes is none of those sent after the one before", i, len(frame))
		}
		next++
	}
	t.Logf("%d frames came out, %d were missed", len(got), missed)
}

// testReadable has others count the frames of a file.
func testReadable(t *testing.T, file string, want int) {
	t.Helper()
	for _, cmd := range [][]string{
		{"tcpdump", "-n", "-t", "-q", "-r", file}, {"tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.number"},
	} {
		if got := strings.Count(command(t, cmd[0], cmd[1:]...), "\n"); got < want || cmd[0] == "tshark" && got != want {
			t.Errorf("%s reads %d frames, want %d", cmd[0], got, want)
		}
	}
	if _, err := exec.LookPath("capinfos"); err != nil {
		return
	}
	out := command(t, "capinfos", "-M", "-T", "-r", "-c", file)
	if f := strings.Fields(out); len(f) == 0 || f[len(f)-1] != fmt.Sprint(want) {
		t.Errorf("capinfos reads %q, want %d frames", out, want)
	}
}

// readPcap reads a file with gopacket's reader.
func readPcap(t *testing.T, file string) (frames [][]byte, link layers.LinkType) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ReadPacketData()
		if err == io.EOF {
			return frames, r.LinkType()
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, data)
	}
}

// writePcap makes a file with frames around all limits and of random sizes, some with a VLAN tag.
func writePcap(t *testing.T, file string) (frames [][]byte) {
	t.Helper()
	rnd := rand.NewChaCha8([32]byte{8, 2, 5, 9, 9})
	sizes := []int{14, 17, 42, 59, 60, 61, 64, 1513, 1514, 1515, 1518, 1519, 2047, 2048, 2049, 4096, 9013, 9014, 9018, 9022, 9023, 9026, 9027, 9728, 9732, 9736, 9737}
	n := rand.New(rnd)
	for range 173 {
		sizes = append(sizes, 14+n.IntN(1501))
	}
	for i, size := range sizes {
		for _, tag := range []string{"", "\x81\x00"} {
			b := make([]byte, size)
			_, _ = rnd.Read(b)
			b[0] &^= 1 // to one station
			copy(b[12:], "\x88\xb5")
			copy(b[12:], tag)
			if i%7 == 0 {
				copy(b, "\xff\xff\xff\xff\xff\xff")
			}
			frames = append(frames, b)
		}
	}
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	err := w.WriteFileHeader(262144, layers.LinkTypeEthernet)
	for i, b := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(b), Length: len(b)}
		err = errors.Join(err, w.WritePacket(info, b))
	}
	if err = errors.Join(err, os.WriteFile(file, out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	return frames
}
