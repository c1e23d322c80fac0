// Package traffic makes test frames and checks them: what a generator sends carries a stream id, a
// sequence number and a check word, so that a checker tells loss, duplicates, reordering and
// corruption apart.
package traffic

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The range of frame sizes in bytes, without the 4-byte FCS: 60 is Ethernet's minimum.
const (
	MinSize = 60
	MaxSize = 16000
)

// maxSizes bounds Spec.Sizes, and with it the memory that templates take.
const maxSizes = 1024

// Names of the templates. Each has the smallest size that holds its headers and the tag.
const (
	UDP4 = "udp4" // Ethernet, IPv4, UDP without checksum: 60 bytes and up
	UDP6 = "udp6" // Ethernet, IPv6, UDP: 80 bytes and up
	TCP4 = "tcp4" // Ethernet, IPv4, TCP: 72 bytes and up
	ARP  = "arp"  // an ARP request with the tag in its padding: 60 bytes and up
	Raw  = "raw"  // EtherType 0x88B5 (IEEE 802, local experimental): 60 bytes and up
)

// IMIX is the simple Internet mix, 7 frames of 60, 4 of 590 and 1 of 1514 bytes, spread evenly.
var IMIX = []int{60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590, 60}

// Spec describes the frames of one stream. Zero fields mean the default in brackets.
type Spec struct {
	Template string // one of the names above [UDP4]
	Size     int    // bytes without FCS, MinSize–MaxSize [MinSize, or what the template needs]
	Sizes    []int  // sizes used in turn, at most 1024; Size must then be 0
	Stream   uint16 // tells streams apart in a checker

	SrcMAC, DstMAC   net.HardwareAddr // [02:00:00:00:00:01, 02:00:00:00:00:02; ARP: broadcast]
	Src, Dst         netip.Addr       // [198.18.0.1, 198.19.0.1 (RFC 2544); 2001:2::1, 2001:2::2 (RFC 5180)]
	SrcPort, DstPort uint16           // UDP and TCP [49152, 9]
	// Flows is the number of source ports used in turn, from SrcPort up, wrapping at 65535 [1].
	Flows int

	// Seq numbers the frames from 0. Without it all frames of a size are equal, and a checker can
	// tell corruption only.
	Seq bool
	// Routed is for frames whose headers change on the way: the check then covers the payload only,
	// not the headers.
	Routed bool
}

// layout says where a template has what; offsets in bytes from the start of the frame, 0 for none.
type layout struct {
	name      string
	tag       int // the tag, which follows the headers
	port      int // source port
	checksum  int // UDP or TCP checksum that covers the tag
	v6        bool
	zeroIsAll bool // a checksum of zero is sent as 0xffff (RFC 8200 section 8.1)
}

var layouts = []layout{
	{name: UDP4, tag: 42, port: 34},
	{name: UDP6, tag: 62, port: 54, checksum: 60, v6: true, zeroIsAll: true},
	{name: TCP4, tag: 54, port: 34, checksum: 50},
	{name: ARP, tag: 42},
	{name: Raw, tag: 14},
}

// Names returns the names of the templates.
func Names() []string {
	var names []string
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

func (l *layout) min() int { return max(MinSize, l.tag+tagLen) }

// resolve checks s and fills in the defaults.
func (s Spec) resolve() (Spec, *layout, error) {
	if s.Template == "" {
		s.Template = UDP4
	}
	var l *layout
	for i := range layouts {
		if layouts[i].name == s.Template {
			l = &layouts[i]
		}
	}
	if l == nil {
		return s, nil, fmt.Errorf("traffic: unknown template %q: use one of %s", s.Template, strings.Join(Names(), ", "))
	}
	if err := s.resolveSizes(l); err != nil {
		return s, nil, err
	}
	if err := s.resolveAddresses(l); err != nil {
		return s, nil, err
	}
	if s.Flows == 0 {
		s.Flows = 1
	}
	if s.Flows < 0 || s.Flows > 65536 {
		return s, nil, fmt.Errorf("traffic: %d flows: use 1 to 65536", s.Flows)
	}
	if s.Flows > 1 && l.port == 0 {
		return s, nil, fmt.Errorf("traffic: template %s has no ports to tell %d flows by: use udp4, udp6 or tcp4", l.name, s.Flows)
	}
	return s, l, nil
}

func (s *Spec) resolveSizes(l *layout) error {
	switch {
	case len(s.Sizes) > maxSizes:
		return fmt.Errorf("traffic: %d sizes: at most %d", len(s.Sizes), maxSizes)
	case len(s.Sizes) > 0 && s.Size != 0:
		return errors.New("traffic: Size and Sizes are both set: use one")
	case len(s.Sizes) == 0 && s.Size == 0:
		s.Size = l.min()
	}
	if len(s.Sizes) == 0 {
		s.Sizes = []int{s.Size}
	}
	for _, n := range s.Sizes {
		if n < l.min() || n > MaxSize {
			return fmt.Errorf("traffic: size %d: template %s takes %d to %d bytes (without FCS)", n, l.name, l.min(), MaxSize)
		}
	}
	s.Size = 0
	return nil
}

func (s *Spec) resolveAddresses(l *layout) error {
	if s.SrcMAC == nil {
		s.SrcMAC = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	}
	if s.DstMAC == nil {
		s.DstMAC = net.HardwareAddr{2, 0, 0, 0, 0, 2}
		if l.name == ARP {
			s.DstMAC = net.HardwareAddr{255, 255, 255, 255, 255, 255}
		}
	}
	if len(s.SrcMAC) != 6 || len(s.DstMAC) != 6 {
		return fmt.Errorf("traffic: MAC addresses %s and %s: both must have 6 bytes", s.SrcMAC, s.DstMAC)
	}
	src, dst := "198.18.0.1", "198.19.0.1"
	if l.v6 {
		src, dst = "2001:2::1", "2001:2::2"
	}
	if !s.Src.IsValid() {
		s.Src = netip.MustParseAddr(src)
	}
	if !s.Dst.IsValid() {
		s.Dst = netip.MustParseAddr(dst)
	}
	if l.name != Raw && (s.Src.Is4() == l.v6 || s.Dst.Is4() == l.v6) {
		return fmt.Errorf("traffic: addresses %s and %s do not fit template %s", s.Src, s.Dst, l.name)
	}
	if s.SrcPort == 0 {
		s.SrcPort = 49152
	}
	if s.DstPort == 0 {
		s.DstPort = 9
	}
	return nil
}

// ParseSizes reads a list of sizes as command lines have it: "64", "60+590+1514", or "imix".
func ParseSizes(text string) ([]int, error) {
	if text == "imix" {
		return IMIX, nil
	}
	parts := strings.Split(text, "+")
	if len(parts) > maxSizes {
		return nil, fmt.Errorf("traffic: %d sizes: at most %d", len(parts), maxSizes)
	}
	var sizes []int
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < MinSize || n > MaxSize {
			return nil, fmt.Errorf("traffic: size %q: use %d to %d bytes (without FCS), several joined by +, or imix", part, MinSize, MaxSize)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}
