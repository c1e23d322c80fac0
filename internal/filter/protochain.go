package filter

import (
	"errors"
	"fmt"
)

// chainLinks is how many headers protochain looks through. A program for the kernel cannot jump back.
const chainLinks = 16

// protochain is the condition that protocol n is among the headers of an IP packet.
func (g *gen) protochain(n uint32, by string) (*cond, error) {
	at := g.network(0)
	if at.base != nil {
		return nil, errors.New("protochain does not work in tunnels")
	}
	var c code
	add := func(op uint16, k uint32, to ...int) {
		in := codeIns{op: op, k: k}
		if len(to) == 1 {
			in.yes = to[0]
		} else if len(to) == 2 {
			in.yes, in.no = to[0], to[1]
		}
		c.ins = append(c.ins, in)
	}
	if by == "" {
		return g.any(2, func(i int) (*cond, error) { return g.protochain(n, [2]string{"ip", "ip6"}[i]) })
	}
	var link uint32
	switch by {
	case "ip":
		link = etherIP
		add(bpfLD|sizeB|modeABS, at.k+9)
		add(bpfLDX|sizeB|modeMSH, at.k)
	case "ip6":
		link = etherIPv6
		add(bpfLD|sizeB|modeABS, at.k+6)
		add(bpfLDX|modeIMM, 40)
	default:
		return nil, fmt.Errorf("%s protochain: want ip or ip6", by)
	}
	const eq = bpfJMP | cmpEq
	// skip goes on to the next header, whose type and distance are given by the two bytes at X.
	skip := func(plus, unit uint32) {
		add(bpfLD|sizeB|modeIND, at.k)
		add(bpfST, 0)
		add(bpfLD|sizeB|modeIND, at.k+1)
		add(bpfALU|aluAdd, plus)
		add(bpfALU|aluMul, unit)
		add(bpfALU|aluAdd|srcX, 0)
		add(bpfMISC|miscTX, 0)
		add(bpfLD|modeMEM, 0)
	}
	const skipLen = 8
	for range chainLinks {
		i := len(c.ins)
		add(eq, n, endYes, i+1)
		add(eq, 59, endNo, i+2) // no next header
		i += 2
		if by == "ip6" {
			// Hop-by-hop and destination options, routing, fragment (RFC 8200, 4.3 to 4.6).
			ext := i + 4
			ah := ext + skipLen + 1
			for j, t := range []uint32{0, 60, 43, 44} {
				other := i + j + 1
				if j == 3 {
					other = ah
				}
				add(eq, t, ext, other)
			}
			skip(1, 8)
			add(bpfJMP|jumpJA, 0, ah+1+skipLen)
			i = ah
		}
		add(eq, 51, i+1, endNo)
		skip(2, 4) // authentication header (RFC 4302, 2.2)
	}
	add(eq, n, endYes, endNo)
	cond1, err := g.linkType(link)
	return both(cond1, err, &cond{t: test{code: &c}})
}
