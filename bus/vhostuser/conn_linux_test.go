package vhostuser

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus"
)

// openFDs is how many file descriptors this process has open.
func openFDs(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// pair returns two ends of a connection, and their sockets.
func pair(t *testing.T) (a, b *Conn, raw *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var socks [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		socks[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return NewConn(socks[0]), NewConn(socks[1]), socks[0]
}

// memfd makes a file of so many bytes whose name is the first.
func memfd(t *testing.T, size int64) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestFDsArrive(t *testing.T) {
	a, b, _ := pair(t)
	before := openFDs(t)
	var fds []int
	for i := range MaxFDs {
		fds = append(fds, memfd(t, int64(i+1)))
	}
	if err := a.Send(&Message{Request: SetMemTable, Payload: []byte{1, 2, 3}, FDs: fds}); err != nil {
		t.Fatal(err)
	}
	closeAll(fds)
	m, err := b.Receive(Timeout)
	if err != nil || m.Request != SetMemTable || len(m.FDs) != MaxFDs || string(m.Payload) != "\x01\x02\x03" || m.Reply || m.NeedReply {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range m.FDs {
		var st unix.Stat_t
		if err := unix.Fstat(m.FDs[i], &st); err != nil || st.Size != int64(i+1) {
			t.Errorf("file descriptor %d: %d bytes, %v", i, st.Size, err)
		}
		if f, _ := unix.FcntlInt(uintptr(m.FDs[i]), unix.F_GETFD, 0); f&unix.FD_CLOEXEC == 0 {
			t.Error("children inherit it")
		}
	}
	took := m.Take(1)
	if took < 0 || m.Take(1) != -1 || m.Take(8) != -1 {
		t.Error("Take")
	}
	m.Close()
	if n := openFDs(t); n != before+1 {
		t.Errorf("%d file descriptors more are open than before, want 1", n-before)
	}
	unix.Close(took)
}

// What a hostile end sends ends in an error, and its file descriptors are closed.
func TestHostileMessages(t *testing.T) {
	head := func(request, flags, size byte) string {
		return string([]byte{request, 0, 0, 0, flags, 0, 0, 0, size, 0, 0, 0})
	}
	for name, c := range map[string]struct {
		bytes string
		fds   int
		want  string
	}{
		"nothing":          {"", 0, "EOF"},
		"half a header":    {"\x01\x00", 0, "unexpected EOF"},
		"no payload":       {head(1, 1, 8), 1, "unexpected EOF"},
		"half a payload":   {head(1, 1, 8) + "1234", 1, "unexpected EOF"},
		"version":          {head(1, 2, 0), 1, "version 2"},
		"too long":         {"\x01\x00\x00\x00\x01\x00\x00\x00\x01\x04\x00\x00", 1, "1025 bytes"},
		"absurd length":    {"\x01\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff", 1, "4294967295 bytes"},
		"file descriptors": {head(1, 1, 0), 9, "file descriptors"},
		"many more":        {head(1, 1, 0), 200, "file descriptors"},
	} {
		t.Run(name, func(t *testing.T) {
			before := openFDs(t)
			_, b, raw := pair(t)
			fds := make([]int, c.fds)
			for i := range fds {
				fds[i] = 0
			}
			var oob []byte
			if c.fds > 0 {
				oob = unix.UnixRights(fds...)
			}
			if c.bytes != "" {
				if _, _, err := raw.WriteMsgUnix([]byte(c.bytes), oob, nil); err != nil {
					t.Fatal(err)
				}
			}
			raw.Close()
			m, err := b.Receive(Timeout)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v: want %s", m, err, c.want)
			}
			if c.bytes == "" && !errors.Is(err, io.EOF) {
				t.Error("the end of the connection is not io.EOF")
			}
			b.Close()
			if n := openFDs(t); n != before {
				t.Errorf("%d file descriptors more are open than before", n-before)
			}
		})
	}
}

// A message may come in pieces, with file descriptors in any of them.
func TestPieces(t *testing.T) {
	_, b, raw := pair(t)
	m := &Message{Request: SetVringKick, Payload: PutU64(7)}
	all := append(m.appendHeader(nil), m.Payload...)
	done := make(chan error, 1)
	var got *Message
	go func() {
		var err error
		got, err = b.Receive(Timeout)
		done <- err
	}()
	for i := range all {
		var oob []byte
		if i == len(all)-1 {
			oob = unix.UnixRights(0)
		}
		if _, _, err := raw.WriteMsgUnix(all[i:i+1], oob, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if index, ok, err := got.VringFD(); index != 7 || !ok || err != nil {
		t.Errorf("%d, %v, %v", index, ok, err)
	}
}

// serve answers a front-end's requests as f says.
func serve(c *Conn, f func(*Message) (reply []byte, ok bool)) {
	for {
		m, err := c.Receive(0)
		if err != nil {
			return
		}
		if reply, ok := f(m); reply != nil {
			_ = c.Answer(m, reply)
		} else {
			_ = c.Acknowledge(m, FeatureReplyAck, ok)
		}
		m.Close()
	}
}

func TestFront(t *testing.T) {
	a, b, _ := pair(t)
	seen := map[Request]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(b, func(m *Message) ([]byte, bool) {
			seen[m.Request]++
			switch m.Request {
			case GetFeatures:
				return PutU64(FeatureProtocol | 3), true
			case GetProtocolFeatures:
				return PutU64(uint64(FeatureReplyAck | FeatureMQ)), true
			case GetVringBase:
				return VringState{Index: 2, Num: 77}.Payload(), true
			case GetConfig:
				return Config{Offset: 4, Data: []byte{1, 2, 3}}.Payload(), true
			case SetStatus:
				return nil, false
			case GetStatus:
				return []byte{0}, true
			case SetFeatures:
				v, err := m.U64()
				return nil, err == nil && v == 3
			case SetMemTable:
				all, err := m.Regions()
				return nil, err == nil && len(all) == 1 && all[0] == Region{1, 2, 3, 4}
			case SetVringAddr:
				v, err := m.VringAddr()
				return nil, err == nil && v.Index == 5 && v.Avail == 6
			case SetVringCall:
				index, ok, err := m.VringFD()
				return nil, err == nil && index == 9 && !ok
			case SetVringKick:
				index, ok, err := m.VringFD()
				return nil, err == nil && index == 8 && ok
			case SetVringEnable:
				s, err := m.VringState()
				return nil, err == nil && s == VringState{4, 1}
			}
			return nil, true
		})
	}()
	f := NewFront(a)
	if v, err := f.Features(); err != nil || v != FeatureProtocol|3 {
		t.Errorf("%#x, %v", v, err)
	}
	if err := f.Negotiate(FeatureReplyAck | FeatureStatus); err != nil || f.Protocol != FeatureReplyAck {
		t.Errorf("%v, %v", f.Protocol, err)
	}
	for name, err := range map[string]error{
		"owner": f.SetOwner(), "features": f.SetFeatures(3), "memory": f.SetMemTable([]Region{{1, 2, 3, 4}}, []int{0}),
		"addresses": f.SetVringAddr(VringAddr{Index: 5, Avail: 6}), "call": f.SetVringCall(9, -1), "kick": f.SetVringKick(8, 0),
		"enable": f.SetVringEnable(4, true), "size": f.SetVringNum(1, 256), "base": f.SetVringBase(1, 0),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.SetStatus(4); err == nil || !strings.Contains(err.Error(), "SET_STATUS: the back-end refused") {
		t.Errorf("a refusal: %v", err)
	}
	if n, err := f.VringBase(2); err != nil || n != 77 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := f.VringBase(3); err == nil {
		t.Error("an answer about another ring is taken")
	}
	var cfg [3]byte
	if err := f.ReadConfig(4, cfg[:]); err != nil || cfg != [3]byte{1, 2, 3} {
		t.Errorf("%v, %v", cfg, err)
	}
	if _, err := f.Status(); err == nil {
		t.Error("an answer of one byte is taken for a number")
	}
	f.Close()
	<-done
	if seen[SetFeatures] != 1 || seen[SetMemTable] != 1 {
		t.Errorf("%v", seen)
	}
}

func TestEndpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	d := Dial(path)
	conns := make(chan *Conn)
	ended := make(chan error, 1)
	next := make(chan struct{}) // a client that connects by itself may find the listener of before
	go func() {
		for range next {
			c, err := d.Connect()
			if err != nil {
				ended <- err
				return
			}
			conns <- c
		}
	}()
	// The client waits for a server, and for the next one.
	for range 2 {
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
		if _, err := Listen(path); !errors.Is(err, bus.ErrInUse) {
			t.Errorf("a second listener: %v", err)
		}
		// The second listener looked in by a connection of its own.
		var srv []*Conn
		for range 2 {
			c, err := l.Connect()
			if err != nil {
				t.Fatal(err)
			}
			srv = append(srv, c)
		}
		cl := <-conns
		if err := cl.Send(&Message{Request: SetOwner}); err != nil {
			t.Error(err)
		}
		got := false
		for _, c := range srv {
			m, err := c.Receive(Timeout)
			got = got || err == nil && m.Request == SetOwner
			c.Close()
		}
		if !got {
			t.Error("no message came")
		}
		if _, err := cl.Receive(Timeout); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		cl.Close()
		l.Close()
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket is still there")
		}
	}
	next <- struct{}{}
	d.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A socket that a killed server left is taken over; a file is not.
func TestLeftSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	e, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		_, err := e.Connect()
		gone <- err
	}()
	e.Close()
	if err := <-gone; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("on a file: %v", err)
	}
}

func TestReceiveEnds(t *testing.T) {
	_, b, _ := pair(t)
	if _, err := b.Receive(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing comes: %v", err)
	}
}
