package tap

import (
	"golang.org/x/sys/unix"

	"glassnic/nic/soft"
	"glassnic/packet"
)

// rxQueue receives what the kernel sends.
type rxQueue struct {
	*soft.Rx
	dev     *Device
	fd      int
	wait    int    // what WaitFD returns
	hdr     int    // bytes of the header before each frame
	most    int    // bytes of the longest large frame; Longest where there are none
	scratch []byte // for frames that may be longer than a buffer
}

// Receive implements nic.RxQueue.
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	n, bytes := 0, 0
	for n < len(batch) {
		b := q.read()
		if b == nil {
			break
		}
		batch[n] = b
		n++
		bytes += b.TotalLen()
	}
	q.Count(n, bytes)
	return n
}

// read reads a frame. One byte more is asked for than it may have, since the kernel cuts what does not fit.
func (q *rxQueue) read() *packet.Buf {
	for {
		b := q.Take()
		if b == nil {
			return nil // the frame waits in the kernel
		}
		b.Prepend(q.hdr) // into the headroom
		long := b.Append(q.most+1) == nil
		into := b.Bytes()
		if long {
			if q.scratch == nil {
				q.scratch = make([]byte, q.hdr+q.most+1)
			}
			into = q.scratch
		}
		size, err := unix.Read(q.fd, into)
		size -= q.hdr
		if err != nil || size <= 0 || size > q.most {
			q.Put(b)
			if err == unix.EINTR {
				continue
			}
			if size > q.most {
				q.Errors.Add(1)
				continue
			}
			q.dev.check(err)
			return nil
		}
		if long {
			q.Put(b)
			if b = q.Copy(into[q.hdr:][:size]); b == nil {
				q.Dropped.Add(1)
				return nil
			}
		} else {
			b.TrimFront(q.hdr)
			b.Truncate(size)
		}
		if q.told(into[:q.hdr], b, size) {
			return b
		}
		packet.Free([]*packet.Buf{b})
	}
}

// check notices that the interface was removed: its file then answers EBADFD.
func (d *Device) check(err error) {
	if err == unix.EBADFD || err == unix.EBADF {
		d.gone.Store(true)
	}
}

// WaitFD implements nic.Waiter: the kernel's own descriptor is readable as long as there are frames.
func (q *rxQueue) WaitFD() int { return q.wait }

// Arm implements nic.Waiter.
func (q *rxQueue) Arm() bool { return q.wait >= 0 && !q.dev.gone.Load() }

// Disarm implements nic.Waiter. The frames that woke the worker are received next.
func (*rxQueue) Disarm() {}

// txQueue sends frames to the kernel.
type txQueue struct {
	*soft.Tx
	dev     *Device
	fd      int
	hdr     int    // bytes of the header before each frame
	large   bool   // the kernel is given large frames
	scratch []byte // for frames of several buffers
}

// Send implements nic.TxQueue. Frames that the kernel refuses are dropped and counted, such as all while the interface is
// down (EIO). When it is short of memory or of room, fewer are taken.
func (q *txQueue) Send(batch []*packet.Buf) int {
	sent, dropped, bytes := 0, 0, 0
	for _, b := range batch {
		if q.dev.gone.Load() || !q.fit(b) {
			dropped++
			continue
		}
		data := q.bytes(b)
		_, err := unix.Write(q.fd, data)
		for err == unix.EINTR {
			_, err = unix.Write(q.fd, data)
		}
		if err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM {
			break
		}
		if err != nil {
			q.dev.check(err)
			dropped++
			continue
		}
		sent++
		bytes += len(data) - q.hdr
	}
	q.Count(sent, bytes)
	if dropped > 0 {
		q.Dropped.Add(uint64(dropped))
	}
	q.Done(batch[:sent+dropped])
	return sent + dropped
}
