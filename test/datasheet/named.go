package datasheet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// named returns which names of chip/ixgbe the sources of a folder use, tests aside.
func named(dir string) (map[string]bool, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		as := ""
		for _, i := range file.Imports {
			if i.Path.Value == `"glassnic/chip/ixgbe"` {
				if as = "ixgbe"; i.Name != nil {
					as = i.Name.Name
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == as {
					names[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return names, nil
}

// byPlace are registers that the model finds by their place in a queue's block (sim/ixgbe/queue.go), not by name.
var byPlace = []string{"RDBAL", "RDBAH", "RDLEN", "RDH", "RDT", "RXDCTL", "TDBAL", "TDBAH", "TDLEN", "TDH", "TDT", "TXDCTL"}
