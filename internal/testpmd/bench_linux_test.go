package testpmd

import (
	"errors"
	"strings"
	"testing"
)

// stopped is what testpmd of DPDK 22.11 prints.
const stopped = `stop
Telling cores to stop...
Waiting for lcores to finish...

  ---------------------- Forward statistics for port 0  ----------------------
  RX-packets: 868451         RX-dropped: 0             RX-total: 868451
  TX-packets: 867619         TX-dropped: 832           TX-total: 868451
  ----------------------------------------------------------------------------

  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 868451         RX-dropped: 0             RX-total: 868451
  TX-packets: 867619         TX-dropped: 832           TX-total: 868451
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

  CPU cycles/packet=1026.76 (total cycles=891691922 / total io packets=868451) at 2450 MHz Clock

Done.
testpmd> `

func TestParse(t *testing.T) {
	idle := stopped[:strings.Index(stopped, "  CPU cycles")]
	for name, c := range map[string]struct {
		out   string
		want  Figures
		fails bool
	}{
		"stopped":           {stopped, Figures{868451, 891691922, 867619}, false},
		"addresses swapped": {strings.Replace(stopped, "total io", "total macswap", 1), Figures{868451, 891691922, 867619}, false},
		"nothing came":      {idle, Figures{}, false},
		"did not run":       {"stop\nPacket forwarding not started\ntestpmd> ", Figures{}, true},
		"number too long":   {strings.Replace(stopped, "868451)", "868451868451868451868451)", 1), Figures{}, true},
	} {
		got, err := parse(c.out)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v; want %+v, failure %v", name, got, err, c.want, c.fails)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", "")
	_, err := Forward(Setup{Vdevs: []string{"net_vhost0,iface=/nowhere"}, Work: 0, Wait: 0})
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("error %v does not say how to get it", err)
	}
}

// A Forwarder does without huge pages, with as much memory.
func TestWithoutHugePages(t *testing.T) {
	f, err := Forward(Setup{Vdevs: []string{"net_null0"}, Work: 0, Wait: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Kill()
	if err := f.Go(0); err != nil {
		t.Fatal(err)
	}
	got, err := f.Pause()
	if err != nil || got.Packets == 0 || got.Sent == 0 || got.Ticks == 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
