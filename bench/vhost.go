package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"glassnic/internal/cpu"
)

// The roles of a vhost-user port.
const (
	RoleDriver = "driver" // the partner is DPDK's vhost
	RoleDevice = "device" // the partner is DPDK's virtio-user
)

// The ends that are compared in a role.
const (
	EndGlassnic = "glassnic"
	EndDPDK     = "dpdk"
)

// rings is what the driver's end of a connection may be set to.
type rings struct {
	name, doc string
	dpdk      string // for DPDK's virtio-user
	ours      string // for our address
}

var allRings = []rings{
	{"split", "split rings, DPDK's virtio-user by default", "", ",split"},
	{"split-vectorized", "split rings, mrg_rxbuf=0,in_order=0,vectorized=1 for DPDK's virtio-user", ",mrg_rxbuf=0,in_order=0,vectorized=1", ",split"},
	{"packed", "packed rings, packed_vq=1 for DPDK's virtio-user", ",packed_vq=1", ""},
	{"packed-vectorized", "packed rings, packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1, for which DPDK wants AVX512", ",packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1", ""},
}

// Rings names the settings of rings.
func Rings() []string {
	var names []string
	for _, r := range allRings {
		names = append(names, r.name)
	}
	return names
}

// DescribeRings says in a line what a setting is, "" for an unknown one.
func DescribeRings(name string) string {
	for _, r := range allRings {
		if r.name == name {
			return r.doc
		}
	}
	return ""
}

// VhostOptions say what Vhost measures. The zero value measures everything in about a minute.
type VhostOptions struct {
	Roles  []string      // empty: RoleDriver and RoleDevice
	Rings  []string      // from Rings(); empty: all
	Ends   []string      // empty: EndGlassnic and EndDPDK
	Slice  time.Duration // length of one measurement; 0: 250 ms
	Rounds int           // slices for each role, rings and end; 0: 10
	CPUs   []int         // the end's, then the partner's; empty: the first two that may be used
}

// VhostResult is what one end of a vhost-user connection took in one role, and its partner meanwhile. Ticks are those of
// package tsc for each packet that was received and sent back, of the bursts that received some. Percentiles are over
// slices.
type VhostResult struct {
	Role            string  `json:"role"`
	Rings           string  `json:"rings"`
	End             string  `json:"end"`
	MppsP10         float64 `json:"mpps_p10"` // millions of frames that went round in a second
	MppsP50         float64 `json:"mpps_p50"`
	MppsP90         float64 `json:"mpps_p90"`
	TicksP10        float64 `json:"ticks_p10"`
	TicksP50        float64 `json:"ticks_p50"`
	TicksP90        float64 `json:"ticks_p90"`
	PartnerTicksP10 float64 `json:"partner_ticks_p10"`
	PartnerTicksP50 float64 `json:"partner_ticks_p50"`
	PartnerTicksP90 float64 `json:"partner_ticks_p90"`
	Packets         uint64  `json:"packets"` // that the end received while measuring
	HugePages       bool    `json:"huge_pages"`

	// In terms of DPDK in the same role, as the median over rounds. 0 for DPDK, and where it did not run.
	MppsOfDPDK         float64 `json:"mpps_of_dpdk,omitempty"`
	TicksOfDPDK        float64 `json:"ticks_of_dpdk,omitempty"`
	PartnerTicksOfDPDK float64 `json:"partner_ticks_of_dpdk,omitempty"`
}

func (o VhostOptions) defaults() (VhostOptions, error) {
	for _, c := range []struct {
		what string
		p    *[]string
		have []string
	}{
		{"role", &o.Roles, []string{RoleDriver, RoleDevice}},
		{"rings", &o.Rings, Rings()},
		{"end", &o.Ends, []string{EndGlassnic, EndDPDK}},
	} {
		if len(*c.p) == 0 {
			*c.p = c.have
		}
		for _, v := range *c.p {
			if !slices.Contains(c.have, v) {
				return o, fmt.Errorf("bench: no %s %q: have %s", c.what, v, strings.Join(c.have, ", "))
			}
		}
	}
	if o.Slice == 0 {
		o.Slice = 250 * time.Millisecond
	}
	if o.Rounds == 0 {
		o.Rounds = 10
	}
	if o.Slice < 0 || o.Rounds < 0 {
		return o, fmt.Errorf("bench: %d slices of %v: want at least one", o.Rounds, o.Slice)
	}
	if len(o.CPUs) == 0 {
		have, err := cpu.Allowed()
		if err != nil && !errors.Is(err, cpu.ErrUnsupported) {
			return o, err
		}
		o.CPUs = have
	}
	if len(o.CPUs) < 2 {
		return o, fmt.Errorf("bench: two ends need two CPUs, not %v", o.CPUs)
	}
	return o, nil
}

// VhostTable writes results as a table: a line for each role, rings and end with medians and, in brackets, the tenth and
// ninetieth percentile, each followed by the ratio to DPDK.
func VhostTable(w io.Writer, results []VhostResult) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "role\trings\tend\tMpps\tof DPDK\tticks\tof DPDK\tpartner's ticks\tof DPDK\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f (%.2f–%.2f)\t%s\t%.1f (%.1f–%.1f)\t%s\t%.1f (%.1f–%.1f)\t%s\t\n", r.Role, r.Rings, r.End,
			r.MppsP50, r.MppsP10, r.MppsP90, ratio(r.MppsOfDPDK), r.TicksP50, r.TicksP10, r.TicksP90, ratio(r.TicksOfDPDK),
			r.PartnerTicksP50, r.PartnerTicksP10, r.PartnerTicksP90, ratio(r.PartnerTicksOfDPDK))
	}
	return t.Flush()
}
