package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

func TestSettings(t *testing.T) {
	p := port(t, nictest.Config{})
	var out bytes.Buffer
	for want, cfg := range map[string]Config{
		"a port and an output":        {Output: &out},
		"port and an output":          {Port: p},
		"batch of -5":                 {Port: p, Output: &out, Batch: -5},
		"batch of 513":                {Port: p, Output: &out, Batch: 513},
		"snap length of 262145":       {Port: p, Output: &out, SnapLen: MaxSnap + 1},
		"snap length of -1":           {Port: p, Output: &out, SnapLen: -1},
		`format "erf": use pcap or p`: {Port: p, Output: &out, Format: "erf"},
	} {
		if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if out.Len() != 0 {
		t.Error("a refused capture wrote something")
	}
}

func TestPortGone(t *testing.T) {
	p := port(t, nictest.Config{})
	p.SetLink(nic.Link{}, nic.ErrGone)
	if _, err := Run(t.Context(), Config{Port: p, Output: io.Discard, Interval: time.Millisecond}, nil); !errors.Is(err, nic.ErrGone) {
		t.Errorf("%v", err)
	}
}

// TestNames fixes the names that programs read.
func TestNames(t *testing.T) {
	text, err := json.Marshal(Report{Type: "total", Drops: map[string]uint64{WriteFailed: 0}})
	want := `{"type":"total","seconds":0,"port":"","rx_packets":0,"rx_bytes":0,"written_packets":0,"written_bytes":0,"filtered":0,` +
		`"drops":{"write_failed":0},"missed":0,"mpps":0,"mbit_s":0,"mbit_s_framed":0}`
	if err != nil || string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestNoGoAllocations(t *testing.T) {
	if packet.Checking {
		return // remembering call sites allocates
	}
	for _, format := range []Format{Pcap, PcapNG} {
		p := port(t, nictest.Config{Room: 256})
		cfg := Config{Port: p, Output: io.Discard, Format: format}
		c, err := cfg.capturer()
		if err != nil {
			t.Fatal(err)
		}
		short, long := frame(0, 60), frame(0, 1000)
		n := testing.AllocsPerRun(500, func() {
			p.Arrive(0, short, long, short)
			c.step()
			c.step()
		})
		if n != 0 || c.c.received < 1500 || c.err != nil {
			t.Errorf("%s: %v allocations per step, %+v", format, n, c.c)
		}
		c.cache.Flush()
	}
}
