package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"glassnic/internal/traffic"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func newSim() *cobra.Command {
	return group("sim", "Simulated cards", newSimDemo(), newSimServe(), newSimTrace(), newSimWires())
}

func newSimWires() *cobra.Command {
	return &cobra.Command{
		Use: "wires", Short: "Say what simulated cards can be plugged into", Args: wants,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), `A simulated card is plugged into a wire. The address sim:WIRE is a card in this process, such as
sim:gen,size=60,rate=1M; sim serve DIR --port WIRE publishes one for other processes.

%s
cable=NAME                  joins the two ports of one sim serve that have the same name
`, wire.Usage)
			return err
		},
	}
}

// cardTotals are a card's counts as --json prints them.
type cardTotals struct {
	RxFrames       uint64 `json:"rx_frames"`
	RxHost         uint64 `json:"rx_host"`
	RxFiltered     uint64 `json:"rx_filtered"`
	RxBadCRC       uint64 `json:"rx_bad_crc"`
	RxShort        uint64 `json:"rx_short"`
	RxLong         uint64 `json:"rx_long"`
	RxMissed       uint64 `json:"rx_missed"`
	RxNoDescriptor uint64 `json:"rx_no_descriptor"`
	RxDisabled     uint64 `json:"rx_disabled"`
	RxFault        uint64 `json:"rx_fault"`
	TxSent         uint64 `json:"tx_sent"`
	TxMalformed    uint64 `json:"tx_malformed"`
	TxUnsupported  uint64 `json:"tx_unsupported"`
	TxFault        uint64 `json:"tx_fault"`
	RxBytes        uint64 `json:"rx_bytes"`
	TxBytes        uint64 `json:"tx_bytes"`
}

// rxDrops are the frames that a card took from the wire and did not write to memory.
func (t cardTotals) rxDrops() map[string]uint64 {
	return map[string]uint64{
		"rx_filtered": t.RxFiltered, "rx_bad_crc": t.RxBadCRC, "rx_short": t.RxShort, "rx_long": t.RxLong,
		"rx_missed": t.RxMissed, "rx_no_descriptor": t.RxNoDescriptor, "rx_disabled": t.RxDisabled, "rx_fault": t.RxFault,
	}
}

// txDrops are the frames that a driver handed over and a card did not send.
func (t cardTotals) txDrops() map[string]uint64 {
	return map[string]uint64{"tx_malformed": t.TxMalformed, "tx_unsupported": t.TxUnsupported, "tx_fault": t.TxFault}
}

// wireTotals are what passed a wire, named from the card's side.
type wireTotals struct {
	RxFrames uint64 `json:"rx_frames"` // towards the card
	RxBytes  uint64 `json:"rx_bytes"`
	TxFrames uint64 `json:"tx_frames"` // from the card
	TxBytes  uint64 `json:"tx_bytes"`
	Dropped  uint64 `json:"dropped"`
}

// checkTotals are a sink's verdicts on frames.
type checkTotals struct {
	OK        uint64 `json:"ok"`
	Reordered uint64 `json:"reordered"`
	Duplicate uint64 `json:"duplicate"`
	Stale     uint64 `json:"stale"`
	Corrupt   uint64 `json:"corrupt"`
	Foreign   uint64 `json:"foreign"`
	Lost      uint64 `json:"lost"`
}

// frames is how many were checked.
func (t checkTotals) frames() uint64 { return traffic.Totals(t).Frames() }

// bad are the verdicts other than ok.
func (t checkTotals) bad() map[string]uint64 {
	return map[string]uint64{
		"reordered": t.Reordered, "duplicate": t.Duplicate, "stale": t.Stale,
		"corrupt": t.Corrupt, "foreign": t.Foreign, "lost": t.Lost,
	}
}

// stations are what a card and its wire counted.
type stations struct {
	Card    cardTotals  `json:"card"`
	Wire    wireTotals  `json:"wire_totals"`
	Checked checkTotals `json:"checked"`
}

func stationsOf(card *ixgbe.Card, end wire.End) stations {
	s := stations{Card: cardTotals(card.Totals())}
	if w, ok := end.(wire.Counted); ok {
		s.Wire = wireTotals(w.Stats())
	}
	if w, ok := end.(wire.Checked); ok {
		s.Checked = checkTotals(w.Totals())
	}
	return s
}
