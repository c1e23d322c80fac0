package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"glassnic/internal/testpmd"
)

// inject is how many bursts of frames the partner sends at the begin of a slice: more than the rings hold, so that as many
// circulate in each slice.
const inject = 32

// figures are what an end counted: packets that it received, and ticks of the turns that received some.
type figures = testpmd.Figures

// seat is one end of a connection.
type seat interface {
	Go(bursts int) error // begins to send back what comes, after so many bursts of its own
	Pause() (figures, error)
	close() error
}

// Vhost measures both roles of a vhost-user port, ours and DPDK's dpdk-testpmd by turns, with a dpdk-testpmd as
// partner: each end sends back what it gets, so that frames of 64 bytes circulate. It calls report for each result as
// soon as it is known. The garbage collector is off meanwhile. It fails with testpmd.ErrMissing where there is no
// testpmd.
func Vhost(ctx context.Context, opt VhostOptions, report func(VhostResult)) error {
	opt, err := opt.defaults()
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, role := range opt.Roles {
		for _, set := range allRings {
			if !slices.Contains(opt.Rings, set.name) {
				continue
			}
			results, err := compareEnds(ctx, opt, role, set)
			if err != nil {
				return fmt.Errorf("bench: %s, %s: %w", role, set.name, err)
			}
			for _, r := range results {
				report(r)
			}
		}
	}
	return nil
}

// circle is a connection around which frames go.
type circle struct {
	name         string
	end, partner seat
	mpps         []float64 // by round
	ticks        []float64
	partnerTicks []float64
	packets      uint64
}

// compareEnds alternates between the ends of one role.
func compareEnds(ctx context.Context, opt VhostOptions, role string, set rings) (_ []VhostResult, err error) {
	dir, err := os.MkdirTemp("", "glassnic-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	huge := testpmd.Huge(2*len(opt.Ends) - 1)
	var circles []*circle
	defer func() {
		for _, c := range circles {
			err = errors.Join(err, c.close())
		}
	}()
	for _, name := range opt.Ends {
		c := &circle{name: name}
		circles = append(circles, c)
		b := builder{ctx, filepath.Join(dir, name), set, huge, opt.CPUs}
		if role == RoleDriver {
			err = b.driver(c)
		} else {
			err = b.device(c)
		}
		if err != nil {
			return nil, err
		}
	}
	runtime.GC()
	for round := -1; round < opt.Rounds; round++ {
		for k := range circles {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c := circles[(k+round+1)%len(circles)]
			if err := c.measure(opt.Slice, round >= 0); err != nil { // the first round only warms up
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return results(circles, role, set, huge), nil
}

// builder makes the two ends of a connection.
type builder struct {
	ctx  context.Context
	path string
	set  rings
	huge bool
	cpus []int // the end's, the partner's
}

// driver has the driver's end measured. The device's end listens.
func (b *builder) driver(c *circle) (err error) {
	if c.partner, err = b.testpmd("net_vhost0,iface="+b.path, b.cpus[1], b.cpus[0]); err != nil {
		return err
	}
	if c.name == EndGlassnic {
		c.end, err = openEnd(b.ctx, "virtio-user:"+b.path+b.set.ours, b.cpus[0])
	} else {
		c.end, err = b.testpmd("net_virtio_user0,path="+b.path+b.set.dpdk, b.cpus[0], b.cpus[1])
	}
	return err
}

// device has the device's end measured.
func (b *builder) device(c *circle) (err error) {
	if c.name == EndGlassnic {
		c.end, err = openEnd(b.ctx, "vhost-user:"+b.path, b.cpus[0])
	} else {
		c.end, err = b.testpmd("net_vhost0,iface="+b.path, b.cpus[0], b.cpus[1])
	}
	if err != nil {
		return err
	}
	c.partner, err = b.testpmd("net_virtio_user0,path="+b.path+b.set.dpdk, b.cpus[1], b.cpus[0])
	return err
}

// forwarder is DPDK's testpmd as a seat.
type forwarder struct{ *testpmd.Forwarder }

func (f forwarder) close() error {
	f.Kill()
	return nil
}

func (b *builder) testpmd(vdev string, work, wait int) (seat, error) {
	f, err := testpmd.Forward(testpmd.Setup{Vdevs: []string{vdev}, Huge: b.huge, Work: work, Wait: wait})
	if err != nil {
		return nil, err // no seat, and not one that is nil
	}
	return forwarder{f}, nil
}

// close takes the end first: it ends in order, and its partner is killed.
func (c *circle) close() error {
	var errs []error
	for _, s := range []seat{c.end, c.partner} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// measure lets frames go round for a slice.
func (c *circle) measure(slice time.Duration, keep bool) error {
	if err := c.end.Go(0); err != nil {
		return err
	}
	if err := c.partner.Go(inject); err != nil {
		return err
	}
	begin := time.Now()
	time.Sleep(slice)
	took := time.Since(begin)
	theirs, err := c.partner.Pause()
	if err != nil {
		return err
	}
	ours, err := c.end.Pause()
	if err != nil {
		return err
	}
	if !keep {
		return nil
	}
	if ours.Packets == 0 || theirs.Packets == 0 {
		return fmt.Errorf("%d frames came to the end, and %d to its partner: nothing goes round", ours.Packets, theirs.Packets)
	}
	c.packets += ours.Packets
	c.mpps = append(c.mpps, float64(theirs.Packets)/float64(took.Microseconds()))
	c.ticks = append(c.ticks, float64(ours.Ticks)/float64(ours.Packets))
	c.partnerTicks = append(c.partnerTicks, float64(theirs.Ticks)/float64(theirs.Packets))
	return nil
}

func results(circles []*circle, role string, set rings, huge bool) (all []VhostResult) {
	var dpdk *circle
	for _, c := range circles {
		if c.name == EndDPDK {
			dpdk = c
		}
	}
	for _, c := range circles {
		r := VhostResult{Role: role, Rings: set.name, End: c.name, Packets: c.packets, HugePages: huge}
		for _, v := range []struct {
			of            []float64
			p10, p50, p90 *float64
		}{
			{c.mpps, &r.MppsP10, &r.MppsP50, &r.MppsP90},
			{c.ticks, &r.TicksP10, &r.TicksP50, &r.TicksP90},
			{c.partnerTicks, &r.PartnerTicksP10, &r.PartnerTicksP50, &r.PartnerTicksP90},
		} {
			*v.p10, *v.p50, *v.p90 = percentile(v.of, 10), percentile(v.of, 50), percentile(v.of, 90)
		}
		if dpdk != nil && c != dpdk {
			r.MppsOfDPDK = medianRatio(c.mpps, dpdk.mpps)
			r.TicksOfDPDK = medianRatio(c.ticks, dpdk.ticks)
			r.PartnerTicksOfDPDK = medianRatio(c.partnerTicks, dpdk.partnerTicks)
		}
		all = append(all, r)
	}
	return all
}
