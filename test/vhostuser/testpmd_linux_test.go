package vhostuser

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"glassnic/internal/testpmd"
	"glassnic/nic"
)

// socket is the path of a socket that a test may make: of no test's name, which may have commas.
func socket(t *testing.T) string {
	dir, err := os.MkdirTemp("", "glassnic-vhostuser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// A million frames go to DPDK's vhost port and come back, none lost, each as it was.
func TestLoopTestpmd(t *testing.T) {
	small := func(n uint64) int { return 60 + int(n%7) }
	for _, c := range []struct {
		name   string
		option string
		queues int
		cfg    nic.Config
		frames uint64
		size   func(uint64) int
	}{
		{"packed", "", 1, nic.Config{}, 1e6, small},
		{"split", ",split", 1, nic.Config{}, 1e6, small},
		{"packed 4 queues", "", 4, nic.Config{}, 250e3, small},
		{"split 4 queues", ",split", 4, nic.Config{}, 250e3, small},
		{"packed mergeable", "", 1, nic.Config{Room: 512}, 200e3, func(n uint64) int { return 60 + int(n*31%1400) }},
		{"split mergeable", ",split", 1, nic.Config{Room: 512}, 200e3, func(n uint64) int { return 60 + int(n*31%1400) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socket(t)
			testpmd.Start(t, []string{fmt.Sprintf("net_vhost0,iface=%s,queues=%d", path, c.queues)}, c.queues, "--port-topology=loop")
			l := newLoop(t, "virtio-user:"+path+c.option, c.queues, c.cfg, c.size)
			defer l.close()
			l.run(c.frames)
		})
	}
}

// DPDK's vhost port is killed in the middle of traffic, twice, and traffic goes on by itself when it is back: no
// frame is damaged, none comes twice, and no buffer is missing in the end.
func TestRestartTestpmd(t *testing.T) {
	for _, c := range []struct {
		name   string
		option string
		vdev   string
		queues int
	}{
		{"packed, connects", "", "", 1},
		{"split, listens, 4 queues", ",server,split", ",client=1", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socket(t)
			vdev := fmt.Sprintf("net_vhost0,iface=%s,queues=%d%s", path, c.queues, c.vdev)
			start := func() *testpmd.Process {
				if c.vdev == "" {
					os.Remove(path) // DPDK does not, of one that was killed
				}
				return testpmd.Start(t, []string{vdev}, c.queues, "--port-topology=loop")
			}
			p := start()
			l := newLoop(t, "virtio-user:"+path+c.option, c.queues, nic.Config{}, func(n uint64) int { return 60 + int(n%7) })
			defer l.close()
			for range 2 {
				l.run(50e3)
				frames := l.queues[0].received
				l.until("traffic goes on", func() bool { return l.queues[0].received > frames+1000 })
				p.Kill()
				l.until("the link goes down", func() bool { return !l.up() })
				l.forget()
				p = start()
				l.until("the link comes up", l.up)
			}
			l.run(50e3)
		})
	}
}
