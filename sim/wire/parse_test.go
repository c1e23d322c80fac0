package wire

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassnic/internal/traffic"

	"github.com/gopacket/gopacket/layers"
)

func mustParse(t *testing.T, desc string) Counted {
	t.Helper()
	e, err := Parse(desc)
	if err != nil {
		t.Fatalf("%s: %v", desc, err)
	}
	return e
}

func TestParseKinds(t *testing.T) {
	for desc, want := range map[string]string{
		"none": "*wire.None", "loop": "*wire.Loop", "sink": "*wire.Sink", "discard": "*wire.Discard",
		"gen": "*wire.Source", "peer": "*wire.Peer", "impair,wire=sink": "*wire.Impair",
		"impair,lose=0.5,wire=impair,dup=1/2,wire=gen,size=60": "*wire.Impair",
	} {
		if got := fmt.Sprintf("%T", mustParse(t, desc)); got != want {
			t.Errorf("%s: %s, want %s", desc, got, want)
		}
	}
}

func TestParseSource(t *testing.T) {
	e := mustParse(t, "gen,size=60+590,rate=0,count=1k,flows=4,template=udp4,stream=5,smac=02:00:00:00:00:07,dmac=02:00:00:00:00:08,"+
		"src=10.0.0.1,dst=10.0.0.2,sport=1000,dport=2000,routed")
	got := take(e, 5000)
	if len(got) != 1000 || len(got[0].Data) != 60 || len(got[1].Data) != 590 {
		t.Fatal(len(got))
	}
	want := "\x02\x00\x00\x00\x00\x08\x02\x00\x00\x00\x00\x07\x08\x00"
	if head := string(got[3].Data[:14]); head != want {
		t.Errorf("% x", head)
	}
	if head := string(got[3].Data[26:38]); head != "\x0a\x00\x00\x01\x0a\x00\x00\x02\x03\xeb\x07\xd0" {
		t.Errorf("% x", head)
	}
	var sink Sink
	for i := range got {
		got[i].Data[22]-- // time to live, for routed
	}
	sink.Send(got)
	if got := sink.Totals(); got != (traffic.Totals{OK: 1000}) {
		t.Error(got)
	}
	s := mustParse(t, "peer,rate=14.88M,seq=no").(*Peer).from.(*Source)
	if s.cfg.Rate != 14.88e6 || s.cfg.Seq {
		t.Errorf("%+v", s.cfg)
	}
}

// Only a paced source does not wait for its port, whatever stands before it.
func TestOverruns(t *testing.T) {
	for desc, want := range map[string]bool{
		"gen": false, "gen,rate=0": false, "gen,rate=1k": true, "gen,rate=1k,wait": false, "gen,rate=1k,wait=no": true,
		"peer": false, "peer,rate=1k": true, "peer,wait,rate=1k": false, "loop": false, "sink": false, "pcap=,/dev/null": false,
		"impair,wire=peer,rate=1k": true, "impair,wire=impair,wire=gen": false, "impair,wire=impair,wire=gen,rate=1k": true,
	} {
		if got := overruns(mustParse(t, desc)); got != want {
			t.Errorf("%s: overruns %v", desc, got)
		}
	}
}

func TestParseImpair(t *testing.T) {
	m := mustParse(t, "impair,lose=0.01,bad=1/7,flip=0,dup=1,reorder=0.5,seed=9,dir=tx,wire=sink").(*Impair)
	want := Faults{Lose: Chance{P: .01}, Bad: Chance{Every: 7}, Duplicate: Chance{P: 1}, Reorder: Chance{P: .5}}
	if m.tx.faults != want || m.rx.faults != (Faults{}) {
		t.Errorf("%+v", m.tx.faults)
	}
	if m := mustParse(t, "impair,dir=rx,lose=1,wire=sink").(*Impair); m.rx.faults.Lose.P != 1 || m.tx.faults.Lose.P != 0 {
		t.Error("rx")
	}
	if m := mustParse(t, "impair,lose=1,wire=sink").(*Impair); m.rx.faults.Lose.P != 1 || m.tx.faults.Lose.P != 1 {
		t.Error("both")
	}
}

func TestParsePcap(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "out.pcap")
	if err := os.WriteFile(in, pcapFile(t, layers.LinkTypeEthernet, three...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		desc  string
		loops int
		pace  bool
		pad   bool
		out   bool
	}{
		{"pcap=" + in, 1, false, false, false},
		{"pcap=" + in + "," + out, 1, false, false, true},
		{"pcap=," + out, 1, false, false, true},
		{"pcap=" + in + ",loop,pace", -1, true, false, false},
		{"pcap=" + in + "," + out + ",pad,loop=5", 5, false, true, true},
	} {
		p := mustParse(t, test.desc).(*Pcap)
		if p.loops != test.loops || p.cfg.Pace != test.pace || p.cfg.Pad != test.pad || (p.out != nil) != test.out {
			t.Errorf("%s: %+v", test.desc, p.cfg)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for desc, want := range map[string]string{
		"":                      "tap=NAME",
		"gun":                   "peer[,KEY=VALUE...]",
		"sink,size=60":          "takes no options",
		"none,":                 "takes no options",
		"gen,":                  "unknown option: use size",
		"gen,sise=60":           "unknown option: use size",
		"gen,size=59":           "60 to 16000",
		"gen,rate=fast":         "14.88M",
		"gen,rate=-1":           "14.88M",
		"gen,rate=2G":           "up to 1e9",
		"gen,rate=NaN":          "14.88M",
		"gen,wait=perhaps":      "yes or no",
		"gen,count=1.5":         "whole number",
		"gen,count=x":           "14.88M",
		"gen,flows=x":           "invalid syntax",
		"gen,flows=-1":          "1 to 65536",
		"gen,sport=65536":       "out of range",
		"gen,seq=maybe":         "yes or no",
		"gen,smac=1":            "smac=1",
		"gen,src=1":             "src=1",
		"peer,template=udp9":    "udp4, udp6, tcp4, arp, raw",
		"tap=":                  "1 to 15 bytes",
		"tap=a/b":               "1 to 15 bytes",
		"tap=abcdefghijklmnop":  "1 to 15 bytes",
		"pcap=":                 "name a file",
		"pcap=,,":               "after the files",
		"pcap=a,b,c":            "after the files",
		"pcap=a,pace=x":         "yes or no",
		"pcap=a,loop=x":         "invalid syntax",
		"pcap=/nonexistent":     "/nonexistent",
		"impair":                "end it with wire=WIRE",
		"impair,lose=0.1":       "end it with wire=WIRE",
		"impair,lose=2,wire=no": "0.01",
		"impair,dup=1/0":        "1/100",
		"impair,dir=up":         "towards the port",
		"impair,seed=-1":        "invalid syntax",
		"impair,what=1":         "use lose",
		"impair,wire=what":      "unknown wire",
		"impair,wire=tap=":      "1 to 15 bytes",
	} {
		if e, err := Parse(desc); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %v, want %q", desc, e, err, want)
		}
	}
}

// FuzzParse opens only what touches neither files nor the kernel.
func FuzzParse(f *testing.F) {
	for _, line := range strings.Split(Usage, "\n") {
		f.Add(strings.Fields(line)[0])
	}
	for _, desc := range []string{
		"gen,size=60,rate=1M,count=10,flows=7,template=udp6", "peer,size=imix,seq=no,routed", "pcap=in,out,loop=3,pace,pad", "pcap=,out", "tap=tap0",
		"impair,lose=0.1,bad=1/3,flip=.1,dup=.1,reorder=.1,seed=1,dir=rx,wire=peer,src=10.0.0.1,smac=02:00:00:00:00:01",
	} {
		f.Add(desc)
	}
	f.Fuzz(func(t *testing.T, desc string) {
		p, err := parse(desc)
		if err != nil || strings.Contains(desc, "tap=") || strings.Contains(desc, "pcap=") {
			return
		}
		e, err := p.open()
		if err != nil {
			return
		}
		var batch [8]Frame
		for range 4 {
			n := e.Receive(batch[:])
			for i := range batch[:n] {
				batch[i] = keep(batch[i])
			}
			if k := e.Send(batch[:n]); k > n {
				t.Errorf("%d frames taken of %d", k, n)
			}
		}
		e.Up()
		e.Stats()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}
