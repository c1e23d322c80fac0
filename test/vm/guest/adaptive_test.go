//go:build guest

package guest

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassnic/nic"
)

// TestAdaptive has `fwd --adaptive` forward between two cards a lot of frames, single ones that each have to wake it,
// and none.
func TestAdaptive(t *testing.T) {
	const many, single = 50_000, 50
	c := cards(t)
	if len(c) != 4 {
		t.Fatalf("%d cards", len(c))
	}
	giveBack := take(t, c...)
	f := forward(t, c[1].addr, c[2].addr, "--ring", strconv.Itoa(ring), "--patience", strconv.Itoa(math.MaxInt32), "--adaptive")
	ends := open(t, nic.Config{RxRing: ring}, c[0], c[3])
	ways := []*stream{newStream(t, 1, ends[0], ends[1]), newStream(t, 2, ends[1], ends[0])}
	under := f.share(t, func() { flow(t, many, ways...) })
	for i := range uint64(single) {
		time.Sleep(20 * time.Millisecond) // in which it falls asleep
		w := ways[i%2]
		flow(t, w.seen+1, w)
	}
	idle := f.share(t, func() {
		for end := f.lines.Load() + 6; f.lines.Load() < end; { // reports, one a second
			time.Sleep(10 * time.Millisecond)
		}
	})
	total := f.end(t)
	if want := uint64(2*many + single); total.RxPackets != want || total.TxPackets != want {
		t.Errorf("fwd: %+v, want %d frames", total, want)
	}
	var says struct {
		Sleeps struct{ Sleeps, Woken, Vain uint64 }
	}
	if err := json.Unmarshal(f.last, &says); err != nil {
		t.Fatal(err)
	}
	t.Logf("fwd --adaptive took %.2f of a processor under load and %.4f when idle: %+v", under, idle, says.Sleeps)
	if says.Sleeps.Woken < single/2 {
		t.Errorf("cards woke it for %d of %d single frames", says.Sleeps.Woken, single)
	}
	// It is far less, but an emulated processor is slow and its clock coarse.
	if idle > 0.1 || under < idle {
		t.Errorf("idle, it takes %.3f of a processor, under load %.3f", idle, under)
	}
	for i, d := range ends {
		ways[i].cache.Flush()
		if n := ways[i].check.Totals(); n.OK != many+single/2 || n.Frames() != n.OK {
			t.Errorf("%+v", n)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	giveBack()
}

// share is the processor time that fwd takes while do runs, of one processor.
func (f *forwarder) share(t *testing.T, do func()) float64 {
	t.Helper()
	begin, before := time.Now(), cpuTime(t, f.cmd.Process.Pid)
	do()
	return (cpuTime(t, f.cmd.Process.Pid) - before).Seconds() / time.Since(begin).Seconds()
}

// cpuTime is utime and stime of a process, which the kernel gives in hundredths of a second (proc(5)).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat := text(t, fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	sum := 0
	for _, s := range fields[11:13] {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
