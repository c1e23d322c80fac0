package virtio

// HangUp ends the connection with the back-end, as that would.
func (d *Device) HangUp() error {
	b := d.way.(*backend)
	b.talk.Lock()
	defer b.talk.Unlock()
	return b.front.Shut()
}
