// Command echo sends every frame that a port receives back to its sender, until Ctrl-C.
package main

import (
	"context"
	"errors"
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
	if err := echo(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func echo(addr string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	port, err := nic.Open(ctx, addr, nic.Config{Promiscuous: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, port.Close()) }()
	rx, tx := port.RxQueue(0), port.TxQueue(0)
	batch := make([]*packet.Buf, 32)
	for ctx.Err() == nil {
		frames := batch[:rx.Receive(batch)] // ours until sent or freed
		for _, f := range frames {
			if data := f.Bytes(); len(data) >= 12 {
				var from [6]byte
				copy(from[:], data[6:12])
				copy(data[6:12], data[:6])
				copy(data, from[:])
			}
		}
		sent := tx.Send(frames) // what was taken is the port's
		packet.Free(frames[sent:])
	}
	s, err := port.Stats()
	fmt.Printf("received %d, sent %d\n", s.RxPackets, s.TxPackets)
	return err
}
