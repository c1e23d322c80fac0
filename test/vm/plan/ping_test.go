package plan

import "testing"

func TestUnanswered(t *testing.T) {
	const head = "PING 192.0.2.2 (192.0.2.2) 56(84) bytes of data.\n"
	line := func(n string) string { return "64 bytes from 192.0.2.2: icmp_seq=" + n + " ttl=64 time=7.5 ms\n" }
	for out, want := range map[string]int{
		head + line("1") + line("2") + line("3"):                                                        0,
		head + line("1") + line("3") + line("4"):                                                        2,
		head + line("1") + line("2") + line("30"):                                                       3,
		head + line("2") + line("1") + line("3") + "4 packets transmitted, 3 received, 25% packet loss": 0,
		"": 1,
	} {
		if got := Unanswered(out, 3); got != want {
			t.Errorf("%d, want %d:\n%s", got, want, out)
		}
	}
}
