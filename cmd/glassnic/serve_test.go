package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeAndForward has cards in one process and fwd in another, and adds both accounts up.
func TestServeAndForward(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve := exec.Command("glassnic", "sim", "serve", dir, "--json", "--memory", "64M", "--port", "peer,stream=1", "--port", "peer,stream=2,size=imix")
	var stderr bytes.Buffer
	serve.Stderr = &stderr
	pipe, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(time.Minute, func() { _ = serve.Process.Kill() })
	defer guard.Stop()
	in := bufio.NewScanner(pipe)
	next := func() line {
		t.Helper()
		if !in.Scan() {
			t.Fatalf("serve ended: %v: %s", serve.Wait(), &stderr)
		}
		l, err := lines(in.Text() + "\n")
		if err != nil {
			t.Fatal(err)
		}
		return l[0]
	}
	var addrs []string
	for range 2 {
		l := next()
		if l["type"] != "ready" {
			t.Fatalf("%v instead of a port that is ready", l)
		}
		addrs = append(addrs, l["port"].(string))
	}

	out, err := exec.Command("glassnic", "fwd", addrs[0], addrs[1], "--duration", "1s", "--json").Output()
	if err != nil {
		t.Fatalf("fwd: %v: %s", err, stderrOf(err))
	}
	all, err := lines(string(out))
	if err != nil {
		t.Fatal(err)
	}
	total, err := balance(all)
	if err != nil {
		t.Fatal(err)
	}

	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ways := total["directions"].([]any)
	for i := range 2 {
		l := next()
		card, wire, sink := line(l["card"].(map[string]any)), line(l["wire_totals"].(map[string]any)), line(l["checked"].(map[string]any))
		out, in := line(ways[1-i].(map[string]any)), line(ways[i].(map[string]any))
		if sent := out.number("tx_packets"); card.number("tx_sent") != sent || wire.number("tx_frames") != sent || sink.number("ok") != sent {
			t.Errorf("port %d: fwd sent %d, and serve says %v", i, sent, l)
		}
		// What arrived after fwd had ended stays in the rings.
		if rx := in.number("rx_packets"); card.number("rx_host") < rx || card.number("rx_host") > rx+512 {
			t.Errorf("port %d: fwd received %d, and serve says %v", i, rx, l)
		}
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("serve: %v: %s", err, &stderr)
	}
}

// TestInterrupt ends fwd with a signal and expects totals, code 0 and no process left.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	fwd := exec.Command("glassnic", "fwd", "sim:peer", "sim:peer", "--json")
	var stderr bytes.Buffer
	fwd.Stderr = &stderr
	pipe, err := fwd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fwd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(time.Minute, func() { _ = fwd.Process.Kill() })
	defer guard.Stop()
	in := bufio.NewScanner(pipe)
	var text strings.Builder
	for n := 0; in.Scan(); n++ {
		text.WriteString(in.Text() + "\n")
		if n == 0 {
			if err := fwd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := fwd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &stderr)
	}
	all, err := lines(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := balance(all); err != nil {
		t.Error(err)
	}
}
