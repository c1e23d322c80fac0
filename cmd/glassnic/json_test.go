package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// line is a line of --json.
type line map[string]any

func lines(text string) ([]line, error) {
	var all []line
	for s := range strings.Lines(text) {
		var l line
		if err := json.Unmarshal([]byte(s), &l); err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func (l line) number(key string) uint64 {
	f, ok := l[key].(float64)
	if !ok {
		panic(fmt.Sprintf("no number %q in %v", key, l))
	}
	return uint64(f)
}

func (l line) drops() (n uint64) {
	for _, v := range l["drops"].(map[string]any) {
		n += uint64(v.(float64))
	}
	return n
}

// balance checks rx = tx + drops in the lines of fwd, and that the intervals add up to the total, which it
// returns.
func balance(all []line) (line, error) {
	var rx, tx uint64
	var total line
	for _, l := range all {
		switch l["type"] {
		case "interval":
			rx, tx = rx+l.number("rx_packets"), tx+l.number("tx_packets")
		case "total":
			total = l
		case "port":
			continue
		}
		ways := []line{l}
		for _, d := range l["directions"].([]any) {
			ways = append(ways, line(d.(map[string]any)))
		}
		for _, w := range ways {
			if w.number("rx_packets") != w.number("tx_packets")+w.drops() {
				return nil, fmt.Errorf("rx is not tx + drops in %v", w)
			}
		}
	}
	switch {
	case total == nil:
		return nil, fmt.Errorf("no total in %v", all)
	case rx != total.number("rx_packets") || tx != total.number("tx_packets"):
		return nil, fmt.Errorf("intervals have rx %d, tx %d, the total %v", rx, tx, total)
	case rx == 0 || tx == 0:
		return nil, fmt.Errorf("nothing was forwarded: %v", total)
	}
	return total, nil
}

// adds checks the account of fwd --json in a file such as stdout.
func adds(ts *testscript.TestScript, _ bool, args []string) {
	all, err := lines(ts.ReadFile(args[0]))
	ts.Check(err)
	_, err = balance(all)
	ts.Check(err)
}

// keys compares the names in the lines of a type with a list: keys FILE TYPE NAME...
func keys(ts *testscript.TestScript, _ bool, args []string) {
	all, err := lines(ts.ReadFile(args[0]))
	ts.Check(err)
	found := false
	for _, l := range all {
		if kind, _ := l["type"].(string); kind != strings.Trim(args[1], "-") {
			continue
		}
		found = true
		got, want := flatten("", l), args[2:]
		slices.Sort(want)
		if !slices.Equal(got, want) {
			ts.Fatalf("names of %s\n got %v\nwant %v", args[1], got, want)
		}
	}
	if !found {
		ts.Fatalf("no line of type %s", args[1])
	}
}

// flatten lists the names in v, those of inner objects as outer.inner.
func flatten(prefix string, v any) []string {
	set := map[string]bool{}
	var walk func(string, any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case line:
			walk(at, map[string]any(v))
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(at+"."+k, "."), x)
			}
		case []any:
			for _, x := range v {
				walk(at, x)
			}
			if len(v) == 0 {
				set[at] = true
			}
		default:
			set[at] = true
		}
	}
	walk(prefix, v)
	var names []string
	for k := range set {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func TestBalanceFindsLoss(t *testing.T) {
	const good = `{"type":"interval","rx_packets":3,"tx_packets":2,"drops":{"tx_full":1},"directions":[]}
{"type":"total","rx_packets":3,"tx_packets":2,"drops":{"tx_full":1},"directions":[]}`
	for name, text := range map[string]string{
		"":               good,
		"rx is not tx":   strings.ReplaceAll(good, `"tx_full":1`, `"tx_full":0`),
		"intervals have": strings.Replace(good, `{"type":"interval","rx_packets":3,"tx_packets":2`, `{"type":"interval","rx_packets":2,"tx_packets":1`, 1),
		"no total":       strings.Split(good, "\n")[0],
		"was forwarded":  strings.NewReplacer("3", "0", "2", "0", ":1", ":0").Replace(good),
	} {
		all, err := lines(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := balance(all); (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
