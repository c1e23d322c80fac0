package ixgbe_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	model "glassnic/sim/ixgbe"
	"glassnic/test/datasheet"
)

// accesses counts what the driver does to all cards of these tests.
var accesses model.Accesses

var update = flag.Bool("update", false, "write down which registers the tests exercise")

// TestMain compares the registers that all tests together exercise with those that docs/datasheet.md is made from.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && everything() {
		if err := compare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// everything tells whether each test was run once.
func everything() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short() && flag.Lookup("test.count").Value.String() == "1"
}

func compare() error {
	var b bytes.Buffer
	if err := accesses.Print(&b); err != nil {
		return err
	}
	seen, err := datasheet.FromAccesses(&b, datasheet.Dump)
	if err != nil {
		return err
	}
	path := datasheet.Path("driver")
	if *update {
		return seen.Save(path)
	}
	told, err := datasheet.Load(path)
	if err != nil {
		return err
	}
	if more, less := seen.Missing(told), told.Missing(seen); len(more)+len(less) > 0 {
		return fmt.Errorf("%s lacks %v, and has %v, which no test does: make datasheet", path, more, less)
	}
	return nil
}
