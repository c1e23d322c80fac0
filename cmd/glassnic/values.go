package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/internal/cpu"
	"glassnic/nic"
)

// Types of flags; they implement pflag.Value.

// number is a number with an optional unit: 14.88M.
type number float64

func (n *number) String() string { return strconv.FormatFloat(float64(*n), 'g', -1, 64) }
func (n *number) Type() string   { return "number" }

func (n *number) Set(s string) error {
	digits, unit := s, 1.0
	for suffix, factor := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, unit = d, factor
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if v *= unit; err != nil || !(v >= 0 && v <= 1e15) {
		return errors.New("want a number such as 1000, 14.88M or 1G")
	}
	*n = number(v)
	return nil
}

// count is a whole number with an optional unit: 100M.
type count uint64

func (c *count) String() string { return strconv.FormatUint(uint64(*c), 10) }
func (c *count) Type() string   { return "count" }

func (c *count) Set(s string) error {
	var n number
	if err := n.Set(s); err != nil || float64(n) != math.Trunc(float64(n)) {
		return errors.New("want a whole number such as 1000, 64k or 100M")
	}
	*c = count(n)
	return nil
}

// cpus is a list of CPUs as taskset has it: 0,2-3.
type cpus []int

func (c *cpus) Type() string { return "list" }

func (c *cpus) String() string {
	var s []string
	for _, n := range *c {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

func (c *cpus) Set(s string) (err error) {
	*c, err = cpu.ParseList(s)
	return err
}

// period is a length of time that is not negative.
type period struct{ *time.Duration }

func (p period) Type() string { return "duration" }

func (p period) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return errors.New("want a time such as 10s, 1.5h or 100ms")
	}
	*p.Duration = d
	return nil
}

// choice is one of a few words.
type choice struct {
	value string
	of    []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("want %s", strings.Join(c.of, ", "))
	}
	c.value = s
	return nil
}

// add adds the flag, which shells complete.
func (c *choice) add(cmd *cobra.Command, name, usage string, def string, of ...string) {
	c.value, c.of = def, of
	cmd.Flags().Var(c, name, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp))
}

// vlans is a list of VLANs: 5,100. "none" is a list of none, and nil no list.
type vlans []uint16

func (v *vlans) Type() string { return "list" }

func (v *vlans) String() string {
	var s []string
	for _, id := range *v {
		s = append(s, strconv.Itoa(int(id)))
	}
	return strings.Join(s, ",")
}

func (v *vlans) Set(s string) error {
	*v = vlans{}
	if s == "none" {
		return nil
	}
	for part := range strings.SplitSeq(s, ",") {
		id, err := strconv.ParseUint(part, 10, 16)
		if err != nil || nic.CheckVLANs([]uint16{uint16(id)}) != nil {
			return errors.New("want VLANs from 0 to 4094 such as 5,100, or none")
		}
		*v = append(*v, uint16(id))
	}
	return nil
}

// hashing is how received frames are spread over queues, as nic.ParseHashing has it; "" leaves it to the driver.
type hashing string

func (h *hashing) Type() string   { return "list" }
func (h *hashing) String() string { return string(*h) }

func (h *hashing) Set(s string) error {
	_, err := nic.ParseHashing(s, 1)
	*h = hashing(s)
	return err
}

// apply sets a port's hash.
func (h hashing) apply(d nic.Device) error {
	if h == "" {
		return nil
	}
	p, ok := d.(nic.Hasher)
	if !ok {
		return fmt.Errorf("%s: --rss: the port has no hash: leave it out", d.Info().Address)
	}
	settings, err := nic.ParseHashing(string(h), d.Info().RxQueues)
	if err != nil {
		return err
	}
	return p.SetHash(settings)
}

// rules are what a flag that may come several times says.
type rules []nic.Rule

func (r *rules) Type() string { return "rule" }

func (r *rules) String() string {
	var s []string
	for _, one := range *r {
		s = append(s, one.String())
	}
	return strings.Join(s, "; ")
}

func (r *rules) Set(s string) error {
	one, err := nic.ParseRule(s)
	*r = append(*r, one)
	return err
}

// apply sets a port's rules.
func (r rules) apply(d nic.Device) error {
	if len(r) == 0 {
		return nil
	}
	p, ok := d.(nic.Filterer)
	if !ok {
		return fmt.Errorf("%s: --steer: the port leads nothing to queues: leave it out", d.Info().Address)
	}
	return p.SetRules(r)
}
