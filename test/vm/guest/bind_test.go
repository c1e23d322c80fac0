//go:build guest

package guest

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// refused runs a command that must fail and returns what it says.
func refused(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err == nil {
		t.Fatalf("%s %s was not refused:\n%s", name, strings.Join(args, " "), out)
	}
	return string(out)
}

// shell runs a line in a shell.
func shell(t *testing.T, line string) string {
	t.Helper()
	return command(t, "sh", "-ec", line)
}

// TestBind takes a card that the system uses: that is refused for an address, a route and an interface that is up,
// and not any more after the cure that is printed; --force does it all the same; and the printed undo gives the card
// back to the kernel, which can ping through it.
func TestBind(t *testing.T) {
	c := cards(t)
	bind := []string{"dev", "bind", c[0].addr, "--driver", "vfio-pci"}
	cures := regexp.MustCompile("free it first \\(`([^`]*)`\\)")
	for _, u := range []struct{ make, want string }{
		{"ip link set DEV up", "DEV is up"},
		{"ip addr add 192.0.2.1/24 dev DEV", "DEV has address 192.0.2.1/24"},
		{"ip link set DEV up; ip route add 198.51.100.0/24 dev DEV", "DEV has route "},
	} {
		dev := strings.NewReplacer("DEV", netdev(t, c[0]))
		make, want := dev.Replace(u.make), dev.Replace(u.want)
		shell(t, make)
		var cure []string
		for _, args := range [][]string{bind, {"dev", "unbind", c[0].addr}, append(bind, "--dry-run")} {
			said := refused(t, "glassnic", args...)
			if cure = cures.FindStringSubmatch(said); cure == nil || !strings.Contains(said, want) || !strings.Contains(said, "--force") {
				t.Fatalf("after `%s`: %q, want %q and a cure in it", make, said, want)
			}
			netdev(t, c[0]) // is still there
		}
		shell(t, cure[1])
		undo(t, c[0], glassnic(t, bind...))
	}
	dev := netdev(t, c[0])
	shell(t, "ip addr add 192.0.2.1/24 dev "+dev+"; ip link set "+dev+" up")
	refused(t, "glassnic", bind...)
	undo(t, c[0], glassnic(t, append(bind, "--force")...))
	ping(t, [2]card{c[0], c[1]})
}

// undo runs the command by which a bind is undone, and checks that the kernel has the card.
func undo(t *testing.T, c card, said string) {
	t.Helper()
	_, back, ok := strings.Cut(said, "undo:\n")
	if !ok {
		t.Fatalf("no undo in %q", said)
	}
	shell(t, strings.TrimSpace(back))
	netdev(t, c)
}
