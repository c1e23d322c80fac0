// Package textbook drives an 82599 the plain way: what one writes after reading the datasheet once.
// It is meant to be read first, it stands alone, and it is right before it is fast. driver/ixgbe does
// the same with what measurement taught; tests hold the two against each other, and the benchmark
// counts how much it gained.
//
// A card and a driver share two rings of descriptors in memory, 16 bytes each, one ring per
// direction. The driver owns the tail and the card the head: descriptors from head to tail belong
// to the card, the others to the driver. The driver hands descriptors over by writing the tail
// register; the card hands them back by setting DD ("descriptor done") in the descriptor itself, so
// that the driver polls memory and never waits for a register read over PCI Express.
//
// Read the files in this order:
//
//   - init.go wakes the card up, in the order of the datasheet.
//   - pool.go is the memory for frames: a stack of buffers.
//   - rx.go receives.
//   - tx.go sends.
//   - floor.go is the loop that no driver can be faster than; the benchmark needs it.
//
// Section numbers are those of the Intel 82599 10 GbE Controller Datasheet. What the plain way leaves out:
// several queues, frames in several buffers, offloads, statistics, interrupts.
package textbook
