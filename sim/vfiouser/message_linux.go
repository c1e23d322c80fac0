package vfiouser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

var le = binary.LittleEndian

// Commands ("Commands").
const (
	cmdVersion       = 1
	cmdDMAMap        = 2
	cmdDMAUnmap      = 3
	cmdDeviceInfo    = 4
	cmdRegionInfo    = 5
	cmdRegionIOFDs   = 6
	cmdIRQInfo       = 7
	cmdSetIRQs       = 8
	cmdRegionRead    = 9
	cmdRegionWrite   = 10
	cmdDeviceReset   = 13
	headerSize       = 16
	flagReply        = 1
	flagType         = 0xf
	flagNoReply      = 1 << 4
	flagError        = 1 << 5
	maxTransfer      = 1 << 20 // bytes of data in a message, as QEMU has it without an agreement
	maxMessage       = maxTransfer + 256
	maxFDs           = 8 // in a message
	versionMajor     = 0
	capabilitiesJSON = `{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}`
)

// message is one message ("Header").
type message struct {
	id, command uint16
	flags       uint32
	errno       uint32 // of a reply
	data        []byte
	fds         []int // that came with it; who takes one sets it to -1
}

// closeFDs closes the descriptors that nobody took.
func (m *message) closeFDs() {
	for _, fd := range m.fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	m.fds = nil
}

// takeFD takes descriptor i out of the message, -1 where there is none.
func (m *message) takeFD(i int) int {
	if i >= len(m.fds) {
		return -1
	}
	fd := m.fds[i]
	m.fds[i] = -1
	return fd
}

// receive reads one message. Descriptors come with any part of it.
func receive(c *net.UnixConn) (m *message, err error) {
	m = &message{}
	defer func() {
		if err != nil {
			m.closeFDs()
		}
	}()
	var header [headerSize]byte
	if err := m.fill(c, header[:]); err != nil {
		return m, err
	}
	m.id, m.command, m.flags, m.errno = le.Uint16(header[:]), le.Uint16(header[2:]), le.Uint32(header[8:]), le.Uint32(header[12:])
	size := le.Uint32(header[4:])
	if size < headerSize || size > maxMessage {
		return m, fmt.Errorf("a message of %d bytes: want %d to %d", size, headerSize, maxMessage)
	}
	m.data = make([]byte, size-headerSize)
	return m, m.fill(c, m.data)
}

// fill reads b in full.
func (m *message) fill(c *net.UnixConn, b []byte) error {
	oob := make([]byte, unix.CmsgSpace(4*maxFDs))
	for len(b) > 0 {
		n, k, flags, _, err := c.ReadMsgUnix(b, oob)
		if k > 0 {
			err = errors.Join(err, m.add(oob[:k]))
		}
		switch {
		case err != nil:
			return err
		case flags&unix.MSG_CTRUNC != 0:
			return fmt.Errorf("more than %d descriptors in a message", maxFDs)
		case n == 0:
			return net.ErrClosed
		}
		b = b[n:]
	}
	return nil
}

// add keeps the descriptors of control messages.
func (m *message) add(oob []byte) error {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for i := range list {
		fds, err := unix.ParseUnixRights(&list[i])
		if err != nil {
			continue // of another kind
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
		m.fds = append(m.fds, fds...)
	}
	if len(m.fds) > maxFDs {
		return fmt.Errorf("more than %d descriptors in a message", maxFDs)
	}
	return nil
}

// reply answers a message: with data, or with the error alone.
func reply(c *net.UnixConn, m *message, data []byte, failed unix.Errno) error {
	b := make([]byte, headerSize, headerSize+len(data))
	flags := uint32(flagReply)
	if failed != 0 {
		flags, data = flags|flagError, nil
	}
	le.PutUint16(b, m.id)
	le.PutUint16(b[2:], m.command)
	le.PutUint32(b[4:], uint32(headerSize+len(data)))
	le.PutUint32(b[8:], flags)
	le.PutUint32(b[12:], uint32(failed))
	_, err := c.Write(append(b, data...))
	return err
}
