// Package shm reaches a modelled card in another process through shared files.
//
// The address is "shm:DIR/pN". The model's side publishes
//
//	DIR/pN/resource0  the registers of port N (BAR 0), which the model watches
//	DIR/pN/config     optional: the first 64 bytes of the PCI configuration space, for the IDs
//	DIR/pN/irqV       optional: a FIFO for vector V of MSI-X, which the model writes to for an interrupt
//	DIR/dma           DMA memory for all ports and drivers; an IOVA is an offset in this file
//
// and may lie on tmpfs or hugetlbfs. A driver holds flock(LOCK_EX) on resource0 for as long as it
// uses the port, and an open-file-description write lock (fcntl(2), F_OFD_SETLK) on each 2 MiB of dma
// that it uses, from offset 2 MiB on. The kernel drops both when a driver dies, so the model notices
// and other drivers reuse the memory.
//
// A card goes on writing to the memory of a driver that died until the model resets it, which is to
// take less than 100 ms. So a driver makes what it gives back a hole in dma, and takes unlocked memory
// that is no hole only where there is no other, after holding the locks for 100 ms. Where the file
// system knows no holes it takes any.
//
// The files must not be cut shorter while drivers have them mapped: a model that starts afresh reuses
// files of the same size or makes new ones.
package shm

import (
	"fmt"
	"path/filepath"

	"glassnic/bus"
)

func init() { bus.Register("shm", open) }

// defaultID is the 82599 SFI/SFP+ (datasheet 9.3.2, device ID 10FB), network controller class.
var defaultID = bus.ID{Vendor: 0x8086, Device: 0x10fb, Class: 0x020000}

// cure tells what mends a directory that nobody serves.
func cure(dir string) string { return fmt.Sprintf("start `glassnic sim serve %s`", dir) }

// split returns the directory of the port and that of the dma file.
func split(rest string) (port, dir string, err error) {
	port = filepath.Clean(rest)
	if rest == "" || port == "." || port == "/" {
		return "", "", fmt.Errorf("shm: address %q: want shm:DIR/pN", "shm:"+rest)
	}
	return port, filepath.Dir(port), nil
}
