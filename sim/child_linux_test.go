package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"glassnic/internal/traffic"
	"glassnic/nic"
)

// childEnv holds the address of the port that this binary, run again by a test, receives from.
const childEnv = "GLASSNIC_SIM_TEST_DRIVER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(childEnv); addr != "" {
		if err := driverProcess(addr); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// driverProcess receives until its standard input ends, and says so once frames flow.
func driverProcess(addr string) error {
	d, err := nic.Open(context.Background(), addr, nic.Config{Promiscuous: true})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var check traffic.Checker
	for said := false; ; {
		drain(d, &check)
		if n := check.Totals(); !said && n.OK > 1000 && n.OK == n.Frames() {
			said = true
			fmt.Println("receiving")
		}
	}
}

// child is a driver in a process of its own.
type child struct {
	cmd *exec.Cmd
	in  io.Closer
}

func startChild(t *testing.T, addr string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+addr)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, in}
	t.Cleanup(c.kill)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "receiving\n" {
		t.Fatalf("the driver said %q", line)
	}
	return c
}

func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.in.Close()
	}
}
