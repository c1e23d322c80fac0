package plan

import (
	"fmt"
	"strings"
)

// Unanswered returns the first sequence number from 1 to count of which ping's output has no answer, 0 if it has all. With a
// deadline (-w) ping sends on until count answers have come, so what it says of loss counts frames that were on their way,
// and status 0 does not mean that none was lost.
func Unanswered(output string, count int) int {
	for n := 1; n <= count; n++ {
		if !strings.Contains(output, fmt.Sprintf("icmp_seq=%d ttl=", n)) {
			return n
		}
	}
	return 0
}
