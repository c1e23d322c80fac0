//go:build guest

package guest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// TestKilled kills fwd in the middle of traffic, again and again. Each time no huge page may stay allocated, and the
// next start must forward: what a card that nobody stopped still writes must not harm it.
func TestKilled(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("KILLS"))
	if err != nil {
		t.Fatal(err)
	}
	c := cards(t)
	giveBack := take(t, c[1], c[2])
	hugePages(t, pages)
	left, right := newKernelPort(t, c[0]), newKernelPort(t, c[3])
	there, back := newKernelStream(t, 1, left, right), newKernelStream(t, 2, right, left)
	run := func() (*forwarder, time.Duration) {
		begin := time.Now()
		f := start(t, nil, c[1].addr, c[2].addr, idle, "--ring=128", "--buffers=1024") // less memory for the kernel to clear
		f.lets(t, there, back)
		return f, time.Since(begin)
	}
	var sum, most time.Duration
	for range kills {
		f, took := run()
		sum, most = sum+took, max(most, took)
		there.goesOn(t, "before the kill", some())
		if err := f.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-f.done
		_ = f.cmd.Wait()
		if free := text(t, pool+"free_hugepages"); free != pages {
			t.Fatalf("%s of %s huge pages are free after a kill", free, pages)
		}
	}
	f, _ := run()
	f.end(t)
	for _, s := range []*kernelStream{there, back} {
		if n := s.stop(); n.Corrupt+n.Foreign+n.Duplicate != 0 {
			t.Errorf("%+v", n)
		}
	}
	t.Logf("%d kills; from start to traffic both ways %v on average, %v at most", kills, (sum / time.Duration(kills)).Round(time.Millisecond), most.Round(time.Millisecond))
	giveBack()
}
