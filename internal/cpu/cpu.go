// Package cpu pins threads to CPUs, so that a worker keeps its core and its caches.
package cpu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Max is the largest CPU number plus one that lists and Pin accept: the size of the kernel's default
// mask.
const Max = 1024

// ErrUnsupported is what Pin and Online wrap on systems where a thread cannot be pinned.
var ErrUnsupported = errors.New("CPU affinity needs Linux")

// ParseList reads a list of CPUs as the kernel and taskset write it, such as "0,2-3": the numbers
// in ascending order, each once. The empty list is an error.
func ParseList(s string) ([]int, error) {
	var in [Max]bool
	for part := range strings.SplitSeq(strings.TrimSpace(s), ",") {
		first, last, isRange := strings.Cut(part, "-")
		low, err := number(first)
		if err != nil {
			return nil, fmt.Errorf("cpu: list %q: %w", s, err)
		}
		high := low
		if isRange {
			if high, err = number(last); err != nil {
				return nil, fmt.Errorf("cpu: list %q: %w", s, err)
			}
		}
		if high < low {
			return nil, fmt.Errorf("cpu: list %q: %d-%d runs backwards", s, low, high)
		}
		for n := low; n <= high; n++ {
			in[n] = true
		}
	}
	var list []int
	for n, is := range in {
		if is {
			list = append(list, n)
		}
	}
	return list, nil
}

func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n >= Max {
		return 0, fmt.Errorf("%q is no CPU number: want 0 to %d, as in 0,2-3", s, Max-1)
	}
	return int(n), nil
}
