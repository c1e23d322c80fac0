package afxdp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// settings are what an address says.
type settings struct {
	name string // of the interface
	mode mode
	copy bool // no zero-copy, even where the driver can
	card bool // times of frames are of the card's clock
	// busy is how many frames the kernel handles at most when it is polled; 0: it is not.
	busy int
	// filter says which frames the port takes, in the language of pcap-filter(7); "": all.
	filter string
}

// mode is where the kernel runs an XDP program.
type mode int

const (
	modeAny     mode = iota
	modeNative       // in the driver
	modeGeneric      // in the stack, before protocols, for drivers that cannot
)

func (m mode) String() string { return [...]string{"any", "native", "generic"}[m] }

// Usage is how the part of an address after "xdp:" is written.
const Usage = "IFNAME[,mode=native|generic][,copy][,busy-poll[=FRAMES]][,card-time][,filter=EXPRESSION]"

const (
	defaultBusy = 64 // as in the kernel (NAPI_POLL_WEIGHT)
	maxBusy     = 1 << 15
)

func parse(rest string) (s settings, err error) {
	rest, s.filter, _ = strings.Cut(rest, ",filter=") // an expression may have commas
	parts := strings.Split(rest, ",")
	s.name = parts[0]
	for _, opt := range parts[1:] {
		key, value, given := strings.Cut(opt, "=")
		switch {
		case opt == "mode=native":
			s.mode = modeNative
		case opt == "mode=generic":
			s.mode = modeGeneric
		case opt == "copy":
			s.copy = true
		case opt == "card-time":
			s.card = true
		case opt == "busy-poll":
			s.busy = defaultBusy
		case key == "busy-poll" && given:
			if s.busy, err = strconv.Atoi(value); err != nil || s.busy < 1 || s.busy > maxBusy {
				return s, fmt.Errorf("%q: want 1 to %d frames", opt, maxBusy)
			}
		default:
			return s, fmt.Errorf("%q: want %s", opt, Usage)
		}
	}
	if s.name == "" {
		return s, errors.New("no interface: want " + Usage)
	}
	return s, nil
}
