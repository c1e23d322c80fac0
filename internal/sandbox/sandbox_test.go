package sandbox

import "testing"

func TestReport(t *testing.T) {
	for want, r := range map[string]Report{
		"user nobody (65534), no capabilities, no new privileges, seccomp, Landlock 7":         {Nobody, 65534, 65534, 7},
		"user 1 (1), no capabilities, no new privileges, seccomp; this kernel has no Landlock": {"1", 1, 1, 0},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
