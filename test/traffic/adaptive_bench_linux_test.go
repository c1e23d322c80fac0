package traffic

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/app/forward"
	"glassnic/nic"
)

// BenchmarkAdaptiveLoad compares adaptive workers with such that poll, in turns of 25 ms, on served cards with a
// source each: frames forwarded, and ticks a frame. Take -benchtime=500x.
func BenchmarkAdaptiveLoad(b *testing.B) {
	for _, rate := range []string{"0", "1M", "100K"} {
		b.Run("rate="+rate, func(b *testing.B) {
			served := newPorts(b)
			server := served.serve(b, "peer,rate="+rate, "peer,rate="+rate)
			var ports [2]nic.Device
			for i := range ports {
				var err error
				if ports[i], err = nic.Open(b.Context(), served.address(i), nic.Config{Port: uint8(i), Interrupts: true, Promiscuous: true}); err != nil {
					b.Fatal(err)
				}
			}
			turn := func(adaptive bool) forward.Report {
				ctx, cancel := context.WithTimeout(b.Context(), 25*time.Millisecond)
				defer cancel()
				r, err := forward.Run(ctx, forward.Config{A: ports[0], B: ports[1], Adaptive: adaptive, Touch: true}, nil)
				if err != nil {
					b.Fatal(err)
				}
				return r
			}
			var frames, ticks []float64
			for b.Loop() {
				// The order changes, since one's end may be the other's beginning.
				first := len(frames)%2 == 0
				adapt, poll := turn(first), turn(!first)
				if !first {
					adapt, poll = poll, adapt
				}
				frames = append(frames, adapt.Mpps/poll.Mpps)
				ticks = append(ticks, adapt.TicksPerPacket/poll.TicksPerPacket)
			}
			if err := nic.CloseAll(ports[:]...); err != nil {
				b.Error(err)
			}
			server.interrupt(b)
			b.ReportMetric(median(frames), "frames-ratio")
			b.ReportMetric(frames[len(frames)/4], "frames-p25")
			b.ReportMetric(frames[3*len(frames)/4], "frames-p75")
			b.ReportMetric(median(ticks), "ticks-ratio")
		})
	}
}

// BenchmarkAdaptiveCPU gives the processor time that `fwd` takes, as a share of one, when frames come now and then
// and when none come; blind without the cards' interrupts. Take -benchtime=3x, for three seconds each.
func BenchmarkAdaptiveCPU(b *testing.B) {
	for _, wire := range []string{"sink", "peer,rate=10", "peer,rate=100", "peer,rate=1K", "peer,rate=10K"} {
		for _, how := range []string{"adaptive", "blind", "polling"} {
			b.Run(wire+" "+how, func(b *testing.B) {
				served := newPorts(b)
				server := served.serve(b, wire, wire)
				args := []string{"fwd", served.address(0), served.address(1), "--cpus", "1"}
				if how != "polling" {
					args = append(args, "--adaptive")
				}
				if how == "blind" {
					files, _ := filepath.Glob(filepath.Join(served.dir, "p*", "irq*"))
					for _, f := range files {
						if err := os.Remove(f); err != nil {
							b.Fatal(err)
						}
					}
				}
				fwd := run(b, args...)
				fwd.wait(b, patience, "start", func() error {
					if len(fwd.all("interval")) < 2 {
						return fmt.Errorf("no report")
					}
					return nil
				})
				var shares []float64
				for b.Loop() {
					begin, before := time.Now(), cpuTime(b, fwd.cmd.Process.Pid)
					time.Sleep(time.Second)
					shares = append(shares, 100*(cpuTime(b, fwd.cmd.Process.Pid)-before).Seconds()/time.Since(begin).Seconds())
				}
				fwd.interrupt(b)
				server.interrupt(b)
				b.ReportMetric(median(shares), "%cpu")
				b.ReportMetric(slices.Max(shares), "%cpu-max")
			})
		}
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cpuTime is how long a process has had processors, by its clock (clock_getcpuclockid(3)).
func cpuTime(b *testing.B, pid int) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
