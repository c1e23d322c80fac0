package wire

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"glassnic/internal/traffic"
)

// Usage lists what Parse understands, one wire a line.
const Usage = `none                        no cable
loop                        what the port sends comes back
gen[,KEY=VALUE...]          test traffic; what the port sends is dropped
sink                        checks what the port sends
discard                     counts what the port sends
peer[,KEY=VALUE...]         gen towards the port, sink from it
tap=NAME                    a kernel TAP interface (Linux)
pcap=IN[,OUT][,loop[=N]][,pace][,pad]   replays IN, records to OUT; either may be left out
impair[,KEY=VALUE...],wire=WIRE         faults in another wire
keys of gen and peer: size=60|60+590|imix rate=1M (frames/s; 0: full) wait count=N flows=N stream=N seq=no routed
  template=udp4|udp6|tcp4|arp|raw smac=MAC dmac=MAC src=IP dst=IP sport=N dport=N
  with a rate, frames that the card is not ready for are lost, unless wait is given; at full rate they wait
keys of impair: lose bad flip dup reorder (each 0.01, or 1/100 for every 100th) dir=rx|tx|both seed=N`

// plan is a parsed description; open makes the End, parse itself has no effects.
type plan struct{ open func() (Counted, error) }

// Parse opens the wire that a description names; see Usage. The error says what is possible.
func Parse(desc string) (Counted, error) {
	p, err := parse(desc)
	if err != nil {
		return nil, err
	}
	return p.open()
}

func parse(desc string) (plan, error) {
	kind, rest, more := strings.Cut(desc, ",")
	if file, ok := strings.CutPrefix(desc, "pcap="); ok {
		return parsePcap(desc, file)
	}
	if name, ok := strings.CutPrefix(desc, "tap="); ok {
		return plan{func() (Counted, error) {
			t, err := OpenTap(name)
			if err != nil {
				return nil, err
			}
			return t, nil
		}}, nil
	}
	switch kind {
	case "gen", "peer":
		return parseSource(desc, kind, options(rest, more))
	case "impair":
		return parseImpair(desc, rest)
	}
	simple := map[string]func() Counted{
		"none":    func() Counted { return new(None) },
		"loop":    func() Counted { return NewLoop() },
		"sink":    func() Counted { return new(Sink) },
		"discard": func() Counted { return new(Discard) },
	}[kind]
	switch {
	case simple == nil:
		return plan{}, fmt.Errorf("wire: unknown wire %q: use one of\n%s", desc, Usage)
	case more:
		return plan{}, fmt.Errorf("wire: %q: %s takes no options", desc, kind)
	}
	return plan{func() (Counted, error) { return simple(), nil }}, nil
}

func options(rest string, any bool) []string {
	if !any {
		return nil
	}
	return strings.Split(rest, ",")
}

func parseSource(desc, kind string, opts []string) (plan, error) {
	cfg := SourceConfig{Spec: traffic.Spec{Seq: true}}
	for _, opt := range opts {
		key, value, _ := strings.Cut(opt, "=")
		if err := setSource(&cfg, key, value); err != nil {
			return plan{}, fmt.Errorf("wire: %q: option %q: %w", desc, opt, err)
		}
	}
	return plan{func() (Counted, error) {
		s, err := NewSource(cfg)
		if err != nil {
			return nil, fmt.Errorf("wire: %q: %w", desc, err)
		}
		if kind == "peer" {
			return NewPeer(s, new(Sink)), nil
		}
		return s, nil
	}}, nil
}

var errOption = errors.New("unknown option: use size, rate, wait, count, flows, stream, seq, routed, template, smac, dmac, src, dst, sport or dport")

func setSource(c *SourceConfig, key, value string) (err error) {
	switch key {
	case "size":
		c.Sizes, err = traffic.ParseSizes(value)
	case "rate":
		c.Rate, err = parseNumber(value)
	case "wait":
		c.Wait, err = parseBool(value)
	case "count":
		var n float64
		if n, err = parseNumber(value); n != math.Trunc(n) {
			err = errors.New("use a whole number of frames")
		}
		c.Count = uint64(n)
	case "flows":
		c.Flows, err = strconv.Atoi(value)
	case "stream":
		c.Stream, err = parse16(value)
	case "seq":
		c.Seq, err = parseBool(value)
	case "routed":
		c.Routed, err = parseBool(value)
	case "template":
		c.Template = value
	case "smac":
		c.SrcMAC, err = net.ParseMAC(value)
	case "dmac":
		c.DstMAC, err = net.ParseMAC(value)
	case "src":
		c.Src, err = netip.ParseAddr(value)
	case "dst":
		c.Dst, err = netip.ParseAddr(value)
	case "sport":
		c.SrcPort, err = parse16(value)
	case "dport":
		c.DstPort, err = parse16(value)
	default:
		err = errOption
	}
	return err
}

func parse16(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err
}

// parseBool takes a bare key as yes.
func parseBool(text string) (bool, error) {
	switch text {
	case "", "yes", "true", "1":
		return true, nil
	case "no", "false", "0":
		return false, nil
	}
	return false, errors.New("use yes or no")
}

// parseNumber reads a number from 0 to 1e15, with k, M or G for thousands, millions or billions.
func parseNumber(text string) (float64, error) {
	digits, unit := text, 1.0
	for suffix, factor := range map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9} {
		if d, ok := strings.CutSuffix(text, suffix); ok {
			digits, unit = d, factor
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if n *= unit; err != nil || !(n >= 0 && n <= 1e15) {
		return 0, errors.New("use a number such as 1000, 14.88M or 1G")
	}
	return n, nil
}

// parsePcap reads IN[,OUT] and options; a name that is an option must be written as ./pace.
func parsePcap(desc, rest string) (plan, error) {
	parts := strings.Split(rest, ",")
	in, out := parts[0], ""
	var cfg PcapConfig
	for i, opt := range parts[1:] {
		key, value, set := strings.Cut(opt, "=")
		var err error
		switch key {
		case "loop":
			cfg.Loops = -1
			if set {
				cfg.Loops, err = strconv.Atoi(value)
			}
		case "pace":
			cfg.Pace, err = parseBool(value)
		case "pad":
			cfg.Pad, err = parseBool(value)
		default:
			if i > 0 {
				err = errors.New("use loop, loop=N, pace or pad after the files")
			}
			out = opt
		}
		if err != nil {
			return plan{}, fmt.Errorf("wire: %q: option %q: %w", desc, opt, err)
		}
	}
	if in == "" && out == "" {
		return plan{}, fmt.Errorf("wire: %q: name a file to read, or after a comma one to write", desc)
	}
	return plan{func() (Counted, error) {
		p, err := OpenPcap(in, out, cfg)
		if err != nil {
			return nil, err
		}
		return p, nil
	}}, nil
}

func parseImpair(desc, rest string) (plan, error) {
	var f Faults
	var seed uint64
	dir := "both"
	for rest != "" {
		if inner, ok := strings.CutPrefix(rest, "wire="); ok {
			p, err := parse(inner)
			if err != nil {
				return plan{}, err
			}
			return planImpair(p, seed, dir, f), nil
		}
		var opt string
		opt, rest, _ = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(opt, "=")
		var err error
		switch key {
		case "lose":
			f.Lose, err = parseChance(value)
		case "bad":
			f.Bad, err = parseChance(value)
		case "flip":
			f.Flip, err = parseChance(value)
		case "dup":
			f.Duplicate, err = parseChance(value)
		case "reorder":
			f.Reorder, err = parseChance(value)
		case "seed":
			seed, err = strconv.ParseUint(value, 10, 64)
		case "dir":
			if dir = value; dir != "rx" && dir != "tx" && dir != "both" {
				err = errors.New("use rx (towards the port), tx or both")
			}
		default:
			err = errors.New("unknown option: use lose, bad, flip, dup, reorder, seed, dir, and last wire")
		}
		if err != nil {
			return plan{}, fmt.Errorf("wire: %q: option %q: %w", desc, opt, err)
		}
	}
	return plan{}, fmt.Errorf("wire: %q: end it with wire=WIRE", desc)
}

func planImpair(inner plan, seed uint64, dir string, f Faults) plan {
	rx, tx := f, f
	if dir == "rx" {
		tx = Faults{}
	}
	if dir == "tx" {
		rx = Faults{}
	}
	return plan{func() (Counted, error) {
		end, err := inner.open()
		if err != nil {
			return nil, err
		}
		m, err := NewImpair(end, seed, rx, tx)
		if err != nil {
			return nil, errors.Join(err, end.Close())
		}
		return m, nil
	}}
}

// parseChance reads a probability ("0.01") or every n-th frame ("1/100").
func parseChance(text string) (Chance, error) {
	if n, ok := strings.CutPrefix(text, "1/"); ok {
		every, err := strconv.ParseUint(n, 10, 64)
		if err == nil && every > 0 {
			return Chance{Every: every}, nil
		}
	} else if p, err := strconv.ParseFloat(text, 64); err == nil && p >= 0 && p <= 1 {
		return Chance{P: p}, nil
	}
	return Chance{}, errors.New("use a probability such as 0.01, or 1/100 for every 100th frame")
}
