// Command echo sends every frame that a port receives back to its sender, until Ctrl-C.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	_ "glassnic/driver/all"
	"glassnic/nic"
	"glassnic/packet"
	_ "glassnic/sim" // the address sim:WIRE
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: echo PORT, such as 0000:03:00.0 or sim:gen")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	port, err := nic.Open(ctx, os.Args[1], nic.Config{Promiscuous: true})
	if err != nil {
		log.Fatal(err)
	}
	rx, tx := port.RxQueue(0), port.TxQueue(0)
	batch := make([]*packet.Buf, 32)
	for ctx.Err() == nil {
		frames := batch[:rx.Receive(batch)] // ours until sent or freed
		for _, f := range frames {
			if data := f.Bytes(); len(data) >= 12 {
				to, from := [6]byte(data), [6]byte(data[6:])
				copy(data, from[:])
				copy(data[6:], to[:])
			}
		}
		sent := tx.Send(frames) // what was taken is the port's
		packet.Free(frames[sent:])
	}
	if s, err := port.Stats(); err == nil {
		fmt.Printf("received %d, sent %d\n", s.RxPackets, s.TxPackets)
	}
	if err := port.Close(); err != nil {
		log.Fatal(err)
	}
}
