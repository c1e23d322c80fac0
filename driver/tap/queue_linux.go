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
		into := b.Append(q.Longest() + 1)
		long := into == nil
		if long {
			if q.scratch == nil {
				q.scratch = make([]byte, q.Longest()+1)
			}
			into = q.scratch
		}
		size, err := unix.Read(q.fd, into)
		if err != nil || size <= 0 || size > q.Longest() {
			q.Put(b)
			if err == unix.EINTR {
				continue
			}
			if size > q.Longest() {
				q.Errors.Add(1)
				continue
			}
			q.dev.check(err)
			return nil
		}
		if !long {
			b.Truncate(size)
			return b
		}
		q.Put(b)
		if b = q.Copy(into[:size]); b == nil {
			q.Dropped.Add(1)
		}
		return b
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
	scratch []byte // for frames of several buffers
}

// Send implements nic.TxQueue. Frames that the kernel refuses are dropped and counted, such as all while the interface is
// down (EIO). When it is short of memory or of room, fewer are taken.
func (q *txQueue) Send(batch []*packet.Buf) int {
	sent, dropped, bytes := 0, 0, 0
	for _, b := range batch {
		if q.dev.gone.Load() || !q.Fit(b) {
			dropped++
			continue
		}
		data := b.Bytes()
		if b.Flags()&packet.Chained != 0 {
			q.scratch = b.AppendTo(q.scratch[:0])
			data = q.scratch
		}
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
		bytes += len(data)
	}
	q.Count(sent, bytes)
	if dropped > 0 {
		q.Dropped.Add(uint64(dropped))
	}
	q.Done(batch[:sent+dropped])
	return sent + dropped
}
