package generate

import (
	"encoding/binary"
	"time"

	"glassnic/app/internal/worker"
	"glassnic/nic"
	"glassnic/packet"
)

// Latency is how long probes took from the port, over whatever lies between, back to it: "card" is its clock where it stamps
// both ends, "kernel" where the kernel stamps what arrives. Lost are those that did not come back, or without one of their
// times, within a tenth of a second.
type Latency = worker.Latency

const (
	probeEvery   = time.Millisecond
	probePatient = 100 * time.Millisecond
	probeSize    = 60
	ptpType      = 0x88f7 // EtherType of PTP (IEEE 1588-2008, annex F)
	// Of a Sync message (13.3): the header, in which the source and the number are, and the time of its origin.
	ptpSize   = 44
	ptpSource = 14 + 20
	ptpNumber = 14 + 30
)

// identity is the source of our probes: a locally administered clock, port 1.
const identity = "\x02glasnic\x00\x01"

// prober sends messages of PTP, which cards stamp, one after the other: the next when the one before is back, or lost.
type prober struct {
	clock worker.Clock
	frame [probeSize]byte

	next        uint64 // TSC: when the next is sent
	late        uint64 // TSC: when the one under way is lost
	under       bool   // one is under way
	number      uint16
	sent, came  int64 // of the one under way, 0: not known yet
	every, wait uint64

	times worker.Latencies
}

func newProber(port nic.Device, headers []byte) *prober {
	p := &prober{clock: worker.ClockOf(port), every: ticks(probeEvery), wait: ticks(probePatient)}
	f := p.frame[:]
	copy(f, headers[:12])
	binary.BigEndian.PutUint16(f[12:], ptpType)
	f[15] = 2 // version; message type 0 is Sync
	binary.BigEndian.PutUint16(f[16:], ptpSize)
	copy(f[ptpSource:], identity)
	return p
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
	if p.clock.Card != nil {
		one[0].SetFlags(packet.NeedsTimestamp)
	} else {
		p.sent = p.clock.Now()
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
	p.times.Lose()
}

// complete fetches the time at which the probe left, and records the probe where both times are known.
func (p *prober) complete() bool {
	if p.sent == 0 {
		if at, ok, err := p.clock.Card.TxTimestamp(); err == nil && ok {
			p.sent = at.UnixNano()
		}
	}
	if p.sent == 0 || p.came == 0 {
		return false
	}
	p.under = false
	p.times.Record(p.came - p.sent)
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
	if at, ok := b.Timestamp(); ok && p.clock.Stamps {
		p.came = at
	} else if !p.clock.Stamps {
		p.came = p.clock.Now()
	}
	if p.came != 0 {
		p.complete()
	}
	return true
}
