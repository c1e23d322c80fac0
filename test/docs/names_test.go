package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// declared returns what a Go file, or all files of a folder but tests, declare at top level: "Name", and
// "Type.Name" for methods, fields and methods of interfaces.
func declared(t *testing.T, file string) map[string]bool {
	t.Helper()
	files := []string{file}
	if filepath.Ext(file) == "" {
		files, _ = filepath.Glob(filepath.Join(file, "*.go"))
		files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	}
	names := map[string]bool{}
	for _, f := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				names[name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					specNames(s, names)
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func specNames(s ast.Spec, names map[string]bool) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names[n.Name] = true
		}
	case *ast.TypeSpec:
		names[s.Name.Name] = true
		var members *ast.FieldList
		switch u := s.Type.(type) {
		case *ast.StructType:
			members = u.Fields
		case *ast.InterfaceType:
			members = u.Methods
		default:
			return
		}
		for _, f := range members.List {
			for _, n := range f.Names {
				names[s.Name.Name+"."+n.Name] = true
			}
		}
	}
}

// find tells whether a name is declared, by itself or as a member of some type.
func find(names map[string]bool, name string) bool {
	if names[name] {
		return true
	}
	for n := range names {
		if _, member, ok := strings.Cut(n, "."); ok && member == name {
			return true
		}
	}
	return false
}

var link = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)

// TestLinks follows every link that stays in the tree. One from a name to a Go file or a package leads to
// where the name is declared.
func TestLinks(t *testing.T) {
	each(t, func(t *testing.T, d document) {
		for _, m := range link.FindAllStringSubmatch(strings.ReplaceAll(d.prose, "\n", " "), -1) {
			text, target := m[1], m[2]
			if strings.Contains(target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			at := d.path
			if file != "" {
				at = path.Join(path.Dir(d.path), file)
			}
			full := filepath.Join(root, at)
			if _, err := os.Stat(full); err != nil {
				t.Errorf("[%s](%s): %v", text, target, err)
				continue
			}
			if anchor != "" && !read(t, at).anchors()[anchor] {
				t.Errorf("[%s](%s): no such heading", text, target)
			}
			name, quoted := strings.CutPrefix(text, "`")
			name = strings.TrimSuffix(name, "`")
			switch {
			case strings.ContainsAny(name, "/") || strings.HasSuffix(name, ".go"):
				// A path: that of the target, or of its package.
				if !strings.Contains(at+"/", name) {
					t.Errorf("[%s](%s): the text names another file", text, target)
				}
			case quoted && strings.HasSuffix(at, ".go"):
				if !find(declared(t, full), name) {
					t.Errorf("[%s](%s): not declared there", text, target)
				}
			}
		}
	})
}

// packages maps the name of each package to its folders.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(root, func(p string, e os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && p != root && strings.HasPrefix(e.Name(), "."):
			return filepath.SkipDir
		case e.IsDir():
			if files, _ := filepath.Glob(filepath.Join(p, "*.go")); len(files) > 0 {
				all[e.Name()] = append(all[e.Name()], p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	qualified = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*(\.\w+)?)(\(.*\))?$`)
	aPath     = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)+/?$`)
	aRegister = regexp.MustCompile(`\b([A-Z][A-Z0-9_]{2,})\.([A-Z][A-Z0-9_]+)\b`)
)

// TestNames looks up paths, qualified names and fields of registers wherever they stand in a text.
func TestNames(t *testing.T) {
	pkgs := packages(t)
	looked := 0
	each(t, func(t *testing.T, d document) {
		for _, code := range d.code() {
			if m := qualified.FindStringSubmatch(code); m != nil && pkgs[m[1]] != nil {
				looked++
				if !slices.ContainsFunc(pkgs[m[1]], func(dir string) bool { return find(declared(t, dir), m[2]) }) {
					t.Errorf("`%s` is declared nowhere", code)
				}
			}
			top, _, _ := strings.Cut(code, "/")
			if _, err := os.Stat(filepath.Join(root, top)); err != nil || !aPath.MatchString(code) || planned(code) {
				continue
			}
			looked++
			if found, _ := filepath.Glob(filepath.Join(root, code)); len(found) == 0 && !built(code) {
				t.Errorf("`%s`: no such file", code)
			}
		}
		for _, m := range aRegister.FindAllStringSubmatch(d.prose, -1) {
			looked++
			if !hasField(m[1], m[2]) {
				t.Errorf("%s: the register table has no such field", m[0])
			}
		}
	})
	if looked < 20 {
		t.Errorf("only %d names found: is this test looking in the right place?", looked)
	}
}

// planned are places for what is to come, which ARCHITECTURE.md names, and those of any family (F).
func planned(code string) bool {
	return code == "bus/vfio" || code == "bus/irq" || strings.HasSuffix(code, "/F") || strings.HasSuffix(code, "/A")
}

// built are files that make makes.
func built(code string) bool { return code == "bin/glassnic" }

func hasField(register, field string) bool {
	for _, r := range chip.Registers {
		for _, f := range r.Fields {
			if r.Name == register && f.Name == field {
				return true
			}
		}
	}
	return false
}
