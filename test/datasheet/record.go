// Package datasheet writes docs/datasheet.md: how far drivers and models get through the 82599's datasheet, and who
// exercises it. The records beside it are what tests have seen: driver.txt of the tests of driver/ixgbe, linux.txt of
// Linux's own driver in a guest (test/vm).
package datasheet

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Record says how registers were accessed, by name: "r", "w" or "rw".
type Record map[string]string

// Dump is how often a dump of all registers reads one: reads that are no more than that exercise nothing.
const Dump = 1

// FromAccesses makes a record of what ixgbe.Accesses prints, without reads of a register that were not more than
// so many.
func FromAccesses(r io.Reader, dumped uint64) (Record, error) {
	rec := Record{}
	in := bufio.NewScanner(r)
	for in.Scan() {
		var name string
		var reads, writes uint64
		if _, err := fmt.Sscan(in.Text(), &name, &reads, &writes); err != nil {
			return nil, fmt.Errorf("accesses: %q: %w", in.Text(), err)
		}
		if reads > dumped {
			rec[name] = "r"
		}
		if writes > 0 {
			rec[name] += "w"
		}
	}
	return rec, in.Err()
}

// Load reads a record from its file.
func Load(path string) (Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rec := Record{}
	for line := range strings.Lines(string(text)) {
		name, how, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || how != "r" && how != "w" && how != "rw" {
			return nil, fmt.Errorf("%s: %q: want a name and r, w or rw", path, line)
		}
		rec[name] = how
	}
	return rec, nil
}

// Save writes a record to its file.
func (rec Record) Save(path string) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rec)) {
		fmt.Fprintln(&b, name, rec[name])
	}
	return os.WriteFile(path, []byte(b.String()), 0o666)
}

// Missing lists the accesses of rec that other has not.
func (rec Record) Missing(other Record) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(rec)) {
		for _, how := range rec[name] {
			if !strings.ContainsRune(other[name], how) {
				list = append(list, fmt.Sprintf("%s %c", name, how))
			}
		}
	}
	return list
}

// Path returns where the record of a name lies, seen from a package that lies two folders deep.
func Path(name string) string { return filepath.Join("..", "..", "test", "datasheet", name+".txt") }
