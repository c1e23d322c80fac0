package filter

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/bpf"
)

// tcpdump compiles an expression for Ethernet.
func tcpdump(t *testing.T, expr string) (*Program, error) {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		if path = "/usr/sbin/tcpdump"; !exists(path) {
			t.Fatal("tcpdump is missing: apt-get install tcpdump")
		}
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path, "-y", "EN10MB", "-ddd", "--", expr)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s", stderr.String())
	}
	p := &Program{}
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if i == 0 {
			continue
		}
		var in bpf.RawInstruction
		if _, err := fmt.Sscan(line, &in.Op, &in.Jt, &in.Jf, &in.K); err != nil {
			t.Errorf("%s: %q: %v", expr, line, err)
			return nil, err
		}
		p.ins = append(p.ins, in)
	}
	return p, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

//go:embed testdata/primitives.txt
var primitivesText string

//go:embed testdata/refused.txt
var refusedText string

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// primitives are expressions by themselves, and parts of those below.
var primitives = lines(primitivesText)

// refused are expressions that tcpdump refuses.
var refused = lines(refusedText)

// combined joins primitives into longer expressions.
func combined() (list []string) {
	n := len(primitives)
	for i := range 240 {
		a, b, c := primitives[i*7%n], primitives[(i*13+5)%n], primitives[(i*29+11)%n]
		expr := fmt.Sprintf([]string{
			"(%s) and (%s) or (%s)", "(%s) or not (%s) and (%s)", "not ((%s) or (%s)) or (%s)", "(%s) and not ((%s) and (%s))",
		}[i%4], a, b, c)
		// pcap takes the labels before a tunnel for those within.
		if !strings.Contains(expr, "mpls") || !strings.Contains(expr, "geneve") {
			list = append(list, expr)
		}
	}
	return list
}

// TestAgainstTcpdump: programs of both say the same of every frame, and what tcpdump refuses is refused.
func TestAgainstTcpdump(t *testing.T) {
	whole := append(frames(), captures(t)...)
	// Frames cut short, as by a snap length, are for primitives: a test that a longer expression does not need ends the
	// program where it reads too far, and each compiler leaves out what it can.
	cut := whole
	for i, f := range frames() {
		if i%5 == 0 {
			cut = append(cut[:len(cut):len(cut)], f[:14+i%20])
		}
	}
	var mu sync.Mutex
	agreed, matched, instructions, theirs := 0, 0, 0, 0
	check := func(expr string, all [][]byte) {
		want, refusal := tcpdump(t, expr)
		got, err := Compile(t.Context(), expr, Options{})
		if (err != nil) != (refusal != nil) {
			t.Errorf("%q: %v; tcpdump: %v", expr, err, refusal)
			return
		}
		if err != nil || all == nil {
			if all == nil && refusal == nil {
				t.Errorf("%q: tcpdump takes it", expr)
			}
			return
		}
		matches, wrong := 0, 0
		for _, f := range all {
			w, g := want.Match(f, len(f)), got.Match(f, len(f))
			if w != g {
				if wrong++; wrong == 1 {
					t.Errorf("%q: %d, tcpdump %d: % x\n%s\n%s", expr, g, w, f[:min(len(f), 90)], got, want)
				}
			}
			if w != 0 {
				matches++
			}
		}
		if wrong > 0 {
			t.Errorf("%q: %d frames", expr, wrong)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		agreed++
		instructions += len(got.ins)
		theirs += len(want.ins)
		if matches > 0 && matches < len(all) {
			matched++
		}
	}
	work := make(chan func())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	for i, list := range [][]string{primitives, combined(), refused} {
		for _, expr := range list {
			work <- func() { check(expr, [][][]byte{cut, whole, nil}[i]) }
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d expressions agree over %d frames, %d of them tell frames apart; %d instructions, tcpdump %d", agreed, len(cut), matched, instructions, theirs)
	if agreed < 500 || matched < 400 {
		t.Errorf("%d expressions agree, %d of which tell frames apart", agreed, matched)
	}
}
