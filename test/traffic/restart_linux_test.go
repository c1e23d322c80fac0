package traffic

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	chip "glassnic/chip/ixgbe"
)

const (
	// rounds is how often each program is killed.
	rounds = 20
	// enough is how many frames flow between two kills at least.
	enough = 20_000
	// inFlight bounds the frames of one direction that a kill may cost: those in a receive and a transmit
	// ring of 512, in a batch, in the card's packet buffer (one batch of 256), and, where the wire is a loop, in
	// its 256 KiB at 72 bytes a frame.
	inFlight     = 512 + 512 + 32 + 256
	inFlightLoop = inFlight + 256<<10/72
)

// flowing waits until a card has sent so many frames more, by its register.
func (p ports) flowing(t *testing.T, server, driver *process, port int) {
	t.Helper()
	before := p.register(t, port, chip.GPTC)
	server.wait(t, patience, fmt.Sprintf("traffic from port %d", port), func() error {
		driver.running(t)
		now := p.register(t, port, chip.GPTC)
		if now < before { // a new driver has reset the card
			before = 0
		}
		if now-before < enough {
			return fmt.Errorf("%d frames", now-before)
		}
		return nil
	})
}

// TestServerKilled kills the cards under a driver that goes on, with its numbering, when they are back: what
// it has sent comes back once and in order, but for what the cards had when they died.
func TestServerKilled(t *testing.T) {
	ports := newPorts(t)
	server := ports.serve(t, "loop")
	gen := run(t, "gen", ports.address(0), "--receive", "--promisc")
	for range rounds {
		ports.flowing(t, server, gen, 0)
		server.kill(t)
		gen.running(t)
		server = ports.serve(t, "loop")
	}
	ports.flowing(t, server, gen, 0)
	gen.interrupt(t)
	server.interrupt(t)

	totals := gen.all("total")
	if len(totals) != 1 {
		t.Fatalf("no totals: %+v", totals)
	}
	total := totals[0]
	t.Logf("%d sent, %d back, %d lost in %d kills", total.TxPackets, total.Check.OK, total.Check.Missing, rounds)
	switch lost := total.TxPackets - total.Check.OK; {
	case total.Check.broken() > 0:
		t.Errorf("frames came back in another way than they were sent: %+v", total.Check)
	case total.RxPackets != total.Check.OK:
		t.Errorf("%d received, %d checked", total.RxPackets, total.Check.OK)
	case lost > rounds*inFlightLoop:
		t.Errorf("%d frames lost, more than can have been in flight in %d kills", lost, rounds)
	case total.TxPackets < rounds*enough:
		t.Errorf("only %d frames sent", total.TxPackets)
	}
}

// TestServerKilledUnderForward does the same to fwd. Each server's sources have streams of their own; the
// last ones end, and all of them must come through.
func TestServerKilledUnderForward(t *testing.T) {
	const count = 500_000
	ports := newPorts(t)
	serve := func(round int, more string) *process {
		return ports.serve(t, fmt.Sprintf("peer,stream=%d%s", 2*round, more), fmt.Sprintf("peer,stream=%d%s", 2*round+1, more))
	}
	server := serve(0, "")
	fwd := run(t, "fwd", ports.address(0), ports.address(1), "--patience", "1000000000")
	for round := range rounds {
		ports.flowing(t, server, fwd, 0)
		ports.flowing(t, server, fwd, 1)
		server.kill(t)
		if round < rounds-1 {
			server = serve(round+1, "")
		}
	}
	// When nothing comes any more, the reports tell what came before.
	seen := len(fwd.all("interval"))
	fwd.wait(t, patience, "become idle", func() error {
		if all := fwd.all("interval"); len(all) < seen+2 || all[len(all)-1].RxPackets > 0 {
			return fmt.Errorf("still forwarding")
		}
		return nil
	})
	before := fwd.received()
	server = serve(rounds, fmt.Sprintf(",count=%d", count))
	fwd.wait(t, patience, "forward the last streams", func() error {
		server.running(t)
		if n := fwd.received() - before; n < 2*count {
			return fmt.Errorf("%d frames of %d", n, 2*count)
		}
		return nil
	})
	fwd.interrupt(t)
	server.interrupt(t)

	total := fwd.all("total")[0]
	if sum(total.Drops) > 0 || total.RxPackets != total.TxPackets {
		t.Errorf("fwd: %+v", total.way)
	}
	for _, port := range server.all("total") {
		// What fwd had when the last server but one died goes out first, in a stream of its own.
		if n := port.Check.OK; n < count || n > count+inFlight {
			t.Errorf("%s: %d frames came through, %d were sent", port.Port, n, count)
		}
		if port.Wire.RxFrames != count || port.Wire.TxFrames != port.Check.OK || port.Check.broken() > 0 {
			t.Errorf("%s: wire %+v, sink %+v", port.Port, port.Wire, port.Check)
		}
	}
	t.Logf("%d frames forwarded through %d kills", total.TxPackets, rounds)
}

// TestDriverKilled kills the driver under cards that go on: its memory is free at once, the cards do not
// write there any more, and the next driver finds everything in order.
func TestDriverKilled(t *testing.T) {
	ports := newPorts(t)
	server := ports.serve(t, "peer,stream=1", "peer,stream=2")
	dma := ports.memory(t)
	start := func() *process {
		return run(t, "fwd", ports.address(0), ports.address(1), "--patience", "1000000000")
	}
	for round := range rounds {
		fwd := start()
		ports.flowing(t, server, fwd, 0)
		ports.flowing(t, server, fwd, 1)
		if lockedPages(t, dma) == 0 {
			t.Fatal("a driver runs, and no page is locked: this test sees nothing")
		}
		fwd.kill(t)
		if n := lockedPages(t, dma); n > 0 {
			t.Fatalf("round %d: %d pages are still locked after the driver is dead", round, n)
		}
		if round%2 == 0 { // else the next driver comes at once
			ports.testNoStrayDMA(t, server, dma)
		}
	}
	fwd := start()
	ports.flowing(t, server, fwd, 0)
	ports.flowing(t, server, fwd, 1)
	fwd.interrupt(t)
	if n := lockedPages(t, dma); n > 0 {
		t.Errorf("%d pages are still locked after the driver has ended", n)
	}
	server.interrupt(t)

	cards := server.all("total")
	if len(cards) != 2 {
		t.Fatalf("totals are missing: %+v", cards)
	}
	for i := range cards {
		in, out := cards[i], cards[1-i]
		t.Logf("%s: %d frames, %d lost in %d kills", in.Port, in.Wire.RxFrames, in.Wire.RxFrames-out.Check.OK, rounds)
		if in.Wire.RxFrames < in.Card["rx_frames"] || in.Wire.RxFrames > in.Card["rx_frames"]+inFlight {
			t.Errorf("%s: the wire gave %d frames, the card settled %d", in.Port, in.Wire.RxFrames, in.Card["rx_frames"])
		}
		if in.Card["rx_frames"] != in.Card["rx_host"]+drops(in.Card, "rx_") {
			t.Errorf("%s: the card's counts do not add up: %v", in.Port, in.Card)
		}
		if out.Wire.TxFrames != out.Check.OK || out.Check.broken() > 0 {
			t.Errorf("%s: wire %+v, sink %+v", out.Port, out.Wire, out.Check)
		}
		if lost := in.Wire.RxFrames - out.Check.OK; lost > (rounds+1)*inFlight || out.Check.Lost > lost {
			t.Errorf("%s: %d frames lost, more than can have been in flight; sink %+v", in.Port, lost, out.Check)
		}
	}
}

// testNoStrayDMA takes all memory, as another driver might, once the cards have been reset, and looks
// whether they leave it alone although frames wait at their wires.
func (p ports) testNoStrayDMA(t *testing.T, server *process, dma *os.File) {
	t.Helper()
	for i := range 2 {
		server.wait(t, patience, "reset the card of a dead driver", func() error {
			if v := p.register(t, i, chip.RXCTRL) & chip.RxctrlRXEN; v != 0 {
				return fmt.Errorf("RXCTRL of port %d is %#x", i, v)
			}
			return nil
		})
	}
	st, err := dma.Stat()
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(dma.Fd()), 0, int(st.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	pattern := bytes.Repeat([]byte{0xa5, 0x5a}, pageSize/2)
	for at := pageSize; at+pageSize <= len(mem); at += pageSize {
		copy(mem[at:], pattern)
	}
	for i := range 2 {
		p.poke(t, server, i)
	}
	for at := pageSize; at+pageSize <= len(mem); at += pageSize {
		if !bytes.Equal(mem[at:at+pageSize], pattern) {
			t.Fatalf("page %d was written to after its driver had died", at/pageSize)
		}
	}
}

// poke resets a card as a driver does and waits for its answer: the server goes on.
func (p ports) poke(t *testing.T, server *process, i int) {
	t.Helper()
	p.setRegister(t, i, chip.CTRL, p.register(t, i, chip.CTRL)|chip.CtrlRST)
	server.wait(t, patience, "answer a reset", func() error {
		if v := p.register(t, i, chip.CTRL); v&chip.CtrlRST != 0 {
			return fmt.Errorf("CTRL of port %d is %#x", i, v)
		}
		return nil
	})
}
