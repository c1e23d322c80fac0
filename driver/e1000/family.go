package e1000

import (
	"context"

	chip "glassnic/chip/e1000"
)

// family is what the driver does differently on the three kinds of cards. All the rest is the same.
type family struct {
	// rotate is how far word 1 of a receive descriptor is rotated, and damaged its bit of a bad frame then.
	rotate  int
	damaged uint64
	// command are the constant bits in word 1 of a transmit descriptor, and unit what each byte of a frame
	// of one buffer adds: once for the buffer, on the 82576 once for the frame, too.
	command uint64
	frame   uint64 // the latter of the two

	// pcie cards can be told to stop DMA (CTRL.GIO_DIS), report that the EEPROM was read (EEC.AUTO_RD), and
	// tell firmware that a driver is there (CTRL_EXT.DRV_LOAD).
	pcie bool
	// errata are those of the 82574.
	errata bool
	// switches are on each queue (RXDCTL.ENABLE), with a buffer size of its own (SRRCTL). Without, RCTL has the
	// size, a power of two.
	switches bool
	// extended receive descriptors have to be switched on (RFCTL.EXSTEN).
	extended bool
	// single is set where the driver uses one queue each way of those that the card has.
	single bool
	// prefetch and host are the thresholds of both rings, unless settings say otherwise.
	rxPrefetch, rxHost, txPrefetch, txHost int
	// lock keeps firmware and other ports' drivers away from the PHY; nil where there are none.
	lock func(*Device, context.Context) (unlock func(), err error)
}

var families = [...]family{
	chip.Legacy: {
		rotate: chip.RxTurnLegacy, damaged: chip.RxRXE8, command: chip.TxDTYPData | txCommon,
		single: true, rxPrefetch: 32, rxHost: 4, txPrefetch: 31, txHost: 1,
	},
	chip.Extended: {
		rotate: chip.RxTurn, damaged: chip.RxRXE, command: chip.TxDTYPData | txCommon,
		pcie: true, errata: true, extended: true, lock: (*Device).ownMDIO,
		single: true, rxPrefetch: 32, rxHost: 4, txPrefetch: 31, txHost: 1,
	},
	chip.Advanced: {
		rotate: chip.RxTurn, damaged: chip.RxRXE, command: chip.TxDTYPAdvData | txCommon, frame: 1 << chip.TxPaylenShift,
		pcie: true, switches: true, lock: (*Device).ownPHY,
		rxPrefetch: 8, rxHost: 8, txPrefetch: 8, txHost: 1,
	},
}

const txCommon = chip.TxDCMDDEXT | chip.TxDCMDIFCS

// queues is how many queues each way the driver uses of a model.
func (f *family) queues(facts chip.Facts) int {
	if f.single {
		return 1
	}
	return facts.Queues
}

// buffer rounds the room of a buffer down to a size that the card can be told, in bytes.
func (f *family) buffer(room int) int {
	room = min(room, chip.BufMax)
	if f.switches {
		return room / chip.SrrctlBSIZEPACKETUnit * chip.SrrctlBSIZEPACKETUnit
	}
	size := chip.BufMin
	for 2*size <= room {
		size *= 2
	}
	return size
}
