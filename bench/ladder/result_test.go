package ladder

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

func TestResult(t *testing.T) {
	slots := []sample{
		{packets: 100, ticks: 1000, wall: 1010, calls: 200, offered: 300, missed: 190, received: 110, sent: 105, dropped: 5, arrived: 104, wrong: 1},
		{packets: 100, ticks: 3000, wall: 3030, calls: 100, offered: 300, missed: 190, received: 110, sent: 110, arrived: 110},
		{packets: 100, ticks: 2000, wall: 2020, offered: 100, received: 100, sent: 100, arrived: 100},
	}
	r := result(Rung{Name: "x"}, slots, 1e9)
	if r.TicksP10 != 10 || r.TicksPerPacket != 20 || r.TicksP90 != 20 || r.Mpps != 50 || r.SystemCalls != 1 {
		t.Errorf("%+v", r)
	}
	if r.Offered != 700 || r.Missed != 380 || r.Received != 320 || r.Sent != 315 || r.Dropped != 5 || r.Arrived != 314 || r.Wrong != 1 {
		t.Errorf("%+v", r)
	}
	if !r.CoreWasLimit {
		t.Error("the core was busy and frames were missed")
	}
	for i := range slots {
		slots[i].missed = 0
	}
	if result(Rung{}, slots, 1e9).CoreWasLimit {
		t.Error("no frame was missed")
	}
	slots[0].missed, slots[1].wall = 1, 1e6
	if result(Rung{}, slots, 1e9).CoreWasLimit {
		t.Error("the core did other things")
	}
	slots[1].wanted = 0.95e6
	if r := result(Rung{}, slots, 1e9); !r.CoreWasLimit || r.CoreShare > 0.1 || r.CoreWanted < 0.9 {
		t.Errorf("others had the core that the forwarder wanted: %+v", r)
	}
	if r := result(Rung{}, []sample{{}}, 1e9); r.TicksPerPacket != 0 || r.Mpps != 0 {
		t.Errorf("nothing was forwarded: %+v", r)
	}
}

// The names of the JSON fields are an interface.
func TestJSONNames(t *testing.T) {
	b, err := json.Marshal(Result{Skipped: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"rung", "what", "skipped", "mpps", "ticks_per_packet", "ticks_p10", "ticks_p90", "clock", "system_calls_per_packet", "copies_per_packet",
		"touches", "gives_up", "offered", "missed", "received", "sent", "dropped", "arrived", "wrong", "core_share", "core_wanted", "core_was_limit", "seconds",
	}
	for _, name := range names {
		if _, ok := m[name]; !ok {
			t.Errorf("no field %s in %s", name, b)
		}
	}
	if len(m) != len(names) {
		t.Errorf("%d fields, want %d", len(m), len(names))
	}
}

var some = []Result{
	{Rung: "recv", What: "recv & send", Mpps: 0.5, TicksPerPacket: 4000, TicksP10: 3900, TicksP90: 4100, SystemCalls: 2, Copies: 2,
		Offered: 200, Missed: 150, Received: 50, Sent: 50, Arrived: 50, CoreShare: 0.9, CoreWanted: 0.98, GivesUp: "nothing"},
	{Rung: "ovs", What: "a switch", Skipped: "left out: not installed"},
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := Table(&b, some); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if got := strings.Join(strings.Fields(lines[1]), " "); got != "recv 0.50 4000 (3900–4100) 2.00 2 75% 0.0% 90% 98%" {
		t.Error(got)
	}
	for _, want := range []string{"gives up nothing", "left out: not installed", "raw socket", "13.0 Mpps"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// The picture is well-formed and has a bar for what was measured and for each of the talk's figures.
func TestSVG(t *testing.T) {
	var b strings.Builder
	if err := SVG(&b, some); err != nil {
		t.Fatal(err)
	}
	bars, text := 0, ""
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "rect" {
				bars++
			}
		case xml.CharData:
			text += string(token)
		}
	}
	if bars != 1+len(Talk()) {
		t.Errorf("%d bars", bars)
	}
	for _, want := range []string{"recv & send", "0.50 · 4000 ticks", "libpcap"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if a, b := at(0.1), at(100); a != svgLeft || b != svgWidth-svgRight || at(1e9) != b || at(1e-9) != a {
		t.Errorf("the axis goes from %v to %v", a, b)
	}
}

func TestOptionsRefused(t *testing.T) {
	for want, o := range map[string]Options{
		`no rung "sky"`: {Rungs: []string{"recv", "sky"}},
		"two CPUs":      {CPUs: []int{1}},
		"not [1 1]":     {CPUs: []int{1, 1}},
		"slices":        {Duration: -time.Second},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v does not name %q", o, err, want)
		}
	}
}
