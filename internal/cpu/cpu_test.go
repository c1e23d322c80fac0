package cpu

import (
	"slices"
	"strings"
	"testing"
)

func TestParseList(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []int
	}{
		{"0", []int{0}},
		{"0,2-3", []int{0, 2, 3}},
		{"0-3\n", []int{0, 1, 2, 3}},
		{"5,1-2,2,5", []int{1, 2, 5}},
		{"1023", []int{1023}},
	} {
		got, err := ParseList(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("ParseList(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", ",", "0,", "-", "1-", "-1", "3-1", "1024", "a", "1-2-3", "0x1", "1 2", "99999999999999999999", "+1"} {
		if got, err := ParseList(in); err == nil {
			t.Errorf("ParseList(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("0,2-3")
	f.Add("0-1023,5")
	f.Add("-")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseList(s)
		if err != nil {
			if list != nil || !strings.HasPrefix(err.Error(), "cpu: ") {
				t.Errorf("%v, %v", list, err)
			}
			return
		}
		if len(list) == 0 || list[0] < 0 || list[len(list)-1] >= Max {
			t.Errorf("%q gave %v", s, list)
		}
		for i := 1; i < len(list); i++ {
			if list[i] <= list[i-1] {
				t.Errorf("%q gave %v, not ascending", s, list)
			}
		}
	})
}
