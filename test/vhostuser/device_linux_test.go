package vhostuser

import (
	"fmt"
	"os"
	"testing"
	"time"

	"glassnic/internal/testpmd"
	"glassnic/nic"
)

// virtioUser is DPDK's virtio driver, as its --vdev has it, on the socket of one of our ports.
func virtioUser(path, options string, queues int) []string {
	return []string{fmt.Sprintf("net_virtio_user0,path=%s,queues=%d%s", path, queues, options)}
}

// narrow keeps fewer frames under way than DPDK's driver has buffers for.
func (l *loop) narrow() *loop {
	for _, q := range l.queues {
		q.window = min(q.window, 128)
	}
	return l
}

// attached waits until the driver at our device end uses all of its rings. Nothing is sent before: frames of queues
// without a ring go to others.
func (l *loop) attached() {
	l.t.Helper()
	for begin := time.Now(); l.rings() < 2*len(l.queues); time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			l.t.Fatalf("%d rings are in use after %v, want %d; trouble: %v", l.rings(), patience, 2*len(l.queues), l.port.(nic.Watched).Trouble())
		}
	}
	if !l.up() {
		l.t.Fatal("rings are in use, and the link is down")
	}
}

// rings is how many rings the driver at our device end uses.
func (l *loop) rings() int {
	l.t.Helper()
	s, err := l.port.Stats()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range s.Counters {
		if c.Name == "session_rings" {
			return int(c.Value)
		}
	}
	l.t.Fatal("no counter of rings")
	return 0
}

// A million frames go through our device end to DPDK's virtio driver and come back, none lost, each as it was.
func TestLoopVirtioUser(t *testing.T) {
	small := func(n uint64) int { return 60 + int(n%7) }
	for _, c := range []struct {
		name    string
		options string
		queues  int
		cfg     nic.Config
		frames  uint64
		size    func(uint64) int
	}{
		{"packed", ",packed_vq=1", 1, nic.Config{}, 1e6, small},
		{"split", "", 1, nic.Config{}, 1e6, small},
		{"packed 4 queues", ",packed_vq=1", 4, nic.Config{}, 250e3, small},
		{"split 4 queues", "", 4, nic.Config{}, 250e3, small},
		{"split, not mergeable, not in order", ",mrg_rxbuf=0,in_order=0", 1, nic.Config{}, 100e3, func(n uint64) int { return 60 + int(n*31%1400) }},
		{"packed, not mergeable, vectorized", ",packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1", 1, nic.Config{}, 100e3, func(n uint64) int { return 60 + int(n*31%1400) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socket(t)
			c.cfg.LinkWait = -1
			l := newLoop(t, "vhost-user:"+path, c.queues, c.cfg, c.size).narrow()
			defer l.close()
			testpmd.Start(t, virtioUser(path, c.options, c.queues), c.queues, "--port-topology=loop")
			l.attached()
			l.run(c.frames)
		})
	}
}

// DPDK's virtio driver is killed in the middle of traffic, twice, and traffic goes on by itself when it is back; our end
// listens and connects.
func TestRestartVirtioUser(t *testing.T) {
	for _, c := range []struct {
		name    string
		option  string
		options string
		queues  int
	}{
		{"packed, listens", "", ",packed_vq=1", 1},
		{"split, connects, 4 queues", ",client", ",server=1", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socket(t)
			l := newLoop(t, "vhost-user:"+path+c.option, c.queues, nic.Config{LinkWait: -1}, func(n uint64) int { return 60 + int(n%7) }).narrow()
			defer l.close()
			for range 3 {
				if c.option != "" {
					os.Remove(path) // DPDK does not, of one that was killed
				}
				p := testpmd.Start(t, virtioUser(path, c.options, c.queues), c.queues, "--port-topology=loop")
				l.attached()
				l.run(50e3)
				frames := l.queues[0].received
				l.until("traffic goes on", func() bool { return l.queues[0].received > frames+1000 })
				p.Kill()
				l.until("the link goes down", func() bool { return !l.up() })
				l.forget()
			}
		})
	}
}
