// Package doctor examines a Linux machine for what fast network cards in user space need, and names the
// command that mends what is missing. It only reads.
package doctor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// States of a Check.
const (
	OK      = "ok"
	Missing = "missing"
	Unknown = "unknown" // what would tell cannot be read
)

// Check is the result of one examination.
type Check struct {
	Name  string `json:"name"` // stable
	State string `json:"state"`
	Found string `json:"found"`
	For   string `json:"for"`  // who needs it
	Cure  string `json:"cure"` // what mends it; "" where it is ok
	// Run is the part of Cure that a shell of root's can run at once, in which $$ is the process that lacks
	// something; "" where there is none.
	Run string `json:"run"`
}

// System is a machine to examine.
type System struct {
	// Root is the folder below which /sys, /proc and /dev are looked for: "" for /.
	Root string
}

// Examine does all checks. Their order and names are stable; those of huge pages exist for each NUMA
// node.
func (s System) Examine() []Check {
	var all []Check
	all = append(all, s.hugePages()...)
	all = append(all, s.pagemap(), s.memlock(), s.iommu(), s.identity(), s.vfio(), s.numa(), s.isolation(), s.governor(), s.tun())
	return tidy(all)
}

// tidy has cures begin with what can be run, and leaves them out where nothing lacks.
func tidy(all []Check) []Check {
	for i := range all {
		c := &all[i]
		switch {
		case c.State == OK:
			c.Cure, c.Run = "", ""
		case c.Run != "" && c.Cure != "":
			c.Cure = c.Run + "; " + c.Cure
		case c.Run != "":
			c.Cure = c.Run
		}
	}
	return all
}

// path puts a path below Root.
func (s System) path(p string) string { return filepath.Join(s.Root, p) }

// text returns a file's contents without white space around it, and whether it could be read.
func (s System) text(p string) (string, bool) {
	b, err := os.ReadFile(s.path(p))
	return strings.TrimSpace(string(b)), err == nil
}

// number returns the number in a file, and whether there is one.
func (s System) number(p string) (int, bool) {
	t, _ := s.text(p)
	n, err := strconv.Atoi(t)
	return n, err == nil
}

func (s System) exists(p string) bool {
	_, err := os.Stat(s.path(p))
	return err == nil
}

// glob returns the paths that match, without Root.
func (s System) glob(pattern string) []string {
	list, _ := filepath.Glob(s.path(pattern))
	for i, p := range list {
		list[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(p, filepath.Clean(s.Root)), "/")
	}
	return list
}

// field returns what follows name in a line of a file such as /proc/self/status.
func (s System) field(p, name string) (string, bool) {
	t, _ := s.text(p)
	for line := range strings.SplitSeq(t, "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}
