//go:build linux

package vhost

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
)

// session is what one front-end has said. It belongs to the session's goroutine, but for what is atomic.
type session struct {
	virtio     atomic.Uint64 // features that the driver took
	protocol   vhostuser.ProtocolFeatures
	negotiated bool // FeatureProtocol: rings begin disabled
	status     uint64
}

// features are those that the driver took.
func (s *session) features() chip.Features { return chip.Features(s.virtio.Load()) }

// protocolFeatures are the extensions of the protocol that this end has. Logging of writes for live migration
// (LOG_SHMFD) is not among them, and QEMU does not migrate then; nor is the tracking of buffers under way
// (INFLIGHT_SHMFD), since none is kept from one batch to the next, and rings tell where they stand (ring.begin); QEMU does
// not ask network devices for it either.
const protocolFeatures = vhostuser.FeatureMQ | vhostuser.FeatureReplyAck | vhostuser.FeatureResetDevice |
	vhostuser.FeatureConfigureMemSlots | vhostuser.FeatureStatus

// run serves one front-end after the other until Stop.
func (d *Device) run() {
	defer close(d.done)
	for {
		conn, err := d.end.Connect()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				d.note(d.fail("connect", "%w: close the port and open it again", err))
			}
			return
		}
		if !d.hold(conn) {
			_ = conn.Close()
			return
		}
		d.connects.Add(1)
		err = d.serve(conn)
		d.forget()
		_ = conn.Close()
		d.disconnect.Add(1)
		if !left(err) && !d.closing.Load() {
			d.note(d.fail("connection", "%w: the connection is closed, and the next one begins anew", err))
		}
	}
}

// left tells whether a connection ended because the front-end is no more.
func left(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// hold keeps a connection where Stop finds it. It reports false after Stop.
func (d *Device) hold(c *vhostuser.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = c
	return !d.closed
}

// note keeps the trouble of a connection for Trouble.
func (d *Device) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble = err
	d.cfg.Logger.Debug("vhost-user", "error", err)
}

// forget ends all use of a front-end's memory and all that it has said.
func (d *Device) forget() {
	d.lock()
	defer d.unlock()
	for _, r := range d.rings {
		r.reset()
	}
	_ = d.memory.Close()
	d.session.virtio.Store(0)
	d.session.protocol, d.session.negotiated, d.session.status = 0, false, 0
}

// lock holds all rings, unlock lets them go: nobody uses the driver's memory in between.
func (d *Device) lock() {
	for _, r := range d.rings {
		r.mu.Lock()
	}
}

func (d *Device) unlock() {
	for _, r := range d.rings {
		r.mu.Unlock()
	}
}

// serve answers a front-end until its connection ends, or it says what cannot be.
func (d *Device) serve(conn *vhostuser.Conn) error {
	for {
		m, err := conn.Receive(0)
		if err != nil {
			return err
		}
		reply, err := d.answer(m)
		m.Close()
		switch {
		case err != nil:
			_ = conn.Acknowledge(m, d.session.protocol, false)
			return fmt.Errorf("%v: %w", m.Request, err)
		case reply != nil:
			err = conn.Answer(m, reply)
		default:
			err = conn.Acknowledge(m, d.session.protocol, true)
		}
		if err != nil {
			return err
		}
	}
}
