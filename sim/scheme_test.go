package sim

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"glassnic/bus"
	"glassnic/nic"
	"glassnic/packet"
)

// mappings counts the memory of worlds that this process has mapped, where the system tells.
func mappings() int {
	maps, _ := os.ReadFile("/proc/self/maps")
	return strings.Count(string(maps), "glassnic-dma")
}

// runs counts the goroutines that run a world.
func runs() int {
	b := make([]byte, 1<<20)
	return strings.Count(string(b[:runtime.Stack(b, true)]), "(*World).Run(")
}

// wantNothing fails where anything is left of the cards that were opened by address.
func wantNothing(t *testing.T) {
	t.Helper()
	own.Lock()
	defer own.Unlock()
	if own.world != nil || own.ports != 0 {
		t.Errorf("the world of %d ports is still there", own.ports)
	}
	if n, m := runs(), mappings(); n != 0 || m != 0 {
		t.Errorf("%d goroutines and %d mappings are left", n, m)
	}
}

func TestSchemeLoop(t *testing.T) {
	d, err := nic.Open(context.Background(), "sim:loop", nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if a := d.Info().Address; a != "sim:loop" {
		t.Errorf("address %q", a)
	}
	if runs() != 1 || runtime.GOOS == "linux" && mappings() == 0 {
		t.Errorf("%d goroutines and %d mappings of a world were found: this test sees nothing", runs(), mappings())
	}
	batch := make([]*packet.Buf, 8)
	n := d.Info().Pool.Alloc(batch)
	for i, b := range batch[:n] {
		b.SetBytes(append(append(append([]byte{}, d.Info().MAC...), 2, 0, 0, 0, 0, 1, 0x88, 0xb5), make([]byte, 50+i)...))
	}
	if sent := d.TxQueue(0).Send(batch[:n]); sent != 8 {
		t.Fatalf("sent %d of %d", sent, n)
	}
	for got := 0; got < 8; runtime.Gosched() {
		n := d.RxQueue(0).Receive(batch)
		for i, b := range batch[:n] {
			if b.Len() != 64+got+i {
				t.Errorf("frame %d has %d bytes", got+i, b.Len())
			}
		}
		packet.Free(batch[:n])
		got += n
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wantNothing(t)
}

func TestSchemeErrors(t *testing.T) {
	for rest, want := range map[string]string{
		"":                     "use one of\nnone",
		"bogus":                `unknown wire "bogus"`,
		"gen,size=1":           "use 60 to 16000 bytes",
		"gen,colour=red":       "colour",
		"pcap=/does/not/exist": "/does/not/exist",
	} {
		_, err := bus.Open(context.Background(), "sim:"+rest, bus.Options{})
		if err == nil || !strings.HasPrefix(text(err), "sim:"+rest+": ") || !strings.Contains(text(err), want) {
			t.Errorf("sim:%s: %v", rest, err)
		}
	}
	wantNothing(t)
}

func mustOpen(t *testing.T, addr string) bus.Function {
	t.Helper()
	fn, err := bus.Open(context.Background(), addr, bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return fn
}

// Ports that are open at the same time have one memory and cards of their own; the last to close
// ends the world.
func TestSchemeWorld(t *testing.T) {
	a, b := mustOpen(t, "sim:none"), mustOpen(t, "sim:none")
	if a.DMA().Domain() != b.DMA().Domain() {
		t.Error("two domains")
	}
	m, err := b.DMA().Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
	m.Bytes[0] = 1 // b's memory is still there
	c := mustOpen(t, "sim:none")
	if c.DMA().Domain() != b.DMA().Domain() {
		t.Error("a new world while the old one is in use")
	}
	d, err := nic.OpenFunction(context.Background(), c, nic.Config{LinkWait: noWait})
	if err != nil {
		t.Fatal(err)
	}
	b.DMA().Free(m)
	if err := errors.Join(b.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	wantNothing(t)
}

func TestSchemeReopens(t *testing.T) {
	for range 50 {
		fn := mustOpen(t, "sim:gen")
		if _, err := fn.DMA().Alloc(4096, 0); err != nil { // and never freed
			t.Fatal(err)
		}
		if err := fn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantNothing(t)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 10 {
				fn, err := bus.Open(context.Background(), "sim:gen", bus.Options{})
				if err == nil {
					err = fn.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	wantNothing(t)
}
