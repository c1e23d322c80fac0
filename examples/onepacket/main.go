// Command onepacket follows frames through the driver's rings: it plays the wire and the application
// of a trapped 82599 and prints what driver and card write to registers and descriptors. The card moves
// only when it is told to, so there is time to look.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"strings"

	chip "glassnic/chip/ixgbe"
	_ "glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// view is a card and the far end of its cable.
type view struct {
	*sim.Trapped
	far   *wire.CableEnd
	quiet bool // print no register accesses
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	near, far := wire.Cable()
	v := &view{far: far, quiet: true}
	if v.Trapped, err = sim.NewTrapped(ixgbe.Config{Wire: near, Trace: v.access}); err != nil {
		return err
	}
	// The smallest ring has stretches of 16; a report for each frame shows how buffers come back.
	port, err := nic.OpenFunction(context.Background(), v.Function("sim:onepacket"), nic.Config{
		RxRing: 64, TxRing: 64, ReportEvery: 1, Promiscuous: true,
	})
	if err != nil {
		return err
	}
	v.quiet = false
	defer func() {
		v.quiet = true
		err = errors.Join(err, port.Close())
	}()
	return v.follow(port)
}

// access prints what the driver writes.
func (v *view) access(e ixgbe.Event) {
	if e.Write && !v.quiet {
		fmt.Println("  driver:", e)
	}
}

func (v *view) follow(port nic.Device) error {
	rx, tx := port.RxQueue(0), port.TxQueue(0)
	batch := make([]*packet.Buf, 32)

	title("The port is open: every receive descriptor holds an empty buffer")
	v.receiveRing(0)

	title("The application polls, and nothing is there: the driver looks at the descriptor, and the card notices nothing")
	fmt.Printf("  Receive returned %d\n", rx.Receive(batch))

	title("A frame is on the wire; the card writes it to memory, then the descriptor")
	v.arrive(1)
	v.receiveRing(0)

	title("The application polls: it gets the frame; the descriptor stays as it is until the stretch ends")
	n := rx.Receive(batch)
	fmt.Printf("  Receive returned %d, of %d bytes\n", n, batch[0].Len())
	v.receiveRing(0)

	title("It sends the frame: a descriptor, then the tail")
	tx.Send(batch[:n])
	v.transmitRing(0)

	title("The card reads the frame from memory, sends it, and reports")
	v.Card.Step(1)
	v.transmitRing(0)
	var out [1]wire.Frame
	fmt.Printf("  the far end received %d frame\n", v.far.Receive(out[:]))

	// The buffer goes back to its pool. Close would complain of one that did not.
	tx.Send(nil)

	title("15 more frames end the stretch of 16: its descriptors get fresh buffers, and the card is told")
	v.arrive(15)
	n = rx.Receive(batch)
	fmt.Printf("  Receive returned %d\n", n)
	v.receiveRing(0)
	packet.Free(batch[:n])
	return nil
}

func title(s string) { fmt.Println("\n" + s) }

// arrive has n frames come from the far end.
func (v *view) arrive(n int) {
	frame := append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5"), strings.Repeat(".", 46)...)
	for range n {
		v.far.Send([]wire.Frame{{Data: frame}})
	}
	v.Card.Step(n)
}

// register reads the register file behind the driver's back.
func (v *view) register(off uint32) uint32 {
	return binary.LittleEndian.Uint32(v.Card.Registers()[off:])
}

// descriptor reads descriptor i of the ring at the address in two registers.
func (v *view) descriptor(low, high uint32, i int) (w0, w1 uint64) {
	at := uint64(v.register(low)) | uint64(v.register(high))<<32
	b, _ := v.Space.At("view", at+uint64(i)*chip.DescSize, chip.DescSize, false)
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
}

func (v *view) receiveRing(i int) {
	w0, w1 := v.descriptor(chip.RDBAL(0), chip.RDBAH(0), i)
	fmt.Printf("  RDH %d, RDT %d, descriptor %d: ", v.register(chip.RDH(0)), v.register(chip.RDT(0)), i)
	if w1&chip.RxDD == 0 {
		fmt.Printf("buffer at %#x\n", w0)
		return
	}
	fmt.Printf("%d bytes%s\n", chip.RxLen(w1), bits(w1, []flag{{"DD", chip.RxDD}, {"EOP", chip.RxEOP}, {"RXE", chip.RxRXE}}))
}

func (v *view) transmitRing(i int) {
	w0, w1 := v.descriptor(chip.TDBAL(0), chip.TDBAH(0), i)
	fmt.Printf("  TDH %d, TDT %d, descriptor %d: ", v.register(chip.TDH(0)), v.register(chip.TDT(0)), i)
	if w1&chip.TxDD != 0 {
		fmt.Println("done, DD")
		return
	}
	fmt.Printf("%d bytes at %#x%s\n", w1&chip.TxDTALENMask, w0, bits(w1, []flag{
		{"DEXT", chip.TxDCMDDEXT}, {"IFCS", chip.TxDCMDIFCS}, {"EOP", chip.TxDCMDEOP}, {"RS", chip.TxDCMDRS},
	}))
}

type flag struct {
	name string
	bit  uint64
}

// bits names the flags that are set.
func bits(w uint64, flags []flag) (s string) {
	for _, f := range flags {
		if w&f.bit != 0 {
			s += ", " + f.name
		}
	}
	return s
}
