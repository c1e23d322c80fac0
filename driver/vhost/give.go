//go:build linux

package vhost

import (
	"sync/atomic"

	chip "glassnic/chip/virtio"
)

// give writes the used entries of one frame's buffers. The driver sees those of a split ring when they are published,
// and of a packed one at once: the first is written last, so that it never sees a part of a frame.
func (r *ring) give(marks []mark) {
	if !r.packed {
		for i := range marks {
			r.view.putUsed(int(r.used)&(r.size-1), uint64(marks[i].id)|uint64(marks[i].wrote)<<32)
			r.used++
		}
		return
	}
	for i := len(marks) - 1; i >= 0; i-- {
		m := &marks[i]
		if m.more > 0 {
			r.markRest(m)
		}
		rest := uint64(m.wrote) | uint64(m.id)<<chip.PackedIDShift
		if m.wrap {
			rest |= uint64(chip.DescAvail|chip.DescUsed) << chip.PackedFlagsShift
		}
		if m.wrote > 0 {
			rest |= uint64(chip.DescWrite) << chip.PackedFlagsShift
		}
		r.view.putPacked(int(m.at), rest)
	}
}

// publish shows the driver what was used, and tells it where it wants to be told (2.7.7, 2.8.10).
func (r *ring) publish() {
	n := int(r.used - r.shown)
	if r.packed {
		barrier(&r.view.fence)
		if n = int(r.next) - int(r.shown); n <= 0 {
			n += r.size
		}
		r.shown = r.next
	} else {
		r.view.publish(r.used)
		r.shown = r.used
	}
	r.owed, r.due = min(r.owed+n, r.size), true
	r.shows.add(1)
	r.tell()
}

// tell tells the driver of what it was not told of, if it wants that.
func (r *ring) tell() {
	if r.call == nil || !r.wanted() {
		return
	}
	r.owed, r.due = 0, false
	// An event that is broken is the front-end's loss.
	_ = r.call.Signal()
}

// remind is tell for a ring that is idle, once for what was last published: emulators without barriers, as QEMU's of a
// single processor, let the driver look whether anything was used before its wish to be told is visible, and it would
// wait for ever.
func (r *ring) remind() {
	if r.due {
		r.due = false
		r.tell()
	}
}

// wanted tells whether the driver wants to be told of what was used since the last time.
func (r *ring) wanted() bool {
	switch {
	case r.packed:
		return r.wantedPacked()
	case r.events:
		return passed(r.view.usedEvent(r.size), r.used, r.used-uint16(r.owed))
	}
	return r.view.availFlags()&chip.AvailNoInterrupt == 0
}

func (r *ring) wantedPacked() bool {
	e := r.view.driverEvent()
	switch e & chip.EventMask {
	case chip.EventEnable:
		return true
	case chip.EventDesc:
		if !r.events {
			return true // 2.8.10: reserved without the feature
		}
	default:
		return false
	}
	// In steps from the begin of this lap.
	event := int(e & 0x7fff)
	if (e&chip.EventWrap != 0) != r.wrap {
		event -= r.size
	}
	return event >= int(r.next)-r.owed && event < int(r.next)
}

// passed tells whether an index went past an event on its way from old to now (2.7.7.2, vring_need_event).
func passed(event, now, old uint16) bool { return now-event-1 < now-old }

// ask says whether the driver is to tell of new buffers (2.7.10, 2.8.10). With the event index of a split ring one
// that lies behind stands for no: the driver comes past it every 65,536 buffers.
func (r *ring) ask(on bool) {
	switch {
	case r.packed && on:
		r.view.setDeviceEvent(chip.EventEnable)
	case r.packed:
		r.view.setDeviceEvent(chip.EventDisable)
	case r.events && on:
		r.view.setAvailEvent(r.size, r.next)
	case r.events:
		r.view.setAvailEvent(r.size, r.next-1)
	case on:
		r.view.setUsedFlags(0, r.used)
	default:
		r.view.setUsedFlags(chip.UsedNoNotify, r.used)
	}
	barrier(&r.view.fence)
}

// waiting tells whether there is a buffer to take.
func (r *ring) waiting() bool {
	if r.packed {
		_, rest := r.view.packed(int(r.next))
		return available(rest, r.wrap)
	}
	return r.view.availIndex() != r.next
}

// barrier keeps later loads behind earlier stores.
func barrier(p *uint32) { atomic.StoreUint32(p, 0) }
