package house

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"glassnic/test/datasheet"
)

var update = flag.Bool("update", false, "write docs/datasheet.md anew")

// TestDatasheet compares docs/datasheet.md with what register table, sources and records make of it.
func TestDatasheet(t *testing.T) {
	dir := root(t)
	text, err := datasheet.Document(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "docs", "datasheet.md")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(path); err != nil || string(is) != text {
		t.Errorf("docs/datasheet.md is not up to date (%v): make datasheet", err)
	}
}
