package vhostuser

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func TestPayloads(t *testing.T) {
	m := &Message{Payload: PutU64(1<<63 | 5)}
	if v, err := m.U64(); err != nil || v != 1<<63|5 {
		t.Errorf("%#x, %v", v, err)
	}
	s := VringState{3, 0x8001_0002}
	m.Payload = s.Payload()
	if got, err := m.VringState(); err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	// The order of the fields, as "A vring address description" has it.
	a := VringAddr{Index: 1, Flags: 2, Desc: 3, Used: 4, Avail: 5, Log: 6}
	m.Payload = a.Payload()
	if !bytes.Equal(m.Payload[:8], []byte{1, 0, 0, 0, 2, 0, 0, 0}) {
		t.Errorf("% x", m.Payload)
	}
	for i := range uint64(4) {
		if v := binary.LittleEndian.Uint64(m.Payload[8+8*i:]); v != 3+i {
			t.Errorf("word %d is %d", i, v)
		}
	}
	if got, err := m.VringAddr(); err != nil || got != a {
		t.Errorf("%+v, %v", got, err)
	}
	c := Config{Offset: 6, Flags: 1, Data: []byte{9, 8}}
	m.Payload = c.Payload()
	if got, err := m.Config(); err != nil || got.Offset != 6 || got.Flags != 1 || !bytes.Equal(got.Data, c.Data) {
		t.Errorf("%+v, %v", got, err)
	}
	all := []Region{{1, 2, 3, 4}, {5, 6, 7, 8}}
	m.Payload, m.FDs = PutRegions(all), []int{-1, -1}
	if got, err := m.Regions(); err != nil || !slices.Equal(got, all) {
		t.Errorf("%+v, %v", got, err)
	}
	m.Payload = all[1].Payload()
	if got, err := m.Region(); err != nil || got != all[1] || len(m.Payload) != 40 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestVringFD(t *testing.T) {
	for _, c := range []struct {
		v, fds uint64
		index  int
		ok, no bool
	}{
		{0, 1, 0, true, false}, {255, 1, 255, true, false}, {256 | 7, 0, 7, false, false},
		{256, 1, 0, false, true}, {0, 0, 0, false, true}, {0, 2, 0, false, true}, {512, 1, 0, false, true}, {1 << 40, 1, 0, false, true},
	} {
		m := &Message{Request: SetVringKick, Payload: PutU64(c.v), FDs: make([]int, c.fds)}
		if index, ok, err := m.VringFD(); index != c.index || ok != c.ok || (err != nil) != c.no {
			t.Errorf("%#x with %d: %d, %v, %v", c.v, c.fds, index, ok, err)
		}
	}
}

func TestNames(t *testing.T) {
	if SetMemTable.String() != "SET_MEM_TABLE" || Request(99).String() != "request 99" {
		t.Error("names of requests")
	}
	for f, want := range map[ProtocolFeatures]string{0: "no protocol features", FeatureMQ | FeatureReplyAck: "MQ, REPLY_ACK", FeatureStatus | 1<<40: "STATUS, 0x10000000000"} {
		if f.String() != want {
			t.Errorf("%v, want %s", f, want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		rest           string
		client, isClnt bool
		path           string
	}{
		{"/run/s", false, false, "/run/s"}, {"/run/s", true, true, "/run/s"}, {"/run/s,client", false, true, "/run/s"},
		{"/run/s,server", true, false, "/run/s"}, {"", false, false, ""}, {",client", false, false, ""},
		{"/run/s,both", false, false, ""}, {strings.Repeat("x", 107), false, false, strings.Repeat("x", 107)}, {strings.Repeat("x", 108), false, false, ""},
	} {
		path, client, err := ParseAddress(c.rest, c.client)
		if path != c.path || client != c.isClnt || (err != nil) != (c.path == "") {
			t.Errorf("%q: %q, %v, %v", c.rest, path, client, err)
		}
	}
}

// FuzzParse plays an end that sends anything.
func FuzzParse(f *testing.F) {
	for r, p := range map[Request][]byte{
		SetFeatures: PutU64(1), SetVringNum: VringState{1, 2}.Payload(), SetVringAddr: VringAddr{Index: 1}.Payload(),
		SetMemTable: PutRegions([]Region{{1, 2, 3, 4}}), AddMemReg: Region{1, 2, 3, 4}.Payload(), GetConfig: Config{0, 0, []byte{1}}.Payload(),
	} {
		m := Message{Request: r, NeedReply: true, Payload: p}
		f.Add(append(m.appendHeader(nil), p...), 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, fds int) {
		if len(b) < HeaderSize {
			return
		}
		m, size, err := parseHeader(b[:HeaderSize])
		if err != nil {
			return
		}
		if size > MaxPayload {
			t.Fatalf("payload of %d bytes", size)
		}
		if !bytes.Equal(m.appendHeader(nil)[:4], b[:4]) {
			t.Fatal("another request")
		}
		m.Payload = b[HeaderSize:][:min(size, len(b)-HeaderSize)]
		m.FDs = make([]int, fds&15)
		_ = m.Empty()
		_, _ = m.U64()
		_, _ = m.VringState()
		_, _ = m.VringAddr()
		_, _ = m.Region()
		if _, ok, err := m.VringFD(); err == nil && ok != (len(m.FDs) == 1) {
			t.Fatal("a ring's file descriptor that is not there")
		}
		if c, err := m.Config(); err == nil && int(c.Offset)+len(c.Data) > MaxConfig {
			t.Fatalf("%d bytes of configuration at %d", len(c.Data), c.Offset)
		}
		if all, err := m.Regions(); err == nil && len(all) != len(m.FDs) {
			t.Fatalf("%d regions with %d file descriptors", len(all), len(m.FDs))
		}
	})
}
