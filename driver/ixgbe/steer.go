package ixgbe

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// place is the facility that serves a rule, in the order in which the card looks them up (7.1.2.1).
type place uint8

const (
	byEtherType place = iota
	bySYNFirst
	byTuple
	bySYNLast
	byDirector
)

var placeNames = [...]string{"EtherType filters", "the SYN filter", "five-tuple filters", "the SYN filter", "flow director"}

// steering is rules and who serves each.
type steering struct {
	rules  []nic.Rule
	places []place
	mask   flowMask // of those in flow director
}

// Steerable implements nic.Filterer.
func (d *Device) Steerable() nic.RuleKinds {
	return nic.RuleEtherType | nic.RuleSYN | nic.RuleFlow | nic.RuleDrop | nic.RuleFlow6
}

// Rules implements nic.Filterer.
func (d *Device) Rules() []nic.Rule {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.steering.rules)
}

// SetRules implements nic.Filterer. Flows go to five-tuple filters as far as those can do them and there are some left,
// else to flow director, whose rules must all say the same fields, with prefixes of the same length. It serves flows of IPv4,
// compared field by field, or those of IPv6, by a hash of 28 bits alone (7.1.2.7): of 2^28 other frames one goes where a rule
// says, and all whose addresses are the same when their words of 32 bits are added without carry, such as 2001:db8::a and
// 2001:db8:0:1::b. So rules of IPv6 do not drop. The first rule that needs flow director, or has it change from one to the
// other, stops reception for a moment, in which it takes a part of the packet buffer.
func (d *Device) SetRules(rules []nic.Rule) error {
	const step = "set rules"
	s, err := plan(rules, len(d.rx))
	if err != nil {
		return d.fail(step, "%w", err)
	}
	if e := d.change(step, func() { err = d.steer(s) }); e != nil {
		return e
	}
	return err
}

// etherTypeSlots are the EtherType filters for rules: all but that for time stamps (ptpFilter).
var etherTypeSlots = []int{0, 1, 2, 3, 4, 5, 6}

// plan finds a place for each rule, so that of two that match a frame the first counts.
func plan(rules []nic.Rule, queues int) (steering, error) {
	s := steering{rules: slices.Clone(rules), places: make([]place, len(rules))}
	var used [byDirector + 1]int
	for i, r := range rules {
		err := r.Check(queues)
		if err == nil {
			s.places[i], err = placeOf(r, used[byTuple])
		}
		if err == nil && s.places[i] == bySYNFirst && slices.ContainsFunc(rules[:i], r.Overlaps) {
			s.places[i] = bySYNLast
		}
		used[s.places[i]]++
		if err != nil {
			return s, fmt.Errorf("%v: %w", r, err)
		}
	}
	switch {
	case used[byEtherType] > len(etherTypeSlots):
		return s, fmt.Errorf("%d rules of EtherTypes: the card has room for %d (7.1.2.3)", used[byEtherType], len(etherTypeSlots))
	case used[bySYNFirst]+used[bySYNLast] > 1:
		return s, errors.New("the card has one SYN filter (7.1.2.6)")
	}
	if err := s.directorFits(); err != nil {
		return s, err
	}
	return s, s.inOrder()
}

// inOrder refuses rules that the card would look up in another order, where that makes a difference.
func (s *steering) inOrder() error {
	for j, b := range s.rules {
		for i, a := range s.rules[:j] {
			switch before, behind := s.places[i], s.places[j]; {
			case before < behind || before == byTuple && behind == byTuple || !a.Overlaps(b):
			case before == behind:
				return fmt.Errorf("%v: never comes in force behind %v", b, a)
			default:
				return fmt.Errorf("%v: the card looks %s up before %s, and so this rule before %v: put it first", b, placeNames[behind], placeNames[before], a)
			}
		}
	}
	return nil
}

// placeOf returns who serves a rule, where so many five-tuple filters are in use.
func placeOf(r nic.Rule, tuples int) (place, error) {
	flow := r.EtherType == 0 && !r.SYN
	switch {
	case !flow && r.Queue == nic.Drop:
		return byDirector, errors.New("the card drops by flow director only, which knows flows of IPv4 (7.1.2.7)")
	case r.EtherType == ipv4 || r.EtherType == ipv6 || r.EtherType == tagType:
		return byEtherType, errors.New("EtherType filters are not for IP and VLAN tags (7.1.2.3)")
	case r.EtherType != 0:
		return byEtherType, nil
	case r.SYN:
		return bySYNFirst, nil
	case !r.IPv6 && single(r.Src) && single(r.Dst) && r.VLAN == 0 && r.Queue != nic.Drop && tuples < chip.TupleFilters:
		return byTuple, nil
	}
	return byDirector, directorDoes(r)
}

// single tells whether a prefix is one address, or none at all.
func single(p netip.Prefix) bool { return !p.IsValid() || p.IsSingleIP() }

// steer puts rules in the place of those before.
func (d *Device) steer(s steering) error {
	r := d.regs
	was := d.steering
	d.steering = steering{}
	if err := d.emptyDirector(was); err != nil {
		return err
	}
	var used [byDirector + 1]int
	syn := uint32(0)
	for i, rule := range s.rules {
		n := used[s.places[i]]
		used[s.places[i]]++
		switch s.places[i] {
		case byEtherType:
			at := etherTypeSlots[n]
			r.Write32(chip.ETQS(at), chip.EtqsQUEUEEN|uint32(rule.Queue)<<chip.EtqsRXQShift)
			filter := chip.EtqfFILTEREN | uint32(rule.EtherType)
			if d.clock != nil && rule.EtherType == ptpType {
				filter |= chip.Etqf1588 // it matches before ptpFilter
			}
			r.Write32(chip.ETQF(at), filter)
		case bySYNFirst:
			syn = chip.SynqfQUEUEEN | chip.SynqfSYNQFP | uint32(rule.Queue)<<chip.SynqfRXQShift
		case bySYNLast:
			syn = chip.SynqfQUEUEEN | uint32(rule.Queue)<<chip.SynqfRXQShift
		case byTuple:
			d.setTuple(n, rule)
		}
	}
	r.Write32(chip.SYNQF, syn)
	for _, at := range etherTypeSlots[used[byEtherType]:] {
		r.Write32(chip.ETQF(at), 0)
	}
	for i := used[byTuple]; i < chip.TupleFilters; i++ {
		r.Write32(chip.FTQF(i), 0)
	}
	if err := d.fillDirector(s); err != nil {
		return err
	}
	d.steering = s
	return nil
}

// setTuple writes a five-tuple filter (7.1.2.5). It is off while it changes. Of filters of one priority the first counts.
func (d *Device) setTuple(i int, rule nic.Rule) {
	r := d.regs
	r.Write32(chip.FTQF(i), 0)
	f := chip.FtqfQUEUEEN | chip.FtqfPOOLMASK | 1<<chip.FtqfPRIORITYShift
	for _, m := range []struct {
		any bool
		bit uint32
	}{
		{!rule.Src.IsValid(), chip.FtqfMASKSource}, {!rule.Dst.IsValid(), chip.FtqfMASKDest},
		{rule.SrcPort == 0, chip.FtqfMASKSPort}, {rule.DstPort == 0, chip.FtqfMASKDPort}, {rule.Protocol == 0, chip.FtqfMASKProtocol},
	} {
		if m.any {
			f |= m.bit
		}
	}
	switch rule.Protocol {
	case 6:
		f |= chip.TupleTCP
	case 17:
		f |= chip.TupleUDP
	case 132:
		f |= chip.TupleSCTP
	}
	r.Write32(chip.SAQF(i), wireAddress(rule.Src))
	r.Write32(chip.DAQF(i), wireAddress(rule.Dst))
	r.Write32(chip.SDPQF(i), uint32(turned(rule.SrcPort))|uint32(turned(rule.DstPort))<<16)
	r.Write32(chip.L34TIMIR(i), chip.L34timirSIZEBP|chip.L34timirReserved|uint32(rule.Queue)<<chip.L34timirRXQShift)
	r.Write32(chip.FTQF(i), f)
}

// turned is a number in the byte order of the wire, first byte lowest.
func turned(v uint16) uint16 { return v>>8 | v<<8 }

// wireAddress is the same of an address.
func wireAddress(p netip.Prefix) uint32 {
	if !p.IsValid() {
		return 0
	}
	a := p.Addr().As4()
	return uint32(a[0]) | uint32(a[1])<<8 | uint32(a[2])<<16 | uint32(a[3])<<24
}
