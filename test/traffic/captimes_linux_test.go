package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"glassnic/nic"
	"glassnic/packet"
)

// TestCaptureTimes: what cap stores at an interface of the kernel has the kernel's times, to the nanosecond those that
// tcpdump stores beside it. That cap has the kernel take them, as tcpdump does for all, is what TestStampedOnce in
// driver/afpacket finds out.
func TestCaptureTimes(t *testing.T) {
	need(t, "ip", "tcpdump")
	const n = 50
	near, far := newNamespace(t), newNamespace(t)
	near.quiet(t)
	far.quiet(t)
	veth(t, near, "near", far, "far", 1500, 1)
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours.pcap"), filepath.Join(dir, "theirs.pcap")
	capture := runWith(t, far.start, "cap", "packet:far", "--timestamps", "-U", "-c", fmt.Sprint(n), "-w", ours)
	dump := far.command(t.Context(), "tcpdump", "-i", "far", "-Z", "root", "--time-stamp-precision=nano", "-U", "-c", fmt.Sprint(n), "-w", theirs)
	var said bytes.Buffer
	dump.Stderr = &said
	if err := far.start(dump); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{ours, theirs} { // the header is written when the socket is open
		eventually(t, patience, file, func() error {
			s, err := os.Stat(file)
			if err == nil && s.Size() < 24 {
				err = errors.New("empty")
			}
			return err
		})
	}
	port := near.open(t, "packet:near", nic.Config{})
	before := time.Now()
	for i := range n {
		frame := make([]byte, 60+i)
		copy(frame, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
		var b [1]*packet.Buf
		if port.Info().Pool.Alloc(b[:]) != 1 || !b[0].SetBytes(frame) || port.TxQueue(0).Send(b[:]) != 1 {
			t.Fatal("not sent")
		}
	}
	capture.finish(t)
	if err := dump.Wait(); err != nil {
		t.Fatalf("tcpdump: %v\n%s", err, said.String())
	}
	after := time.Now()
	a, b := times(t, ours), times(t, theirs)
	if len(a) != n || len(b) != n {
		t.Fatalf("%d frames, tcpdump stored %d, want %d", len(a), len(b), n)
	}
	last := before.Round(0)
	for i := range a {
		if a[i] != b[i] || a[i].at.Before(last) || a[i].at.After(after) {
			t.Errorf("frame %d: %v, tcpdump %v, the one before at %v", i, a[i], b[i], last)
		}
		last = a[i].at
	}
	if total := capture.all("total"); len(total) != 1 || total[0].Stamped != n {
		t.Errorf("totals %+v", total)
	}
}

// stored is when a frame came, and how long it was.
type stored struct {
	at   time.Time
	size int
}

func times(t *testing.T, file string) (all []stored) {
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
		_, info, err := r.ReadPacketData()
		if err != nil {
			return all
		}
		all = append(all, stored{info.Timestamp.UTC(), info.Length})
	}
}
