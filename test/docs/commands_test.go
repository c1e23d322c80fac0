package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bin is the folder of the program, built for these tests.
var bin = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/glassnic", "./examples/...")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, &buildError{string(out)}
	}
	return dir, nil
})

type buildError struct{ out string }

func (e *buildError) Error() string { return "go build: " + e.out }

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := bin(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func binary(t *testing.T, name string) string {
	t.Helper()
	dir, err := bin()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

var flagLine = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(?: +)?(--[\w-]+)`)

// verbs returns the flags of every command that the program's help names, by the words of the command.
var verbs = sync.OnceValue(func() map[string][]string {
	dir, err := bin()
	if err != nil {
		return nil
	}
	all := map[string][]string{}
	var visit func(words []string)
	visit = func(words []string) {
		out, err := exec.Command(filepath.Join(dir, "glassnic"), append(slices.Clone(words), "--help")...).Output()
		if err != nil {
			return
		}
		help := string(out)
		flags := []string{}
		for _, m := range flagLine.FindAllStringSubmatch(help, -1) {
			flags = append(flags, m[1], m[2])
		}
		all[strings.Join(words, " ")] = flags
		_, list, _ := strings.Cut(help, "Available Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for line := range strings.Lines(list) {
			if f := strings.Fields(line); len(f) > 0 {
				visit(append(slices.Clone(words), f[0]))
			}
		}
	}
	visit(nil)
	visit([]string{"man"}) // hidden
	return all
})

// commands are the command lines of a document: of its blocks, and in its text.
func (d document) commands() (all []string) {
	for _, b := range d.blocks {
		for _, line := range b.lines {
			command, prompt := strings.CutPrefix(line, "$ ")
			if b.kind == "sh" || prompt {
				command, _, _ = strings.Cut(command, " #")
				all = append(all, command)
			}
		}
	}
	return append(all, d.code()...)
}

// words splits a command line, without quotes and what follows the first command.
func words(line string) []string {
	var all []string
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		if strings.ContainsAny(w[:1], "|<>&;") {
			break
		}
		all = append(all, strings.Trim(w, "'"))
	}
	if len(all) > 0 && all[0] == "sudo" {
		all = all[1:]
	}
	return all
}

// TestCommands looks up every command and flag of the program, every package and test of go test, and every
// target of make.
func TestCommands(t *testing.T) {
	binary(t, "glassnic")
	known := verbs()
	if len(known) < 15 {
		t.Fatalf("only %d commands found in the program's help", len(known))
	}
	count := map[string]int{}
	each(t, func(t *testing.T, d document) {
		for _, line := range d.commands() {
			w := words(line)
			if len(w) < 2 {
				continue
			}
			count[filepath.Base(w[0])]++
			switch filepath.Base(w[0]) {
			case "glassnic":
				checkVerb(t, known, line, w[1:])
			case "dev", "sim":
				checkVerb(t, known, line, w)
			case "make":
				text, err := os.ReadFile(filepath.Join(root, "Makefile"))
				if err != nil || !regexp.MustCompile(`(?m)^`+w[1]+`:`).Match(text) {
					t.Errorf("%s: no such target (%v)", line, err)
				}
			case "go":
				checkGo(t, line, w[1:])
			}
		}
	})
	if count["glassnic"] < 20 || count["make"] < 2 || count["go"] < 5 {
		t.Errorf("few commands found: %v", count)
	}
}

func checkVerb(t *testing.T, known map[string][]string, line string, args []string) {
	t.Helper()
	n := 0
	for n < len(args) {
		if _, ok := known[strings.Join(args[:n+1], " ")]; !ok {
			break
		}
		n++
	}
	flags := known[strings.Join(args[:n], " ")]
	if n < len(args) && !strings.HasPrefix(args[n], "-") {
		for verb := range known {
			if n == 0 || strings.HasPrefix(verb, strings.Join(args[:n], " ")+" ") {
				t.Errorf("%s: no command %q", line, args[n])
				return
			}
		}
	}
	for _, a := range args[n:] {
		name, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(a, "-") && !slices.Contains(flags, name) {
			t.Errorf("%s: no flag %s", line, name)
		}
	}
}

// checkGo checks the folders that a go command names, and that there are tests as -run and -fuzz want them.
func checkGo(t *testing.T, line string, args []string) {
	t.Helper()
	var dirs []string
	pattern := ""
	for i, a := range args {
		if dir, ok := strings.CutPrefix(a, "./"); ok {
			dir = strings.TrimSuffix(strings.TrimSuffix(dir, "..."), "/")
			if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			dirs = append(dirs, filepath.Join(root, dir))
		}
		if i > 0 && (args[i-1] == "-run" || args[i-1] == "-fuzz") {
			pattern = a
		}
	}
	if pattern == "" {
		return
	}
	for want := range strings.SplitSeq(pattern, "|") {
		found := false
		for _, dir := range dirs {
			files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
			for _, f := range files {
				text, err := os.ReadFile(f)
				found = found || err == nil && strings.Contains(string(text), "\nfunc "+want)
			}
		}
		if !found {
			t.Errorf("%s: no test %s", line, want)
		}
	}
}

// TestFlags looks up flags that stand alone in a text: some command has them.
func TestFlags(t *testing.T) {
	binary(t, "glassnic")
	each(t, func(t *testing.T, d document) {
		for _, code := range d.code() {
			if !regexp.MustCompile(`^--[a-z-]+$`).MatchString(code) {
				continue
			}
			found := false
			for _, flags := range verbs() {
				found = found || slices.Contains(flags, code)
			}
			if !found {
				t.Errorf("no command has %s", code)
			}
		}
	})
}
