package virtio_test

import (
	"errors"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// A device that sends nothing is told, once it has frames and a link, whatever its rings are like.
func TestTroubleTransmit(t *testing.T) {
	for name, make := range map[string]func() *card{"split": newCard, "packed": packedCard} {
		t.Run(name, func(t *testing.T) {
			shorten(t, 0, "stall")
			c := make()
			c.own[6] = 1 // NET_S_LINK_UP (5.1.4)
			r := open(t, c, small)
			well := func(when string) {
				t.Helper()
				for range 3 {
					if err := r.dev.Trouble(); err != nil {
						t.Errorf("%s: %v", when, err)
					}
				}
			}
			stalls := func(queue string) {
				t.Helper()
				if err := r.dev.Trouble(); err != nil {
					t.Errorf("after one look: %v", err)
				}
				if err := r.dev.Trouble(); !errors.Is(err, nic.ErrStalled) || !strings.Contains(err.Error(), queue) {
					t.Errorf("%v, want %s", err, queue)
				}
			}
			well("at first")
			for n := range 150 { // more than the ring holds, some in several buffers
				r.send(0, frame(200, 1), 60+n%4*100)
				r.step()
				if n%7 == 0 {
					well("after frames that were sent, with a worker that does not look")
				}
			}
			r.put(frame(60, 1))
			r.step()
			well("with a worker that does not poll")
			r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(60, 1), 60)})
			stalls("transmit queue 0: no progress for 0s: the device has buffers and a link")
			c.own[6] = 0
			well("without a link")
			c.own[6] = 1
			r.step()
			well("after it went on")
			for range 3 {
				r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(200, 1), 60)})
			}
			stalls("transmit queue 0")
			r.step()
			well("at the end")
		})
	}
}
