// Package pcapfile makes ports of capture files: what a port receives is read from one, what it sends is written to
// others. It serves addresses such as pcap:in.pcapng and pcap:,out.pcap.
package pcapfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"glassnic/internal/capfile"
)

// Config says what a port of files does.
type Config struct {
	In  string // file to read, pcap or pcapng; "": none
	Out string // file to write, pcapng where its name ends so, otherwise pcap; "": none
	// Loops is how often In is read; 0 means once, negative without end.
	Loops int
	// Pace hands frames out in their captured rhythm, from the first Receive on; otherwise they are always waiting.
	// A further pass starts one mean gap after the last frame, or after a second where there is one frame only.
	Pace bool
	// Pad fills frames up to 60 bytes, as a sender's MAC does.
	Pad bool
	// Rotation says when Out goes on in another file.
	Rotation capfile.Rotation
}

// Usage is how the part of an address after "pcap:" is written.
const Usage = "[IN][,OUT][,loop[=N]][,pace][,pad][,rotate=SIZE][,every=TIME][,files=N]"

// parse reads an address. A name that is an option must be written as ./pace.
func parse(rest string) (cfg Config, err error) {
	parts := strings.Split(rest, ",")
	cfg.In = parts[0]
	for i, opt := range parts[1:] {
		key, value, _ := strings.Cut(opt, "=")
		ok := true
		switch key {
		case "loop":
			cfg.Loops = -1
			if value != "" {
				cfg.Loops, err = strconv.Atoi(value)
				ok = cfg.Loops > 0
			}
		case "pace":
			cfg.Pace, ok = true, value == ""
		case "pad":
			cfg.Pad, ok = true, value == ""
		case "rotate":
			cfg.Rotation.Bytes, err = size(value)
		case "every":
			cfg.Rotation.Every, err = time.ParseDuration(value)
			ok = cfg.Rotation.Every > 0
		case "files":
			cfg.Rotation.Files, err = strconv.Atoi(value)
			ok = cfg.Rotation.Files > 0
		default:
			if i > 0 {
				return cfg, fmt.Errorf("unknown option %q: want pcap:%s", opt, Usage)
			}
			cfg.Out = opt
		}
		if err != nil || !ok {
			return cfg, fmt.Errorf("option %q: want pcap:%s", opt, Usage)
		}
	}
	if cfg.In == "" && cfg.Out == "" {
		return cfg, fmt.Errorf("no file to read or to write: want pcap:%s", Usage)
	}
	if r := cfg.Rotation; r.Files > 0 && r.Bytes == 0 && r.Every == 0 {
		return cfg, errors.New("option \"files\" goes with rotate or every")
	}
	if cfg.Out == "" && cfg.Rotation != (capfile.Rotation{}) {
		return cfg, errors.New("rotate, every and files go with a file to write")
	}
	return cfg, nil
}

// size reads a number of bytes, with k, M or G for thousands, millions or billions.
func size(s string) (int64, error) {
	unit := int64(1)
	for suffix, factor := range map[string]int64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = d, factor
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return 0, errors.New("no size")
	}
	return n * unit, nil
}
