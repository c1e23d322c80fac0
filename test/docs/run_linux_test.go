package docs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/sim"
	"glassnic/sim/wire"
)

// TestOutput runs the command of every console block and looks for the lines that the block shows, in
// their order. "…" stands for anything, within a line or for lines; runs of spaces are equal.
func TestOutput(t *testing.T) {
	dir := filepath.Dir(binary(t, "glassnic"))
	ran := 0
	each(t, func(t *testing.T, d document) {
		for _, b := range d.blocks {
			if b.kind != "console" {
				continue
			}
			ran++
			command, ok := strings.CutPrefix(b.lines[0], "$ ")
			if !ok {
				t.Errorf("%s:%d: a console block begins with a command", d.path, b.line)
				continue
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v\n%s", command, err, out)
				continue
			}
			if err := shown(b.lines[1:], string(out)); err != nil {
				t.Errorf("%s:%d: %s: %v in\n%s", d.path, b.line, command, err, out)
			}
		}
	})
	if ran == 0 {
		t.Error("no console block")
	}
}

// shown tells whether the output has the lines of a block. Between two lines there is nothing else,
// unless the block has an ellipsis or an empty line there.
func shown(lines []string, out string) error {
	got := strings.Split(strings.TrimSpace(out), "\n")
	gap := false
	for _, want := range lines {
		if want == "…" || want == "" {
			gap = true
			continue
		}
		match := pattern(want)
		for !gap && len(got) > 0 && strings.TrimSpace(got[0]) == "" {
			got = got[1:]
		}
		for gap && len(got) > 0 && !match.MatchString(got[0]) {
			got = got[1:]
		}
		if len(got) == 0 || !match.MatchString(got[0]) {
			return fmt.Errorf("no line %q", want)
		}
		got, gap = got[1:], false
	}
	return nil
}

func pattern(line string) *regexp.Regexp {
	s := regexp.QuoteMeta(strings.Join(strings.Fields(line), " "))
	s = strings.ReplaceAll(s, "…", ".*")
	return regexp.MustCompile(`^\s*` + strings.ReplaceAll(s, " ", `\s+`) + `\s*$`)
}

func TestShown(t *testing.T) {
	const out = "one  1\n\ntwo 2\nthree\n"
	for block, ok := range map[string]bool{
		"one 1\ntwo …\nthree": true, "…\ntwo 2": true, "one 1\n…\nthree": true, "o… 1": true,
		"two 2": false, "one 1\nthree": false, "three\n…\none 1": false, "one 2": false, "one 1\ntwo 2\nthree\nfour": false,
	} {
		if err := shown(strings.Split(block, "\n"), out); (err == nil) != ok {
			t.Errorf("%q: %v", block, err)
		}
	}
}

// TestProgram compares the programs of documents with those of examples, which are built, and runs one
// against a model.
func TestProgram(t *testing.T) {
	programs := 0
	each(t, func(t *testing.T, d document) {
		for _, b := range d.blocks {
			if b.kind != "go" {
				continue
			}
			programs++
			text, err := os.ReadFile(filepath.Join(root, "examples/echo/main.go"))
			if err != nil {
				t.Fatal(err)
			}
			if shown := strings.Join(b.lines, "\n") + "\n"; shown != string(text) {
				t.Errorf("%s:%d is not examples/echo/main.go", d.path, b.line)
			}
		}
	})
	if programs == 0 {
		t.Error("no document shows a program")
	}
	testEcho(t)
}

// testEcho counts the frames that the echo program sends back.
func testEcho(t *testing.T) {
	const count = 400 // less than a transmit ring, which may be full otherwise
	dir := t.TempDir()
	end, err := wire.Parse(fmt.Sprintf("peer,count=%d", count))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sim.NewServer(dir, 0, []wire.End{end})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	stop := make(chan struct{})
	var sent atomic.Uint64 // that the card's registers tell of
	go func() {
		for {
			select {
			case <-stop:
				done <- s.Close()
				return
			default:
				card := s.Ports()[0].Card
				if card.Poll(count) == 0 {
					time.Sleep(100 * time.Microsecond) // the CPU is the program's
				}
				card.Sync()
				sent.Store(end.Stats().TxFrames)
			}
		}
	}()
	cmd := exec.CommandContext(t.Context(), binary(t, "echo"), "shm:"+filepath.Join(dir, "p0"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); sent.Load() < count && time.Since(begin) < 20*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if err := cmd.Wait(); err != nil || line != fmt.Sprintf("received %d, sent %d\n", count, count) {
		t.Errorf("echo: %q, %v %s", line, err, &stderr)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
