package nic

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Hasher is implemented by ports that spread received frames over their queues by a Toeplitz hash of addresses and
// ports (receive side scaling, RSS).
type Hasher interface {
	// Hashable are the protocols that the card can hash; none where it has no hash.
	Hashable() HashProtocols
	// Hash returns the settings in force.
	Hash() Hashing
	// SetHash replaces them, until Close. Frames that arrive meanwhile may be spread by either. Protocols that the
	// card cannot hash, and queues that the port does not have, are refused.
	SetHash(Hashing) error
}

// Hashing says how received frames are spread over queues. It is comparable.
type Hashing struct {
	Key HashKey
	// Table is the receive queue of a frame, by the lowest seven bits of its hash.
	Table [HashEntries]uint8
	// Protocols are those that are hashed; frames of others go to queue 0.
	Protocols HashProtocols
}

// HashEntries is how many entries Hashing.Table has.
const HashEntries = 128

// HashKey is the secret of a Toeplitz hash. A bit of the input that is set adds the 32 bits of the key from the same
// place on.
type HashKey [40]byte

var (
	// SymmetricKey is 0x6d5a over and over: both directions of a connection hash to the same value, and so meet on one
	// worker. It is what drivers begin with. As it repeats after 16 bits, fewer hashes are possible than with others.
	SymmetricKey = func() (k HashKey) {
		for i := range k {
			k[i] = [2]byte{0x6d, 0x5a}[i%2]
		}
		return k
	}()

	// VerificationKey is the one for which Microsoft publishes hashes of some connections ("Verifying the RSS hash
	// calculation"). The directions of a connection hash differently.
	VerificationKey = HashKey{
		0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
		0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
	}
)

// HashProtocols is a set of what is hashed. Of a frame the most that is in the set counts: addresses and ports where it
// has TCP or UDP, else the addresses.
type HashProtocols uint8

// Protocols.
const (
	HashIPv4 HashProtocols = 1 << iota // addresses
	HashTCP4                           // addresses and ports
	HashUDP4
	HashIPv6
	HashTCP6
	HashUDP6

	HashAll = HashIPv4 | HashTCP4 | HashUDP4 | HashIPv6 | HashTCP6 | HashUDP6
)

var hashNames = []string{"ip4", "tcp4", "udp4", "ip6", "tcp6", "udp6"}

// String returns the names, such as "ip4,tcp4", or "none".
func (p HashProtocols) String() string {
	var s []string
	for i, name := range hashNames {
		if p&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ",")
}

// DefaultHashing spreads all that drivers can hash evenly over so many queues, with SymmetricKey.
func DefaultHashing(queues int) Hashing {
	h := Hashing{Key: SymmetricKey, Protocols: HashAll}
	h.Spread(queues)
	return h
}

// Spread fills Table with queues 0 to queues-1 in turn.
func (h *Hashing) Spread(queues int) {
	for i := range h.Table {
		h.Table[i] = uint8(i % queues)
	}
}

// Check refuses what a port with so many queues, whose card can hash some protocols, cannot do.
func (h *Hashing) Check(queues int, can HashProtocols) error {
	if can == 0 {
		return errors.New("the card has no hash")
	}
	if more := h.Protocols &^ can; more != 0 {
		return fmt.Errorf("%v: the card hashes %v only", more, can)
	}
	for i, q := range h.Table {
		if int(q) >= queues {
			return fmt.Errorf("queue %d in entry %d: the port has queues 0 to %d", q, i, queues-1)
		}
	}
	return nil
}

// ParseHashing reads settings of a port with so many queues: protocols and a key, separated by commas, such as
// "tcp4,udp4", "symmetric" or "tcp4,key=6d5a…" with 80 digits; "standard" is VerificationKey. Without protocols all are
// hashed, without a key it is SymmetricKey.
func ParseHashing(s string, queues int) (Hashing, error) {
	h := DefaultHashing(queues)
	var protocols HashProtocols
next:
	for word := range strings.SplitSeq(s, ",") {
		for i, name := range hashNames {
			if word == name {
				protocols |= 1 << i
				continue next
			}
		}
		digits, isKey := strings.CutPrefix(word, "key=")
		switch {
		case word == "symmetric":
			h.Key = SymmetricKey
		case word == "standard":
			h.Key = VerificationKey
		case isKey:
			k, err := hex.DecodeString(digits)
			if err != nil || len(k) != len(h.Key) {
				return h, fmt.Errorf("%q: want %d hexadecimal digits", word, 2*len(h.Key))
			}
			h.Key = HashKey(k)
		default:
			return h, fmt.Errorf("%q: want %s, symmetric, standard or key=DIGITS", word, strings.Join(hashNames, ", "))
		}
	}
	if protocols != 0 {
		h.Protocols = protocols
	}
	return h, nil
}
