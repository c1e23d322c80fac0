package filter

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Names resolves the names in an expression.
type Names interface {
	// Host returns all addresses of a host.
	Host(ctx context.Context, name string) ([]netip.Addr, error)
	// Net returns the number of a net, as networks(5) has it.
	Net(name string) (number uint32, ok bool)
	// Service returns the ports of a service, -1 where the protocol has none of that name.
	Service(name string) (tcp, udp int)
	// Protocol returns the number of an IP protocol.
	Protocol(name string) (number uint32, ok bool)
	// Ether returns the Ethernet address of a host, as ethers(5) has it.
	Ether(name string) (addr [6]byte, ok bool)
}

// System resolves names as the system does: hosts by its resolver, all others in /etc.
type System struct{}

// Host implements Names.
func (System) Host(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// Net implements Names.
func (System) Net(name string) (uint32, bool) {
	for _, f := range fields("/etc/networks") {
		if named(name, f[0], f[2:]) {
			v, _, err := quad(f[1])
			return v, err == nil
		}
	}
	return 0, false
}

// Service implements Names.
func (System) Service(name string) (tcp, udp int) {
	tcp, udp = -1, -1
	for _, f := range fields("/etc/services") {
		if !named(name, f[0], f[2:]) {
			continue
		}
		number, proto, _ := strings.Cut(f[1], "/")
		n, err := strconv.ParseUint(number, 10, 16)
		switch {
		case err != nil:
		case proto == "tcp" && tcp < 0:
			tcp = int(n)
		case proto == "udp" && udp < 0:
			udp = int(n)
		}
	}
	return tcp, udp
}

// Protocol implements Names. Without /etc/protocols it knows the few that are keywords.
func (System) Protocol(name string) (uint32, bool) {
	lines := fields("/etc/protocols")
	for _, f := range lines {
		if named(name, f[0], f[2:]) {
			n, err := strconv.ParseUint(f[1], 10, 8)
			return uint32(n), err == nil
		}
	}
	n, ok := ipProtocols[name]
	return n, ok && len(lines) == 0
}

// Ether implements Names.
func (System) Ether(name string) (addr [6]byte, ok bool) {
	for _, f := range fields("/etc/ethers") {
		if f[1] == name {
			a, err := mac(f[0])
			return a, err == nil
		}
	}
	return addr, false
}

func named(name, first string, aliases []string) bool {
	return first == name || slices.Contains(aliases, name)
}

// fields returns the lines of a file with two fields or more, without comments; none where it cannot be read.
func fields(path string) (lines [][]string) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		text, _, _ := strings.Cut(s.Text(), "#")
		if l := strings.Fields(text); len(l) >= 2 {
			lines = append(lines, l)
		}
	}
	return lines
}

// name is a name with qualifiers.
func (g *gen) name(name string, q qual) (*cond, error) {
	switch q.kind {
	case "", "host":
		if q.none {
			return nil, errQualifier
		}
		return g.hostName(name, q)
	case "net":
		v, ok := g.names.Net(name)
		if !ok {
			return nil, fmt.Errorf("net %q is not in /etc/networks", name)
		}
		mask := all32
		for v != 0 && v>>24 == 0 {
			v, mask = v<<8, mask<<8
		}
		return g.net4(v, mask, q)
	case "port":
		n, only, err := g.portName(name)
		if err != nil {
			return nil, err
		}
		return g.namedPorts(name, n, n, only, q)
	case "portrange":
		first, last, _ := strings.Cut(name, "-")
		if last == "" {
			last = first
		}
		low, only, err := g.portName(first)
		if err != nil {
			return nil, err
		}
		high, other, err := g.portName(last)
		if err != nil {
			return nil, err
		}
		if only != other {
			only = ""
		}
		return g.namedPorts(name, low, high, only, q)
	case "proto", "protochain":
		v, ok := g.protoName(name, q.proto)
		if !ok {
			return nil, fmt.Errorf("%s %s: protocol %q is not known", q.proto, q.kind, name)
		}
		return g.number(v, q)
	}
	return nil, errGateway
}

func (g *gen) hostName(name string, q qual) (*cond, error) {
	switch q.proto {
	case "ether":
		a, ok := g.names.Ether(name)
		if !ok {
			return nil, fmt.Errorf("ether host %q is not in /etc/ethers", name)
		}
		return g.etherHost(a, q.dir)
	case "decnet":
		return nil, fmt.Errorf("%q is no DECnet address: want AREA.NODE", name)
	case "", "ip", "ip6", "arp", "rarp":
	default:
		return nil, fmt.Errorf("%s does not have hosts", q.proto)
	}
	all, err := g.names.Host(g.ctx, name)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", name, err)
	}
	all = slices.DeleteFunc(all, func(a netip.Addr) bool {
		is4 := a.Unmap().Is4()
		return is4 && q.proto == "ip6" || !is4 && q.proto != "" && q.proto != "ip6"
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("host %q has no address that goes with %s", name, q.proto)
	}
	return g.any(len(all), func(i int) (*cond, error) {
		if a := all[i].Unmap(); a.Is4() {
			v, _, err := quad(a.String())
			if err != nil {
				return nil, err
			}
			return g.net4(v, all32, q)
		}
		return g.host6(netip.PrefixFrom(all[i].WithZone(""), 128), q)
	})
}

// portName returns a port by name or number, and the protocol where only one has it.
func (g *gen) portName(name string) (n uint32, only string, err error) {
	if v, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint32(v), "", nil
	}
	tcp, udp := g.names.Service(name)
	switch {
	case tcp >= 0 && tcp == udp:
		return uint32(tcp), "", nil
	case tcp >= 0:
		return uint32(tcp), "tcp", nil
	case udp >= 0:
		return uint32(udp), "udp", nil
	}
	return 0, "", fmt.Errorf("port %q is not in /etc/services", name)
}

func (g *gen) namedPorts(name string, low, high uint32, only string, q qual) (*cond, error) {
	if only != "" && q.proto != "" && only != q.proto {
		return nil, fmt.Errorf("%s %s: %s has that port, not %s", q.kind, name, only, q.proto)
	}
	return g.ports(low, high, q, only)
}

// protoName returns the number of a protocol as another one carries it.
func (g *gen) protoName(name, by string) (uint32, bool) {
	switch by {
	case "", "ip", "ip6":
		return g.names.Protocol(name)
	case "iso":
		v, ok := isoTypes[name]
		return v, ok
	case "ether":
		if name == "loopback" {
			return 0x9000, true
		}
		v, ok := linkTypes[name]
		return v, ok
	}
	return 0, false
}
