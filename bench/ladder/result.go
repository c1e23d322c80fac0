package ladder

import "slices"

// Result is what a rung took. The names of its JSON fields are stable. Counts are totals of all slices; figures per packet
// and per second are medians of the slices.
type Result struct {
	Rung string `json:"rung"`
	What string `json:"what"`
	// Skipped says why the rung was left out and what would have it run; the rest is empty then.
	Skipped string `json:"skipped,omitempty"`

	// Mpps is millions of frames forwarded in a second of the core's time: what others had of the core is not counted.
	Mpps float64 `json:"mpps"`
	// TicksPerPacket are ticks of the time stamp counter that the core spent for a frame forwarded.
	TicksPerPacket float64 `json:"ticks_per_packet"`
	TicksP10       float64 `json:"ticks_p10"`
	TicksP90       float64 `json:"ticks_p90"`
	// Clock says how these were counted: CPUTime or Passes.
	Clock string `json:"clock"`
	// SystemCalls per packet that the forwarder's thread made, as the kernel has counted them in a slice that was not timed;
	// where it cannot, as the forwarder has, to which calls within a driver look like one.
	SystemCalls float64 `json:"system_calls_per_packet"`
	// Copies of a frame's bytes on its way.
	Copies   int    `json:"copies_per_packet"`
	Touches  bool   `json:"touches"` // byte 1 of every frame is changed
	GivesUp  string `json:"gives_up"`
	Offered  uint64 `json:"offered"`  // by the source
	Missed   uint64 `json:"missed"`   // of these, did not reach the forwarder, which was not quick enough
	Received uint64 `json:"received"` // by the forwarder: sent + dropped
	Sent     uint64 `json:"sent"`
	Dropped  uint64 `json:"dropped"`
	Arrived  uint64 `json:"arrived"` // at the sink
	Wrong    uint64 `json:"wrong"`   // of these, those whose byte 1 was not as it should be
	// CoreShare is the part of the time that the forwarder had its core and had something to do.
	CoreShare float64 `json:"core_share"`
	// CoreWanted is the part of the time, at least, that the forwarder had its core or was ready to and others had it. Of a
	// vhost-user port's it is the busy part of the time in which forwarder and source had their cores.
	CoreWanted float64 `json:"core_wanted"`
	// CoreWasLimit: frames were missed, and the forwarder left nothing of the core unused.
	CoreWasLimit bool    `json:"core_was_limit"`
	Seconds      float64 `json:"seconds"`
}

// How ticks are counted.
const (
	// CPUTime is the processor time of the forwarding thread and of the kernel's thread that receives for it.
	CPUTime = "cpu time"
	// Passes are the ticks of the passes that received something, of a forwarder that never sleeps.
	Passes = "passes with frames"
)

// limitShare is how much of its core's time a forwarder wants at least where the core is what limits it.
const limitShare = 0.9

// sample is what one slice brought.
type sample struct {
	// In the time measured.
	packets uint64  // forwarded
	ticks   float64 // busy
	wanted  float64 // ticks busy, or ready to be while others had the core
	wall    float64 // ticks
	calls   uint64

	// In all, after what was on its way has arrived.
	offered, missed, received, sent, dropped, arrived, wrong uint64
}

// add sums the counts up.
func (s *sample) add(o sample) {
	s.packets, s.ticks, s.wall, s.calls = s.packets+o.packets, s.ticks+o.ticks, s.wall+o.wall, s.calls+o.calls
	s.wanted += o.wanted
	s.offered, s.missed, s.received, s.sent = s.offered+o.offered, s.missed+o.missed, s.received+o.received, s.sent+o.sent
	s.dropped, s.arrived, s.wrong = s.dropped+o.dropped, s.arrived+o.arrived, s.wrong+o.wrong
}

// result makes a Result of a rung's slices; hz are ticks in a second.
func result(r Rung, slots []sample, hz float64) Result {
	var sum sample
	var ticks []float64
	for _, s := range slots {
		sum.add(s)
		if s.packets > 0 {
			ticks = append(ticks, s.ticks/float64(s.packets))
		}
	}
	slices.Sort(ticks)
	res := r.result()
	res.Offered, res.Missed, res.Received, res.Sent = sum.offered, sum.missed, sum.received, sum.sent
	res.Dropped, res.Arrived, res.Wrong = sum.dropped, sum.arrived, sum.wrong
	res.Seconds = sum.wall / hz
	if len(ticks) == 0 {
		return res
	}
	at := func(p int) float64 { return ticks[(len(ticks)-1)*p/100] }
	res.TicksP10, res.TicksPerPacket, res.TicksP90 = at(10), at(50), at(90)
	res.Mpps = hz / res.TicksPerPacket / 1e6
	res.SystemCalls = float64(sum.calls) / float64(sum.packets)
	res.CoreShare = sum.ticks / sum.wall
	res.CoreWanted = max(sum.wanted/sum.wall, res.CoreShare)
	res.CoreWasLimit = sum.missed > 0 && res.CoreWanted >= limitShare
	return res
}
