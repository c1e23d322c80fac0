package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the top of the tree, seen from here.
const root = "../.."

// documents are tested, with what a reader may copy from them.
var documents = []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/tour.md", "docs/performance.md"}

// document is a Markdown file taken apart.
type document struct {
	path   string
	prose  string // without fenced blocks
	blocks []block
}

// block is a fenced block.
type block struct {
	kind  string // the word behind the fence
	lines []string
	line  int // of the fence
}

func read(t *testing.T, path string) document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	d := document{path: path}
	var prose []string
	var open *block
	for i, line := range strings.Split(string(text), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{kind: kind, line: i + 1}
		case fence:
			d.blocks = append(d.blocks, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		default:
			prose = append(prose, line)
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block does not end", path, open.line)
	}
	d.prose = strings.Join(prose, "\n")
	return d
}

// each runs a test for every document.
func each(t *testing.T, f func(*testing.T, document)) {
	for _, path := range documents {
		t.Run(path, func(t *testing.T) { f(t, read(t, path)) })
	}
}

// anchors returns the anchors that GitHub gives the headings.
func (d document) anchors() map[string]bool {
	all := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(d.prose, -1) {
		var s strings.Builder
		for _, r := range strings.ToLower(h[1]) {
			switch {
			case r == ' ':
				s.WriteByte('-')
			case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
				s.WriteRune(r)
			}
		}
		all[s.String()] = true
	}
	return all
}

var inline = regexp.MustCompile("`([^`\n]+)`")

// code returns the inline code.
func (d document) code() (all []string) {
	for _, m := range inline.FindAllStringSubmatch(d.prose, -1) {
		all = append(all, m[1])
	}
	return all
}
