package shm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
)

// dmaFile opens DIR/dma as another process does.
func dmaFile(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "dma"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// leave writes to a page as a driver does that dies thereafter.
func leave(t *testing.T, f *os.File, page int) {
	t.Helper()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xdd}, pageSize), int64(page)*pageSize); err != nil {
		t.Fatal(err)
	}
}

func isHole(t *testing.T, f *os.File, page int) bool {
	t.Helper()
	data, err := unix.Seek(int(f.Fd()), int64(page)*pageSize, unix.SEEK_DATA)
	if err != nil && !errors.Is(err, unix.ENXIO) {
		t.Fatal(err)
	}
	return err != nil || data >= int64(page+1)*pageSize
}

func isLocked(t *testing.T, f *os.File, page int) bool {
	t.Helper()
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(page) * pageSize, Len: pageSize}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		t.Fatal(err)
	}
	return lk.Type != unix.F_UNLCK
}

// onPause has f called instead of the pause, and counts the calls.
func onPause(t *testing.T, f func()) *int {
	t.Helper()
	n, old := 0, pause
	pause = func() { n++; f() }
	t.Cleanup(func() { pause = old })
	return &n
}

func TestMemoryOfTheDeadComesLast(t *testing.T) {
	dir := serve(t, 1, 4)
	f := dmaFile(t, dir)
	leave(t, f, 1)
	leave(t, f, 3)
	paused := onPause(t, func() {
		if !isLocked(t, f, 1) || !isLocked(t, f, 3) {
			t.Error("others could take the pages meanwhile")
		}
		// The dead driver's card has not been reset yet.
		if _, err := f.WriteAt([]byte{1}, pageSize+77); err != nil {
			t.Error(err)
		}
	})
	fn := mustOpen(t, dir, "p0")
	for _, want := range []uint64{2, 4} {
		if m := mustAlloc(t, fn, pageSize); m.IOVA != want*pageSize || *paused != 0 {
			t.Errorf("page %d after %d pauses, want %d", m.IOVA/pageSize, *paused, want)
		}
	}
	m := mustAlloc(t, fn, pageSize)
	if m.IOVA != pageSize || m.Bytes[77] != 0 || *paused != 1 {
		t.Errorf("page %d, %d in it, after %d pauses", m.IOVA/pageSize, m.Bytes[77], *paused)
	}
	if isLocked(t, f, 3) || !isHole(t, f, 3) {
		t.Error("the other page was not given back to all")
	}
	if m = mustAlloc(t, fn, pageSize); m.IOVA != 3*pageSize || *paused != 1 {
		t.Errorf("page %d after %d pauses", m.IOVA/pageSize, *paused)
	}
	// Another process may be about to give pages back.
	if _, err := fn.DMA().Alloc(128, 0); !errors.Is(err, dma.ErrNoMemory) || *paused != 2 {
		t.Errorf("%v after %d pauses", err, *paused)
	}
	fn.DMA().Free(m)
	if isLocked(t, f, 3) || !isHole(t, f, 3) {
		t.Error("freed memory was not given back")
	}
}

// TestFullOfTheDead has a file system that holds one page, which a dead driver left.
func TestFullOfTheDead(t *testing.T) {
	mnt := t.TempDir()
	if err := unix.Mount("none", mnt, "tmpfs", 0, "size=3M"); err != nil {
		t.Fatalf("mounting a tmpfs of 3 MiB: %v: run as root", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) })
	dir := serve(t, 1, 4)
	if err := errors.Join(os.Remove(dir+"/dma"), os.WriteFile(mnt+"/dma", nil, 0o600), os.Truncate(mnt+"/dma", 5*pageSize),
		os.Symlink(mnt+"/dma", dir+"/dma")); err != nil {
		t.Fatal(err)
	}
	f := dmaFile(t, dir)
	leave(t, f, 2)
	paused := onPause(t, func() {})
	mustAlloc(t, mustOpen(t, dir, "p0"), pageSize)
	if *paused != 1 {
		t.Errorf("%d pauses", *paused)
	}
	f.Close()
}

// What a driver has not freed belongs perhaps to a card that did not stop.
func TestUnfreedMemoryIsLikeThatOfTheDead(t *testing.T) {
	dir := serve(t, 1, 2)
	f := dmaFile(t, dir)
	fn := mustOpen(t, dir, "p0")
	mustAlloc(t, fn, 128)
	if err := fn.Close(); err != nil {
		t.Fatal(err)
	}
	if isLocked(t, f, 1) || isHole(t, f, 1) {
		t.Error("the page is locked, or seems to be nobody's")
	}
	if m := mustAlloc(t, mustOpen(t, dir, "p0"), 128); m.IOVA != 2*pageSize {
		t.Errorf("page %d", m.IOVA/pageSize)
	}
}

// Where page 0 holds data, as in a file that was filled beforehand, there are no holes to go by.
func TestNoHoles(t *testing.T) {
	dir := serve(t, 1, 2)
	f := dmaFile(t, dir)
	for i := range 3 {
		leave(t, f, i)
	}
	paused := onPause(t, func() {})
	fn := mustOpen(t, dir, "p0")
	if m := mustAlloc(t, fn, pageSize); m.IOVA != pageSize || m.Bytes[5] != 0 {
		t.Errorf("page %d, %d in it", m.IOVA/pageSize, m.Bytes[5])
	}
	mustAlloc(t, fn, pageSize)
	if _, err := fn.DMA().Alloc(pageSize, 0); !errors.Is(err, dma.ErrNoMemory) || *paused != 0 {
		t.Errorf("%v after %d pauses", err, *paused)
	}
}
