package main

import (
	"fmt"
	"io"

	"glassnic/app/forward"
)

// account is what all stations of a demo counted.
type account struct {
	Type       string         `json:"type"` // "account"
	Directions []accountWay   `json:"directions"`
	Wrong      []string       `json:"wrong"` // what does not add up
	Total      forward.Report `json:"-"`
}

// accountWay are the stations of one direction in their order.
type accountWay struct {
	From        string            `json:"from"`
	To          string            `json:"to"`
	Sent        uint64            `json:"generator_sent"`
	CardRx      uint64            `json:"card_received"`
	CardRxDrops map[string]uint64 `json:"card_rx_drops"`
	DriverRx    uint64            `json:"driver_received"`
	DriverDrops map[string]uint64 `json:"driver_rx_drops"`
	FwdRx       uint64            `json:"fwd_received"`
	FwdDrops    map[string]uint64 `json:"fwd_drops"`
	FwdTx       uint64            `json:"fwd_sent"`
	TxDrops     map[string]uint64 `json:"driver_tx_drops"`
	DriverTx    uint64            `json:"driver_sent"`
	CardTxDrops map[string]uint64 `json:"card_tx_drops"`
	CardTx      uint64            `json:"card_sent"`
	Sink        checkTotals       `json:"sink"`
}

// account collects the counts; nothing may be under way any more.
func (r *demo) account(total forward.Report) (*account, error) {
	a := &account{Type: "account", Total: total, Wrong: []string{}}
	for i, d := range total.Directions {
		from, to := i, 1-i
		rx, err := r.ports[from].Stats()
		if err != nil {
			return nil, err
		}
		tx, err := r.ports[to].Stats()
		if err != nil {
			return nil, err
		}
		in, out := stationsOf(r.cards[from].Card, r.taps[from]), stationsOf(r.cards[to].Card, r.taps[to])
		w := accountWay{
			From: d.From, To: d.To, Sent: in.Wire.RxFrames, CardRx: in.Card.RxFrames, CardRxDrops: in.Card.rxDrops(),
			DriverRx: rx.RxPackets, DriverDrops: map[string]uint64{"rx_dropped": rx.RxDropped},
			FwdRx: d.RxPackets, FwdDrops: d.Drops, FwdTx: d.TxPackets,
			TxDrops: map[string]uint64{"tx_dropped": tx.TxDropped}, DriverTx: tx.TxPackets,
			CardTxDrops: out.Card.txDrops(), CardTx: out.Card.TxSent, Sink: out.Checked,
		}
		a.Directions = append(a.Directions, w)
		a.Wrong = append(a.Wrong, w.check()...)
	}
	return a, nil
}

// check returns which stations do not add up.
func (w *accountWay) check() (wrong []string) {
	equal := func(what string, in, out uint64) {
		if in != out {
			wrong = append(wrong, fmt.Sprintf("%s > %s: %s: %d and %d", w.From, w.To, what, in, out))
		}
	}
	equal("generator sent = card received", w.Sent, w.CardRx)
	equal("card received = driver received + card's drops", w.CardRx, w.DriverRx+sum(w.CardRxDrops))
	equal("driver received = fwd received + driver's drops", w.DriverRx, w.FwdRx+sum(w.DriverDrops))
	equal("fwd received = fwd sent + fwd's drops", w.FwdRx, w.FwdTx+sum(w.FwdDrops))
	equal("fwd sent = driver sent + driver's drops", w.FwdTx, w.DriverTx+sum(w.TxDrops))
	equal("driver sent = card sent + card's drops", w.DriverTx, w.CardTx+sum(w.CardTxDrops))
	equal("card sent = sink received", w.CardTx, w.Sink.frames())
	equal("sink received = intact and in order", w.Sink.frames(), w.Sink.OK)
	if n := w.dropped(); w.Sink.Lost > sum(n) {
		equal("frames dropped on the way = lost for the sink", sum(n), w.Sink.Lost)
	}
	if w.Sent == 0 {
		wrong = append(wrong, fmt.Sprintf("%s > %s: the generator sent nothing", w.From, w.To))
	}
	return wrong
}

// dropped adds up the drops of all stations by reason.
func (w *accountWay) dropped() map[string]uint64 {
	n := map[string]uint64{}
	for _, d := range []map[string]uint64{w.CardRxDrops, w.DriverDrops, w.FwdDrops, w.TxDrops, w.CardTxDrops} {
		for k, v := range d {
			n[k] += v
		}
	}
	return n
}

func (a *account) print(out io.Writer) error {
	rows := [][]string{{"STATION"}, {"generator sent"}, {"card received"}, {"driver received"}, {"fwd received"}, {"fwd sent"},
		{"driver sent"}, {"card sent"}, {"sink received"}, {"  intact, in order"}, {"  lost"}, {"  other"}, {"dropped on the way"}}
	for _, w := range a.Directions {
		other := w.Sink.bad()
		delete(other, "lost")
		cells := []string{w.From + " > " + w.To}
		for _, n := range []uint64{w.Sent, w.CardRx, w.DriverRx, w.FwdRx, w.FwdTx, w.DriverTx, w.CardTx, w.Sink.frames(), w.Sink.OK, w.Sink.Lost} {
			cells = append(cells, fmt.Sprint(n))
		}
		cells = append(cells, or(reasons(other), "0"), or(reasons(w.dropped()), "0"))
		for i := range rows {
			rows[i] = append(rows[i], cells[i])
		}
	}
	if err := table(out, rows); err != nil {
		return err
	}
	if len(a.Wrong) == 0 {
		t := a.Total
		fmt.Fprintf(out, "all stations add up: %d packets in %.1f s, %.3f Mpps, %.1f Mbit/s (%.1f with framing), %.1f ticks per packet\n",
			t.RxPackets, t.Seconds, t.Mpps, t.Mbit, t.MbitFramed, t.TicksPerPacket)
	}
	return nil
}
