package wire

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// The captures that come with gopacket go in and out unchanged, or are refused for their link type.
func TestPcapReplay(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gopacket/gopacket").Output()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "pcap*", "*.pcap*"))
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	replayed := 0
	for _, name := range names {
		in, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcapgo.NewReader(bytes.NewReader(in))
		if err != nil {
			t.Fatal(name, err)
		}
		var out bytes.Buffer
		p, err := NewPcap(bytes.NewReader(in), &out, PcapConfig{})
		if r.LinkType() != layers.LinkTypeEthernet {
			if err == nil || !strings.Contains(err.Error(), "link type") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(name, err)
		}
		for frames := take(p, 7); len(frames) > 0; frames = take(p, 7) {
			p.Send(frames)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		copied, err := pcapgo.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			want, _, errIn := r.ReadPacketData()
			got, _, errOut := copied.ReadPacketData()
			if errIn != errOut || !bytes.Equal(want, got) {
				t.Fatalf("%s: frame %d: % x %v, want % x %v", name, n, got, errOut, want, errIn)
			}
			if errIn == io.EOF {
				break
			}
			replayed++
		}
	}
	if replayed < 10 {
		t.Errorf("%d frames replayed from %v", replayed, names)
	}
}
