package virtio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"glassnic/bus/vhostuser"
	"glassnic/nic"
)

const scheme = "virtio-user"

func init() { nic.RegisterScheme(scheme, openUser) }

// UserUsage is the form of the addresses of ports whose device is another process.
const UserUsage = scheme + ":PATH[,server][,split][,mac=ADDRESS]"

// leastMeet is how long the driver waits for a back-end at least, which it needs to know the device.
const leastMeet = time.Second

// parseUser returns the back-end at an address, to which nothing is connected yet.
func parseUser(rest string) (*backend, error) {
	addr := scheme + ":" + rest
	words := strings.Split(rest, ",")
	where := words[:1]
	var mac net.HardwareAddr
	split := false
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case w == "split":
			split = true
		case name == "mac":
			a, err := net.ParseMAC(value)
			if err == nil {
				err = unicast(a)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: address %q: %w", addr, value, err)
			}
			mac = a
		default:
			where = append(where, w)
		}
	}
	path, client, err := vhostuser.ParseAddress(strings.Join(where, ","), true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: want %s", addr, err, UserUsage)
	}
	end := vhostuser.Dial(path)
	if !client {
		if end, err = vhostuser.Listen(path); err != nil {
			return nil, fmt.Errorf("%s: %w", addr, err)
		}
	}
	b, err := newBackend(addr, end)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	b.split, b.mac = split, mac
	return b, nil
}

// openUser implements nic.Opener.
func openUser(ctx context.Context, rest string, cfg nic.Config) (nic.Device, error) {
	b, err := parseUser(rest)
	if err != nil {
		return nil, err
	}
	d := &Device{fn: b, way: b, card: "vhost-user back-end", cfg: cfg}
	if err := d.check(); err != nil {
		return nil, errors.Join(d.fail("settings", "%w", err), b.Close())
	}
	if err := b.first(ctx, cfg.LinkWait); err != nil {
		return nil, errors.Join(d.fail("connect", "%w", err), b.Close())
	}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.keep(b)
	return d, nil
}

// first waits for the first back-end.
func (b *backend) first(ctx context.Context, limit time.Duration) error {
	limit = max(limit, leastMeet)
	type met struct {
		c   *vhostuser.Conn
		err error
	}
	got := make(chan met, 1)
	go func() {
		c, err := b.end.Connect()
		got <- met{c, err}
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	var why error
	select {
	case m := <-got:
		if m.err != nil {
			return m.err
		}
		return b.meet(m.c)
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-late.C:
		why = fmt.Errorf("no back-end after %v: start it, with this socket: %w", limit, nic.ErrLinkDown)
	}
	_ = b.unplug() // ends Connect; Close tells of errors
	if m := <-got; m.err == nil {
		_ = m.c.Close()
	}
	return why
}
