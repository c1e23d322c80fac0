package virtio

import (
	"math/bits"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		vendor, device uint16
		ok             bool
	}{
		{0x1af4, 0x1000, true},
		{0x1af4, 0x1041, true},
		{0x1af4, 0x1001, false}, // block device
		{0x1af4, 0x1042, false},
		{0x1af4, 0x1040, false},
		{0x8086, 0x1000, false},
	} {
		name, ok := Lookup(c.vendor, c.device)
		if ok != c.ok || (name != "") != c.ok {
			t.Errorf("Lookup(%04x, %04x) = %q, %v", c.vendor, c.device, name, ok)
		}
	}
}

// Bits are written out a second time, as the specification and Linux's virtio_net.h and virtio_config.h have them.
func TestFeatures(t *testing.T) {
	for bit, name := range map[int]string{
		0: "NET_F_CSUM", 1: "NET_F_GUEST_CSUM", 2: "NET_F_CTRL_GUEST_OFFLOADS", 3: "NET_F_MTU", 5: "NET_F_MAC", 6: "NET_F_GSO",
		7: "NET_F_GUEST_TSO4", 8: "NET_F_GUEST_TSO6", 9: "NET_F_GUEST_ECN", 10: "NET_F_GUEST_UFO", 11: "NET_F_HOST_TSO4",
		12: "NET_F_HOST_TSO6", 13: "NET_F_HOST_ECN", 14: "NET_F_HOST_UFO", 15: "NET_F_MRG_RXBUF", 16: "NET_F_STATUS",
		17: "NET_F_CTRL_VQ", 18: "NET_F_CTRL_RX", 19: "NET_F_CTRL_VLAN", 20: "NET_F_CTRL_RX_EXTRA", 21: "NET_F_GUEST_ANNOUNCE",
		22: "NET_F_MQ", 23: "NET_F_CTRL_MAC_ADDR", 24: "F_NOTIFY_ON_EMPTY", 27: "F_ANY_LAYOUT", 28: "F_INDIRECT_DESC",
		29: "F_EVENT_IDX", 32: "F_VERSION_1", 33: "F_ACCESS_PLATFORM", 34: "F_RING_PACKED", 35: "F_IN_ORDER",
		36: "F_ORDER_PLATFORM", 37: "F_SR_IOV", 38: "F_NOTIFICATION_DATA", 39: "F_NOTIF_CONFIG_DATA", 40: "F_RING_RESET",
		53: "NET_F_NOTF_COAL", 54: "NET_F_GUEST_USO4", 55: "NET_F_GUEST_USO6", 56: "NET_F_HOST_USO", 57: "NET_F_HASH_REPORT",
		59: "NET_F_GUEST_HDRLEN", 60: "NET_F_RSS", 61: "NET_F_RSC_EXT", 62: "NET_F_STANDBY", 63: "NET_F_SPEED_DUPLEX",
	} {
		if got := Features(1 << bit).String(); got != "VIRTIO_"+name {
			t.Errorf("bit %d is %s, want VIRTIO_%s", bit, got, name)
		}
	}
	for f := range featureNames {
		if bits.OnesCount64(uint64(f)) != 1 {
			t.Errorf("%#x is not one bit", uint64(f))
		}
	}
	f := Version1 | NetMQ
	if !f.Has(NetMQ) || f.Has(NetMQ|NetMAC) || !f.Has(0) {
		t.Error("Has")
	}
	for f, want := range map[Features]string{
		0:                        "no features",
		Version1 | NetMQ:         "VIRTIO_NET_F_MQ, VIRTIO_F_VERSION_1",
		Features(1<<4 | 1<<63):   "VIRTIO_bit 4, VIRTIO_NET_F_SPEED_DUPLEX",
		RingPacked | NetMrgRxbuf: "VIRTIO_NET_F_MRG_RXBUF, VIRTIO_F_RING_PACKED",
	} {
		if got := f.String(); got != want {
			t.Errorf("%#x: %q, want %q", uint64(f), got, want)
		}
	}
}

// Offsets are written out a second time, as Linux's virtio_pci.h has them; registers follow each other without
// holes or overlaps.
func TestRegisters(t *testing.T) {
	for name, c := range map[string]struct {
		table []Register
		want  map[string]uint32
		end   uint32
	}{
		"common": {CommonRegisters, map[string]uint32{
			"device_feature_select": 0, "device_feature": 4, "driver_feature_select": 8, "driver_feature": 12,
			"config_msix_vector": 16, "num_queues": 18, "device_status": 20, "config_generation": 21, "queue_select": 22,
			"queue_size": 24, "queue_msix_vector": 26, "queue_enable": 28, "queue_notify_off": 30, "queue_desc_lo": 32,
			"queue_desc_hi": 36, "queue_driver_lo": 40, "queue_driver_hi": 44, "queue_device_lo": 48, "queue_device_hi": 52,
		}, CommonSize},
		"legacy": {LegacyRegisters, map[string]uint32{
			"device_features": 0, "driver_features": 4, "queue_address": 8, "queue_size": 12, "queue_select": 14, "device_status": 18,
		}, LegacyISR},
	} {
		if len(c.table) != len(c.want) {
			t.Errorf("%s: %d registers, want %d", name, len(c.table), len(c.want))
		}
		end := uint32(0)
		for _, r := range c.table {
			if off, ok := c.want[r.Name]; !ok || off != r.Offset {
				t.Errorf("%s: %s at %#x", name, r.Name, r.Offset)
			}
			if r.Offset != end && !(r.Offset == LegacyStatus && end == LegacyQueueNotify) {
				t.Errorf("%s: %s begins at %#x, the one before ends at %#x", name, r.Name, r.Offset, end)
			}
			if r.Width%8 != 0 || r.Offset%uint32(r.Width/8) != 0 || r.Doc == "" || r.Section == "" {
				t.Errorf("%s: %+v", name, r)
			}
			end = r.Offset + uint32(r.Width/8)
		}
		if end != c.end {
			t.Errorf("%s ends at %#x, want %#x", name, end, c.end)
		}
	}
	if LegacyQueueNotify != 16 || LegacyISR != 19 || LegacyConfigVector != 20 || LegacyQueueVector != 22 || LegacyConfig != 20 || LegacyConfigMSIX != 24 {
		t.Error("registers of the legacy interface that a read changes")
	}
}

func TestRings(t *testing.T) {
	for _, c := range []struct{ n, avail, used int }{{1, 8, 14}, {256, 518, 2054}, {RingMax, 65542, 262150}} {
		if AvailSize(c.n) != c.avail || UsedSize(c.n) != c.used {
			t.Errorf("%d descriptors: %d and %d bytes", c.n, AvailSize(c.n), UsedSize(c.n))
		}
	}
	if DescNext != 1 || DescWrite != 2 || DescIndirect != 4 || DescAvail != 0x80 || DescUsed != 0x8000 {
		t.Error("flags of descriptors")
	}
	if EventEnable != 0 || EventDisable != 0x10000 || EventDesc != 0x20000 || EventMask != 0x30000 || EventWrap != 0x8000 {
		t.Error("event suppression")
	}
}

func TestNet(t *testing.T) {
	for i, c := range []struct{ rx, tx, ctrl int }{{0, 1, 0}, {2, 3, 2}, {4, 5, 4}} {
		if RxQueue(i) != c.rx || TxQueue(i) != c.tx || CtrlQueue(i) != c.ctrl {
			t.Errorf("queues of pair %d: %d, %d; control queue %d", i, RxQueue(i), TxQueue(i), CtrlQueue(i))
		}
	}
	if HdrFlags != 0 || HdrGSOType != 1 || HdrCSumStart != 6 || HdrCSumOffset != 8 || HdrNumBuffers != HdrLegacySize || HdrSize != HdrNumBuffers+2 {
		t.Error("header")
	}
	if ConfigMAC != 0 || ConfigStatus != 6 || ConfigMaxPairs != 8 || ConfigMTU != 10 || ConfigSpeed != 12 || ConfigDuplex != 16 {
		t.Error("device configuration")
	}
}
