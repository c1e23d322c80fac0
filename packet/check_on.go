//go:build poolcheck

package packet

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// Checking tells whether this is a poolcheck build, in which buffers remember who took and who
// freed them.
const Checking = true

// site is a call stack, innermost caller first.
type site [12]uintptr

// checks is what a poolcheck build knows of a pool's buffers.
type checks struct {
	mu   sync.Mutex
	out  []bool
	took []site
	gave []site
}

func newChecks(n int) *checks {
	return &checks{out: make([]bool, n), took: make([]site, n), gave: make([]site, n)}
}

func here() (s site) {
	runtime.Callers(3, s[:])
	return s
}

// String names the callers outside this package, innermost first.
func (s site) String() string {
	n := 0
	for n < len(s) && s[n] != 0 {
		n++
	}
	if n == 0 {
		return "nowhere"
	}
	frames := runtime.CallersFrames(s[:n])
	var names []string
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "glassnic/packet.") || strings.HasSuffix(f.File, "_test.go") {
			names = append(names, fmt.Sprintf("%s:%d", f.File, f.Line))
		}
		if !more || len(names) == 3 {
			return strings.Join(names, " < ")
		}
	}
}

func (b *Buf) number() uint32 { return b.index & (1<<24 - 1) }

// check panics if b is free.
func check(b *Buf) {
	p := b.pool()
	if p == nil || p.checks == nil {
		return
	}
	c, i := p.checks, b.number()
	c.mu.Lock()
	out, took, gave := c.out[i], c.took[i], c.gave[i]
	c.mu.Unlock()
	if !out {
		panic(fmt.Sprintf("packet: buffer %d used after free: allocated at %v, freed at %v, used at %v", i, took, gave, here()))
	}
}

func checkTake(bufs []*Buf) {
	at := here()
	for _, b := range bufs {
		c, i := b.pool().checks, b.number()
		c.mu.Lock()
		if c.out[i] {
			took := c.took[i]
			c.mu.Unlock()
			panic(fmt.Sprintf("packet: buffer %d handed out twice: at %v and %v", i, took, at))
		}
		c.out[i], c.took[i] = true, at
		c.mu.Unlock()
	}
}

func checkPut(p *Pool, bufs []*Buf) {
	at := here()
	for _, b := range bufs {
		c, i := b.pool().checks, b.number()
		if b.pool() != p {
			panic(fmt.Sprintf("packet: buffer %d freed into a cache of another pool at %v", i, at))
		}
		c.mu.Lock()
		if !c.out[i] {
			gave := c.gave[i]
			c.mu.Unlock()
			panic(fmt.Sprintf("packet: buffer %d freed twice: first at %v, now at %v", i, gave, at))
		}
		c.out[i], c.gave[i] = false, at
		c.mu.Unlock()
	}
}

// leaks says who took the buffers that are out, for the first few.
func (c *checks) leaks() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s strings.Builder
	shown := 0
	for i, out := range c.out {
		if out && shown < 5 {
			fmt.Fprintf(&s, "; buffer %d allocated at %v", i, c.took[i])
			shown++
		}
	}
	return s.String()
}
