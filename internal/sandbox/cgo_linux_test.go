//go:build cgo && (amd64 || arm64)

package sandbox

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// A program with the C library keeps its privileges and says why: it would abort with the next thread. (test/run builds
// this with cgo where there is a C compiler, for the race detector.)
func TestDropWithC(t *testing.T) {
	before, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Drop(Options{})
	if !errors.Is(err, errWithC) || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("%v", err)
	}
	after, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"Uid:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"} {
		if was, is := field(before, key), field(after, key); was != is || was == "" {
			t.Errorf("%s %q, and %q before", key, is, was)
		}
	}
}

// field returns the line of a status file that begins with a key.
func field(status []byte, key string) string {
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, key) {
			return line
		}
	}
	return ""
}
