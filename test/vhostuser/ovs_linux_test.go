package vhostuser

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/packet"
)

// openVSwitch is an Open vSwitch with the user-space datapath, its own database and its own network namespace.
type openVSwitch struct {
	t    *testing.T
	root string // where its packages are unpacked
	dir  string // all that it makes
	proc *exec.Cmd
	log  bytes.Buffer
}

// unpack has the packages of Open vSwitch in a directory of its own: installed, they would start a service.
func unpack(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(cache, "glassnic", "ovs")
	if _, err := os.Stat(root); err == nil {
		return root
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(part, 0o777); err != nil {
		t.Fatal(err)
	}
	script := "apt-get -q download openvswitch-common openvswitch-switch openvswitch-switch-dpdk libxdp1 && for d in *.deb; do dpkg -x $d . || exit 1; done && rm *.deb"
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = part
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	if err := os.Rename(part, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// hugePages has so many free huge pages of 2 MiB, which Open vSwitch cannot do without, until the end of the test.
func hugePages(t *testing.T, n int) {
	t.Helper()
	const pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
	read := func(name string) int {
		b, err := os.ReadFile(pool + name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	free, all := read("free_hugepages"), read("nr_hugepages")
	if free >= n {
		return
	}
	set := func(v int) {
		if err := os.WriteFile(pool+"nr_hugepages", []byte(strconv.Itoa(v)), 0); err != nil {
			t.Fatalf("%d huge pages are free, want %d: as root: echo %d > %snr_hugepages: %v", free, n, v, pool, err)
		}
	}
	set(all + n - free)
	t.Cleanup(func() { set(all) })
	if got := read("free_hugepages"); got < n {
		t.Fatalf("%d huge pages are free, want %d: memory is too scattered", got, n)
	}
}

func newOpenVSwitch(t *testing.T) *openVSwitch {
	t.Helper()
	hugePages(t, 240)
	s := &openVSwitch{t: t, root: unpack(t), dir: filepath.Dir(socket(t))}
	s.run("usr/bin/ovsdb-tool", "create", s.path("conf.db"), filepath.Join(s.root, "usr/share/openvswitch/vswitch.ovsschema"))
	db := s.start("usr/sbin/ovsdb-server", nil, "--remote=punix:"+s.path("db.sock"), s.path("conf.db"))
	t.Cleanup(func() {
		_ = db.Process.Kill()
		_ = db.Wait()
		if t.Failed() {
			t.Logf("Open vSwitch:\n%s", s.log.String())
		}
	})
	s.eventually("its database", func() error { _, err := os.Stat(s.path("db.sock")); return err })
	s.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
		"other_config:per-port-memory=true", "other_config:dpdk-extra=--no-pci --no-telemetry", "other_config:dpdk-socket-mem=64", "other_config:dpdk-socket-limit=320")
	s.begin()
	return s
}

func (s *openVSwitch) path(name string) string { return filepath.Join(s.dir, name) }

// begin starts the switch.
func (s *openVSwitch) begin() {
	// The bridge's own interface is a TAP, in a namespace that goes with the switch.
	s.proc = s.start("usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET},
		"unix:"+s.path("db.sock"), "--pidfile="+s.path("v.pid"))
	p := s.proc
	s.t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
}

// kill ends the switch at once.
func (s *openVSwitch) kill() {
	_ = s.proc.Process.Kill()
	_ = s.proc.Wait()
	for _, left := range []string{"v0", "br0.mgmt", "v.pid"} { // which it does not mind, or not at once, when it starts
		if err := os.Remove(s.path(left)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *openVSwitch) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.root, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "OVS_RUNDIR="+s.dir, "OVS_LOGDIR="+s.dir, "OVS_DBDIR="+s.dir, "OVS_SYSCONFDIR="+s.dir,
		"OVS_PKGDATADIR="+filepath.Join(s.root, "usr/share/openvswitch"), "LD_LIBRARY_PATH="+filepath.Join(s.root, "usr/lib/x86_64-linux-gnu"))
	return cmd
}

func (s *openVSwitch) start(name string, attr *syscall.SysProcAttr, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command(name, args...)
	log, err := os.Create(s.path(filepath.Base(name) + ".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if b, err := os.ReadFile(log.Name()); err == nil && s.t.Failed() {
			s.log.Write(b)
		}
	})
	return cmd
}

func (s *openVSwitch) run(name string, args ...string) {
	s.t.Helper()
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

func (s *openVSwitch) vsctl(args ...string) {
	s.t.Helper()
	s.run("usr/bin/ovs-vsctl", append([]string{"--timeout=30", "--db=unix:" + s.path("db.sock")}, args...)...)
}

// flows has what comes in at one port go out at the other.
func (s *openVSwitch) flows() {
	s.t.Helper()
	s.eventually("its bridge", func() error { _, err := os.Stat(s.path("br0.mgmt")); return err })
	for _, f := range []string{"in_port=1,actions=output:2", "in_port=2,actions=output:1"} {
		s.run("usr/bin/ovs-ofctl", "add-flow", "unix:"+s.path("br0.mgmt"), f)
	}
}

func (s *openVSwitch) eventually(what string, check func() error) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("Open vSwitch: %s: %v", what, err)
		}
	}
}

// Frames go both ways through Open vSwitch, from a port of the kind dpdkvhostuser, which listens, to one of the kind
// dpdkvhostuserclient, which connects to us: half a million each way, none lost, each as it was. The switch is killed and
// traffic goes on by itself when it is back. Then there are as many by four pairs of queues.
func TestOpenVSwitch(t *testing.T) {
	s := newOpenVSwitch(t)
	s.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
		"--", "add-port", "br0", "v0", "--", "set", "Interface", "v0", "type=dpdkvhostuser", "ofport_request=1",
		"--", "add-port", "br0", "v1", "--", "set", "Interface", "v1", "type=dpdkvhostuserclient", "options:vhost-server-path="+s.path("v1"), "ofport_request=2")
	s.flows()
	s.between(1, func(both *loop, up func() bool) {
		both.run(450e3)
		s.kill()
		both.until("the links go down", func() bool { return !up() })
		both.forget()
		s.begin()
		s.flows()
		both.until("the links come up", up)
		both.warmUp()
		both.run(50e3)
	})
	s.between(4, func(both *loop, _ func() bool) { both.run(125e3) })
}

// between joins two ports with some pairs of queues by the switch. What one sends the other receives.
func (s *openVSwitch) between(queues int, f func(both *loop, up func() bool)) {
	s.t.Helper()
	size := func(n uint64) int { return 60 + int(n%7) }
	a := newLoop(s.t, "virtio-user:"+s.path("v0"), queues, nic.Config{}, size)
	defer a.close()
	b := newLoop(s.t, fmt.Sprintf("virtio-user:%s,server,split", s.path("v1")), queues, nic.Config{}, size)
	defer b.close()
	both := &loop{t: s.t, port: a.port, queues: append(slices.Clone(a.queues), b.queues...)}
	atA, atB := newSorter(a), newSorter(b)
	defer atA.close()
	defer atB.close()
	for i, q := range both.queues {
		own := q.rx
		defer func() { q.rx = own }()
		q.index = i
		q.window /= uint64(queues) // the switch may send all of them by one
		if i < queues {
			q.rx = sorted{atB, i}
		} else {
			q.rx = sorted{atA, i}
		}
	}
	both.warmUp()
	f(both, func() bool { return a.up() && b.up() })
}

// warmUp sends a frame at a time until all come back: what a switch gets before it has all its ports is lost. Nothing is
// under way in the end.
func (l *loop) warmUp() {
	l.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; {
		l.abandon()
		for try := time.Now(); time.Since(try) < 200*time.Millisecond; {
			back := 0
			for _, q := range l.queues {
				if err := q.step(q.floor+1, true); err != nil {
					l.t.Fatal(err)
				}
				if q.sent > q.floor && q.received == q.sent {
					back++
				}
			}
			if back == len(l.queues) {
				return
			}
		}
	}
	l.t.Fatalf("the switch does not forward both ways within %v", patience)
}

// abandon gives up the frames under way, of which some may still come.
func (l *loop) abandon() {
	l.forget()
	for _, q := range l.queues {
		q.floor = q.sent
	}
}

// sorter receives from all queues of a port for those that have sent the frames: a switch chooses by which queue they go
// out.
type sorter struct {
	rx      []nic.RxQueue
	batch   []*packet.Buf
	waiting map[int][]*packet.Buf // by the number of the queue that has sent them
}

func newSorter(l *loop) *sorter {
	s := &sorter{batch: make([]*packet.Buf, 64), waiting: map[int][]*packet.Buf{}}
	for _, q := range l.queues {
		s.rx = append(s.rx, q.rx)
	}
	return s
}

// close gives back what nobody has received.
func (s *sorter) close() {
	for _, left := range s.waiting {
		packet.Free(left)
	}
}

// sorted is a sorter's side for a queue.
type sorted struct {
	*sorter
	index int
}

// Receive implements nic.RxQueue.
func (s sorted) Receive(batch []*packet.Buf) int {
	for _, q := range s.rx {
		for _, b := range s.batch[:q.Receive(s.batch)] {
			from := -1
			if data := b.Bytes(); len(data) > numberAt {
				from = int(data[numberAt])
			}
			s.waiting[from] = append(s.waiting[from], b)
		}
	}
	n := copy(batch, s.waiting[s.index])
	s.waiting[s.index] = slices.Delete(s.waiting[s.index], 0, n)
	return n
}
