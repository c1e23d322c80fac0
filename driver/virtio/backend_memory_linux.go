package virtio

import (
	"glassnic/bus/memfd"
	"glassnic/bus/vhostuser"
)

// grew tells the back-end of more memory, before any of it is used.
func (b *backend) grew(r memfd.Region) {
	b.talk.Lock()
	defer b.talk.Unlock()
	if b.region = r; b.told > 0 {
		_ = b.ask(b.tell) // what fails ends the connection
	}
}

// tell hands the memory over that the back-end was not told of: a region more where it has a slot for it, which leaves
// those that are in use as they are, else all anew as one ("VHOST_USER_ADD_MEM_REG"). The address in descriptors and
// that in messages are one ("Memory regions description").
func (b *backend) tell(f *vhostuser.Front) error {
	part := func(from uint64) vhostuser.Region {
		at := b.region.IOVA + from
		return vhostuser.Region{Guest: at, User: at, Size: b.region.Size - from, Offset: b.region.Offset + from}
	}
	fd := int(b.space.File().Fd())
	if b.filled < b.slots {
		if err := f.AddMemReg(part(b.told), fd); err != nil {
			return err
		}
		b.filled++
	} else {
		if err := f.SetMemTable([]vhostuser.Region{part(0)}, []int{fd}); err != nil {
			return err
		}
		b.filled = 1
	}
	b.told = b.region.Size
	if f.Protocol.Has(vhostuser.FeatureReplyAck) {
		return nil
	}
	_, err := f.Features() // answered when all before was done
	return err
}
