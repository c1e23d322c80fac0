package generate

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"glassnic/nic"
	"glassnic/packet"
)

// Latency is how long probes took from the port, over whatever lies between, back to it, in nanoseconds.
type Latency struct {
	// Clock is whose times these are: "card" where it stamps both ends, "kernel" where the kernel stamps what arrives,
	// "host" where they are those of this process.
	Clock  string `json:"clock"`
	Probes uint64 `json:"probes"` // that came back, with both times
	Lost   uint64 `json:"lost"`   // that did not, or without one of them, within a tenth of a second
	Min    int64  `json:"min_ns"`
	P50    int64  `json:"p50_ns"`
	P99    int64  `json:"p99_ns"`
	Max    int64  `json:"max_ns"`
}

const (
	probeEvery   = time.Millisecond
	probePatient = 100 * time.Millisecond
	probeSize    = 60
	ptpType      = 0x88f7 // EtherType of PTP (IEEE 1588-2008, annex F)
	// Of a Sync message (13.3): the header, in which the source and the number are, and the time of its origin.
	ptpSize   = 44
	ptpSource = 14 + 20
	ptpNumber = 14 + 30
	// samples is how many latencies of a run are kept for its percentiles: those of the last minute or more.
	samples = 1 << 16
)

// identity is the source of our probes: a locally administered clock, port 1.
const identity = "\x02glasnic\x00\x01"

// prober sends messages of PTP, which cards stamp, one after the other: the next when the one before is back, or lost.
type prober struct {
	card   nic.Timestamper // nil: times are those of the kernel or this process
	stamps bool            // what arrives is stamped
	start  time.Time
	frame  [probeSize]byte

	next        uint64 // TSC: when the next is sent
	late        uint64 // TSC: when the one under way is lost
	under       bool   // one is under way
	number      uint16
	sent, came  int64 // of the one under way, 0: not known yet
	every, wait uint64

	mu       sync.Mutex // for what follows
	all      []int64    // a ring
	n        int        // all samples so far
	lost     uint64
	reported int // of n
	missed   uint64
}

func newProber(port nic.Device, headers []byte) *prober {
	p := &prober{start: time.Now(), stamps: port.Info().Offloads&nic.Timestamps != 0, every: ticks(probeEvery), wait: ticks(probePatient)}
	if c, own := nic.ClockOf(port); own {
		p.card = c
	}
	f := p.frame[:]
	copy(f, headers[:12])
	binary.BigEndian.PutUint16(f[12:], ptpType)
	f[15] = 2 // version; message type 0 is Sync
	binary.BigEndian.PutUint16(f[16:], ptpSize)
	copy(f[ptpSource:], identity)
	return p
}

func (p *prober) clock() string {
	switch {
	case p.card != nil:
		return "card"
	case p.stamps:
		return "kernel"
	}
	return "host"
}

// now is a time of this process, never 0: of the kernel's clock where that stamps what arrives, else of one that is not set.
func (p *prober) now() int64 {
	if p.stamps {
		return time.Now().UnixNano()
	}
	return int64(time.Since(p.start)) + 1
}

// step sends a probe where one is due, and looks after the one under way.
func (p *prober) step(w *sender, now uint64) {
	switch {
	case p.under:
		p.look(now)
	case now >= p.next:
		p.send(w, now)
	}
}

func (p *prober) send(w *sender, now uint64) {
	var one [1]*packet.Buf
	if w.cache.Fill(one[:]) == 0 {
		return
	}
	binary.BigEndian.PutUint16(p.frame[ptpNumber:], p.number+1)
	one[0].SetBytes(p.frame[:])
	p.sent, p.came = 0, 0
	if p.card != nil {
		one[0].SetFlags(packet.NeedsTimestamp)
	} else {
		p.sent = p.now()
	}
	if w.tx.Send(one[:]) == 0 {
		w.cache.Put(one[:])
		return
	}
	p.number++
	p.under, p.next, p.late = true, now+p.every, now+p.wait
}

// look ends the probe under way when both of its times are known, or when it is late.
func (p *prober) look(now uint64) {
	if p.complete() || now <= p.late {
		return
	}
	p.under = false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost++
}

// complete fetches the time at which the probe left, and records the probe where both times are known.
func (p *prober) complete() bool {
	if p.sent == 0 {
		if at, ok, err := p.card.TxTimestamp(); err == nil && ok {
			p.sent = at.UnixNano()
		}
	}
	if p.sent == 0 || p.came == 0 {
		return false
	}
	p.record(p.came - p.sent)
	return true
}

// take tells whether a frame is a probe, and notes when the one under way came.
func (p *prober) take(b *packet.Buf) bool {
	f := b.Bytes()
	if len(f) < probeSize || binary.BigEndian.Uint16(f[12:]) != ptpType || string(f[ptpSource:ptpNumber]) != identity {
		return false
	}
	if !p.under || p.came != 0 || binary.BigEndian.Uint16(f[ptpNumber:]) != p.number {
		return true
	}
	if at, ok := b.Timestamp(); ok && p.stamps {
		p.came = at
	} else if !p.stamps {
		p.came = p.now()
	}
	if p.came != 0 {
		p.complete()
	}
	return true
}

func (p *prober) record(ns int64) {
	p.under = false
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) < samples {
		p.all = append(p.all, ns)
	} else {
		p.all[p.n%samples] = ns
	}
	p.n++
}

// interval reports on the probes since it was last called, total on all.
func (p *prober) interval() *Latency {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.latency(p.n - p.reported)
	l.Lost = p.lost - p.missed
	p.reported, p.missed = p.n, p.lost
	return l
}

func (p *prober) total() *Latency {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.latency(p.n)
	l.Lost = p.lost
	return l
}

// latency sums up the last n probes, as far as they are kept. The caller holds mu.
func (p *prober) latency(n int) *Latency {
	l := &Latency{Clock: p.clock(), Probes: uint64(n)}
	var last []int64
	for i := range min(n, len(p.all)) {
		last = append(last, p.all[(p.n-1-i)%samples])
	}
	if len(last) == 0 {
		return l
	}
	slices.Sort(last)
	l.Min, l.P50, l.P99, l.Max = last[0], last[len(last)/2], last[len(last)*99/100], last[len(last)-1]
	return l
}
