// Package house checks that the sources keep to the plan of the house: which storey may import which,
// where unsafe code may stand, what the compiler must inline.
package house

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "glassnic"

// source is one Go file of the module.
type source struct {
	path string // from the module's root, with slashes
	dir  string // the same for its folder, which is the package's path
	file *ast.File
	set  *token.FileSet
}

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// storey is the first part of a package's path.
func storey(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

// at names the place of a node.
func (s *source) at(n ast.Node) string { return s.set.Position(n.Pos()).String() }

// imports returns the paths that a file imports.
func (s *source) imports() (paths []string) {
	for _, i := range s.file.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

// only tells whether the file is built with a tag and not without.
func (s *source) only(tag string) bool {
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if e, err := constraint.Parse(c.Text); err == nil && c.Pos() < s.file.Package {
				return !e.Eval(func(t string) bool { return t != tag })
			}
		}
	}
	return false
}

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sources parses every Go file of the module, whatever it is built for.
func sources(t *testing.T) (all []*source) {
	t.Helper()
	dir := root(t)
	set := token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != dir && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		all = append(all, &source{path: rel, dir: rel[:max(strings.LastIndexByte(rel, '/'), 0)], file: f, set: set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d files found below %s", len(all), dir)
	}
	return all
}
