package ladder

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel counts the calls of this thread, and of no other.
func TestCallCounter(t *testing.T) {
	if os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("GLASSNIC_NO_NETNS is set: this is for root, too")
	}
	th, err := newThread(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer th.close()
	other, err := newThread(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	const n = 1000
	call := func() error {
		for range n {
			_ = unix.Getppid()
		}
		return nil
	}
	var c *callCounter
	if err := th.do(func() (err error) { c, err = newCallCounter(); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, step := range []struct {
		thread *thread
		least  uint64
	}{{other, 0}, {th, n}} {
		before, err := c.read()
		_ = step.thread.do(call)
		after, err2 := c.read()
		if err != nil || err2 != nil || after-before < step.least || after-before > step.least+n/2 {
			t.Errorf("%d to %d calls counted where %d were made, %v, %v", before, after, step.least, err, err2)
		}
	}
}
