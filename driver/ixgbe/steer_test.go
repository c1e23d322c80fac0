package ixgbe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
)

var _ nic.Filterer = (*ixgbe.Device)(nil)

// rules reads rules.
func rules(t *testing.T, texts ...string) (all []nic.Rule) {
	t.Helper()
	for _, s := range texts {
		r, err := nic.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// steered is a port with four queues; frames that no rule takes go to queue 3.
func steered(t *testing.T) *rig {
	t.Helper()
	r := open(t, nic.Config{RxQueues: 4, RxRing: 64, MTU: 1500})
	h := nic.Hashing{Protocols: nic.HashAll}
	for i := range h.Table {
		h.Table[i] = 3
	}
	if err := r.dev.SetHash(h); err != nil {
		t.Fatal(err)
	}
	return r
}

// goes wants a frame in a queue, and nowhere else.
func (r *rig) goes(t *testing.T, what string, f []byte, queue int) {
	t.Helper()
	r.wire.put(f)
	r.step()
	for q := range 4 {
		if n := len(r.receiveFrom(q, 8)); n > 0 != (q == queue) || n > 1 {
			t.Errorf("%s: %d frames in queue %d, want them in %d", what, n, q, queue)
		}
	}
}

// tagged puts a VLAN tag into a frame.
func tagged(f []byte, id uint16) []byte {
	return slices.Insert(slices.Clone(f), 12, 0x81, 0, byte(id>>8), byte(id))
}

// typed is a frame of an EtherType.
func typed(kind uint16) []byte {
	f := frame(60, 1)
	binary.BigEndian.PutUint16(f[12:], kind)
	return f
}

func synOf(f []byte) []byte {
	f = slices.Clone(f)
	f[34+12], f[34+13] = 5<<4, 2
	return f
}

// Every kind of rule leads where it says, what does not match it goes by the hash, and rules that are gone lead nowhere.
func TestRules(t *testing.T) {
	r := steered(t)
	tcp, udp := ip(false, true, 1, 2, 1000, 80), ip(false, false, 1, 2, 1000, 80)
	none := -1
	for _, c := range []struct {
		rules []string
		want  map[int][][]byte // frames by queue; those that no rule takes are in 3, or 0 where there is nothing to hash
	}{
		{[]string{"ethertype 0x88cc=1", "ethertype 0x88f7=2"}, map[int][][]byte{
			1: {typed(0x88cc), tagged(typed(0x88cc), 7)}, 2: {typed(0x88f7)}, 0: {typed(0x88cd)}, 3: {tcp},
		}},
		{[]string{"syn=1"}, map[int][][]byte{1: {synOf(tcp)}, 3: {tcp, udp}}},
		{[]string{"tcp4 dport 80=1", "udp4 src 10.0.0.1=2", "ip4 dst 10.0.0.9=0"}, map[int][][]byte{
			1: {tcp, tagged(tcp, 5), ip(false, true, 9, 9, 1, 80)}, 2: {udp}, 0: {ip(false, false, 3, 9, 1, 1)},
			3: {ip(false, true, 1, 2, 80, 81), ip(true, true, 1, 2, 1000, 80)},
		}},
		{[]string{"tcp4 src 10.0.0.1 dst 10.0.0.2 sport 1000 dport 80=1"}, map[int][][]byte{
			1: {tcp}, 3: {udp, ip(false, true, 2, 2, 1000, 80), ip(false, true, 1, 1, 1000, 80), ip(false, true, 1, 2, 1001, 80), ip(false, true, 1, 2, 1000, 81)},
		}},
		// The first counts.
		{[]string{"tcp4 dport 80=1", "tcp4=2"}, map[int][][]byte{1: {tcp}, 2: {ip(false, true, 1, 2, 1000, 81)}}},
		{[]string{"tcp4 dport 80=1", "syn=2"}, map[int][][]byte{1: {synOf(tcp), tcp}, 2: {synOf(ip(false, true, 1, 2, 1000, 81))}}},
		{[]string{"syn=2", "tcp4 dport 80=1"}, map[int][][]byte{2: {synOf(tcp)}, 1: {tcp}}},
		// Flow director.
		{[]string{"ip4 src 10.0.0.0/31=1", "ip4 src 10.0.0.6/31=drop"}, map[int][][]byte{
			1: {tcp, udp, ip(false, true, 0, 2, 1, 1), tagged(tcp, 5)}, none: {ip(false, true, 6, 2, 1, 1), ip(false, false, 7, 2, 1, 1)},
			3: {ip(false, true, 2, 2, 1, 1), ip(false, false, 5, 2, 1, 1)},
		}},
		{[]string{"tcp4 dport 80 vlan 5=1", "udp4 dport 80 vlan 6=2"}, map[int][][]byte{
			1: {tagged(tcp, 5)}, 2: {tagged(udp, 6), tagged(udp, 0xe006)}, 3: {tcp, udp, tagged(tcp, 6), tagged(udp, 5)},
		}},
		{[]string{"udp4 sport 1000=drop", "udp4 sport 0x8001=drop"}, map[int][][]byte{
			none: {udp, ip(false, false, 5, 6, 0x8001, 7)}, 3: {tcp, ip(false, false, 1, 2, 1001, 80), ip(false, false, 1, 2, 1, 1000)},
		}},
		{[]string{"syn=0", "ip4 dst 10.0.0.2=1", "ip4 vlan 5=drop"}, map[int][][]byte{
			0: {synOf(tcp)}, 1: {tcp, udp, tagged(tcp, 5)}, none: {tagged(ip(false, true, 1, 3, 1, 1), 5)},
		}},
		{nil, map[int][][]byte{3: {tcp, udp, synOf(tcp), tagged(tcp, 5)}, 0: {typed(0x88cc)}}},
	} {
		r.leads(t, c.rules, c.want)
	}
}

// leads sets rules, and has each frame go to the queue under which it stands.
func (r *rig) leads(t *testing.T, of []string, want map[int][][]byte) {
	t.Helper()
	set := rules(t, of...)
	if err := r.dev.SetRules(set); err != nil {
		t.Fatalf("%v: %v", of, err)
	}
	if got := r.dev.Rules(); !slices.Equal(got, set) {
		t.Errorf("rules %v, want %v", got, set)
	}
	for queue, frames := range want {
		for i, f := range frames {
			r.goes(t, fmt.Sprintf("%v, frame %d for queue %d", of, i, queue), f, queue)
		}
	}
}

// More flows than there are five-tuple filters go to flow director, as many as it has room for.
func TestManyRules(t *testing.T) {
	r := steered(t)
	const n = facts.TupleFilters + 300
	var set []nic.Rule
	for i := range n {
		set = append(set, nic.Rule{Protocol: 6, SrcPort: uint16(1 + i), DstPort: uint16(1000 + i%7), Queue: i % 3})
	}
	for range 2 { // and once more in their own place
		if err := r.dev.SetRules(set); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += 5 {
			r.goes(t, fmt.Sprint("flow ", i), ip(false, true, 1, 2, uint16(1+i), uint16(1000+i%7)), i%3)
		}
		r.goes(t, "another flow", ip(false, true, 1, 2, 1, 1001), 3)
	}
	for i := n; i < facts.TupleFilters+2047; i++ {
		set = append(set, nic.Rule{Protocol: 6, SrcPort: uint16(1 + i), DstPort: 1000})
	}
	if err := r.dev.SetRules(set); err == nil || !strings.Contains(err.Error(), "2047 rules in flow director: there is room for 2046") {
		t.Error(err)
	}
	if got := r.dev.Rules(); len(got) != n {
		t.Errorf("%d rules after a set that was refused, want the %d before", len(got), n)
	}
}

func TestRulesRefused(t *testing.T) {
	r := steered(t)
	kept := rules(t, "tcp4 dport 80=1")
	if err := r.dev.SetRules(kept); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 8)
	for i := range many {
		many[i] = fmt.Sprintf("ethertype %d=0", 0x1000+i)
	}
	for _, c := range []struct {
		want  string
		rules []string
	}{
		{"ip4 src 10.0.0.1=4: queue 4: the port has queues 0 to 3", []string{"ip4 src 10.0.0.1=4"}},
		{"drops by flow director only", []string{"ethertype 0x88cc=drop"}},
		{"not for IP and VLAN tags", []string{"ethertype 0x0800=1"}},
		{"8 rules of EtherTypes: the card has room for 7", many},
		{"one SYN filter", []string{"syn=1", "syn=2"}},
		{"ip4 src 11.0.0.0/16=2: flow director has one mask for all its rules", []string{"ip4 src 10.0.0.0/8=1", "ip4 src 11.0.0.0/16=2"}},
		{"no mask for ports of SCTP", []string{"sctp4 dport 80=drop"}},
		{"never comes in force behind", []string{"ip4 src 10.0.0.0/8=1", "ip4 src 10.0.0.0/8=2"}},
		{"never comes in force behind", []string{"ethertype 0x88cc=1", "ethertype 0x88cc=2"}},
		{"looks five-tuple filters up before flow director, and so this rule before ip4 vlan 5=1: put it first", []string{"ip4 vlan 5=1", "tcp4 dport 80=2"}},
		{"looks the SYN filter up before flow director", []string{"ip4 vlan 5=1", "syn=2"}},
		{"looks five-tuple filters up before the SYN filter", []string{"tcp4 dport 80=2", "syn=2", "tcp4 dport 81=2"}},
	} {
		err := r.dev.SetRules(rules(t, c.rules...))
		if err == nil || !strings.Contains(err.Error(), "sim:test: set rules: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.rules, err, c.want)
		}
		if !slices.Equal(r.dev.Rules(), kept) {
			t.Fatalf("%v replaced the rules before", c.rules)
		}
	}
	r.goes(t, "the rule before", ip(false, true, 1, 2, 1000, 80), 1)
	if err := r.dev.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.dev.SetRules(nil); err == nil || !strings.Contains(err.Error(), "port closed") {
		t.Error(err)
	}
}

// lazy is a card whose flow director does not do what it is told.
type lazy struct {
	mmio.Hook
	ready, done bool
}

func (l *lazy) Read32(off uint32) uint32 {
	v := l.Hook.Read32(off)
	switch {
	case off == facts.FDIRCTRL && !l.ready:
		v &^= facts.FdirctrlINITDONE
	case off == facts.FDIRCMD && !l.done:
		v |= facts.FdircmdAdd
	}
	return v
}

func TestLazyDirector(t *testing.T) {
	defer ixgbe.LookOnce()()
	defer func(d time.Duration) { *ixgbe.Limits["queue"] = d }(*ixgbe.Limits["queue"])
	*ixgbe.Limits["queue"] = 20 * time.Millisecond
	s, _ := card(t, model.Config{})
	l := &lazy{Hook: s.Card}
	region := mmio.Trap(facts.BARSize, l)
	d, err := nic.OpenFunction(context.Background(), &function{Function: s.Function("sim:test"), region: &region}, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f := d.(nic.Filterer)
	for _, want := range []string{"INIT_DONE", "FDIRCMD.CMD"} {
		if err := f.SetRules(rules(t, "ip4 vlan 5=0")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		l.ready = true
	}
	l.done = true
	if err := f.SetRules(rules(t, "ip4 vlan 5=0")); err != nil {
		t.Error(err)
	}
}

// TestStampsBesideRules: messages of PTP are stamped in whatever queue rules lead them to, with all filters in use, and
// again when the rules are gone.
func TestStampsBesideRules(t *testing.T) {
	r, now := timed(t, nic.Config{RxQueues: 4}, 0)
	udp := ip(false, false, 1, 2, 319, 319)
	binary.BigEndian.PutUint16(udp[38:], 56)
	copy(udp[42:], []byte{0, 2, 0, 44})
	all := rules(t, "ethertype 0x1000=3", "ethertype 0x1001=3", "ethertype 0x1002=3", "ethertype 0x1003=3", "ethertype 0x1004=3", "ethertype 0x1005=3")
	for _, c := range []struct {
		what        string
		rules       []nic.Rule
		layer2, udp int // queues
	}{
		{"none", nil, 0, -1},
		{"six types", all, 0, -1},
		{"PTP's type", append(all, rules(t, "ethertype 0x88f7=2", "udp4 dport 319=1")...), 2, 1},
		{"flow director", rules(t, "udp4 dst 10.0.0.2/31=3", "udp4 dst 10.0.0.4/31=drop"), 0, 3},
		{"none again", nil, 0, -1},
	} {
		if err := r.dev.SetRules(c.rules); err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct {
			data  []byte
			queue int
		}{{ptpEvent(0), c.layer2}, {udp, c.udp}} {
			*now += time.Second
			want := r.clock()
			r.wire.put(f.data)
			r.step()
			*now += time.Second
			got := -1
			for q := range 4 {
				var batch [8]*packet.Buf
				n := r.dev.RxQueue(q).Receive(batch[:])
				for _, b := range batch[:n] {
					got = q
					if ns, ok := b.Timestamp(); !ok || !near(time.Unix(0, ns), want) {
						t.Errorf("%s: stamp %v %v, want %v", c.what, ok, time.Unix(0, ns), want)
					}
				}
				packet.Free(batch[:n])
			}
			if got < 0 || f.queue >= 0 && got != f.queue {
				t.Errorf("%s: in queue %d, want %d", c.what, got, f.queue)
			}
		}
	}
}
