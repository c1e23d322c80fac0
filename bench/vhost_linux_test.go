package bench

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestVhostOptionsRefused(t *testing.T) {
	for want, o := range map[string]VhostOptions{
		"role":     {Roles: []string{"sideways"}},
		"rings":    {Rings: []string{"round"}},
		"glassnic": {Ends: []string{"loose"}},
		"two CPUs": {CPUs: []int{0}},
		"at least": {Rounds: -1},
		"slices":   {Slice: -1},
	} {
		err := Vhost(context.Background(), o, func(VhostResult) { t.Error("result") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v does not name %q", o, err, want)
		}
	}
}

// Ratios are medians over rounds, not of medians.
func TestVhostResults(t *testing.T) {
	all := results([]*circle{
		{name: EndGlassnic, packets: 7, mpps: []float64{1, 4, 9}, ticks: []float64{10, 20, 90}, partnerTicks: []float64{3, 3, 3}},
		{name: EndDPDK, mpps: []float64{1, 2, 3}, ticks: []float64{20, 10, 30}, partnerTicks: []float64{1, 2, 3}},
	}, RoleDriver, allRings[0], true)
	ours, dpdk := all[0], all[1]
	if ours.MppsOfDPDK != 2 || ours.TicksOfDPDK != 2 || ours.PartnerTicksOfDPDK != 1.5 || ours.TicksP50 != 20 || ours.TicksP90 != 20 || ours.Packets != 7 {
		t.Errorf("ours: %+v", ours)
	}
	if dpdk.TicksOfDPDK != 0 || dpdk.MppsP50 != 2 || dpdk.PartnerTicksP10 != 1 || dpdk.Rings != "split" {
		t.Errorf("DPDK: %+v", dpdk)
	}
}

func TestVhostTable(t *testing.T) {
	var b strings.Builder
	err := VhostTable(&b, []VhostResult{{
		Role: RoleDevice, Rings: "packed", End: EndGlassnic, MppsP10: 1, MppsP50: 2, MppsP90: 3, MppsOfDPDK: 1.25,
		TicksP10: 10, TicksP50: 20, TicksP90: 30, TicksOfDPDK: 0.5, PartnerTicksP10: 4, PartnerTicksP50: 5, PartnerTicksP90: 6,
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(strings.Split(b.String(), "\n")[1])
	want := []string{"device", "packed", "glassnic", "2.00", "(1.00–3.00)", "1.25", "20.0", "(10.0–30.0)", "0.50", "5.0", "(4.0–6.0)", "-"}
	if !slices.Equal(got, want) {
		t.Errorf("line %q, want %q", got, want)
	}
}

// The names of the JSON fields are an interface.
func TestVhostJSONNames(t *testing.T) {
	b, err := json.Marshal(VhostResult{MppsOfDPDK: 1, TicksOfDPDK: 1, PartnerTicksOfDPDK: 1})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"role", "rings", "end", "mpps_p10", "mpps_p50", "mpps_p90", "ticks_p10", "ticks_p50", "ticks_p90",
		"partner_ticks_p10", "partner_ticks_p50", "partner_ticks_p90", "packets", "huge_pages",
		"mpps_of_dpdk", "ticks_of_dpdk", "partner_ticks_of_dpdk",
	}
	for _, name := range want {
		if _, ok := m[name]; !ok {
			t.Errorf("no field %s in %s", name, b)
		}
	}
	if len(m) != len(want) {
		t.Errorf("%d fields in %s, want %d", len(m), b, len(want))
	}
}
