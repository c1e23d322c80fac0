package ladder

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Generic netlink of Open vSwitch in the kernel (linux/openvswitch.h): the first command of each family makes one.
const (
	ovsDatapath, ovsVport, ovsFlow = "ovs_datapath", "ovs_vport", "ovs_flow"

	ovsNew = 1 // OVS_DP_CMD_NEW, OVS_VPORT_CMD_NEW, OVS_FLOW_CMD_NEW

	ovsDPName, ovsDPUpcall                                     = 1, 2       // OVS_DP_ATTR_NAME, _UPCALL_PID
	ovsPortNumber, ovsPortType, ovsPortName, ovsPortUpcall     = 1, 2, 3, 5 // OVS_VPORT_ATTR_PORT_NO, _TYPE, _NAME, _UPCALL_PID
	ovsFlowKey, ovsFlowActions                                 = 1, 2       // OVS_FLOW_ATTR_KEY, _ACTIONS
	ovsKeyPriority, ovsKeyInPort, ovsKeyEthernet, ovsKeyEtherT = 2, 3, 4, 6 // OVS_KEY_ATTR_PRIORITY, _IN_PORT, _ETHERNET, _ETHERTYPE
	ovsKeyMark                                                 = 15         // OVS_KEY_ATTR_SKB_MARK
	ovsOutput, ovsSet                                          = 1, 3       // OVS_ACTION_ATTR_OUTPUT, _SET

	ovsNetdev = 1 // OVS_VPORT_TYPE_NETDEV

	ovsIn, ovsOut = 1, 2 // numbers of ports; 0 is the datapath's own interface
)

// openOVS has Open vSwitch's datapath in the kernel forward by one flow that it matches exactly: it sets the address, and
// sends. Nothing runs beside it: there is nothing that it does not know.
func openOVS(_ context.Context, b *bed) (runner, error) {
	return openKernel(b, trackOf{want: inMAC[touched] + 1}, func(t *track) error {
		if _, err := netlink.GenlFamilyGet(ovsDatapath); errors.Is(err, unix.ENOENT) {
			return leftOut("the kernel has no Open vSwitch: `modprobe openvswitch`, or use a kernel with CONFIG_OPENVSWITCH")
		} else if err != nil {
			return fmt.Errorf("%s: %w", ovsDatapath, err)
		}
		nobody := nl.Uint32Attr(0)
		dp, err := ovs(ovsDatapath, 2, 0, nl.NewRtAttr(ovsDPName, nl.ZeroTerminated("ovs")), nl.NewRtAttr(ovsDPUpcall, nobody))
		if err != nil {
			return fmt.Errorf("make a datapath: %w", err)
		}
		for i, name := range []string{t.in, t.out} {
			_, err := ovs(ovsVport, 1, dp, nl.NewRtAttr(ovsPortNumber, nl.Uint32Attr(ovsIn+uint32(i))), nl.NewRtAttr(ovsPortType, nl.Uint32Attr(ovsNetdev)),
				nl.NewRtAttr(ovsPortName, nl.ZeroTerminated(name)), nl.NewRtAttr(ovsPortUpcall, nobody))
			if err != nil {
				return fmt.Errorf("%s: into the datapath: %w", name, err)
			}
		}
		// struct ovs_key_ethernet: source, destination.
		from := slices.Concat(t.frame[6:12], t.frame[:6])
		to := slices.Clone(from)
		to[6+touched]++
		key := nl.NewRtAttr(ovsFlowKey, nil)
		key.AddRtAttr(ovsKeyPriority, nl.Uint32Attr(0))
		key.AddRtAttr(ovsKeyMark, nl.Uint32Attr(0))
		key.AddRtAttr(ovsKeyInPort, nl.Uint32Attr(ovsIn))
		key.AddRtAttr(ovsKeyEthernet, from)
		key.AddRtAttr(ovsKeyEtherT, t.frame[12:14])
		actions := nl.NewRtAttr(ovsFlowActions, nil)
		actions.AddRtAttr(ovsSet, nil).AddRtAttr(ovsKeyEthernet, to)
		actions.AddRtAttr(ovsOutput, nl.Uint32Attr(ovsOut))
		if _, err := ovs(ovsFlow, 1, dp, key, actions); err != nil {
			return fmt.Errorf("flow: %w", err)
		}
		return nil
	})
}

// ovs makes something of a datapath, whose number it returns: it is that of the interface in struct ovs_header.
func ovs(family string, version uint8, dp uint32, attrs ...*nl.RtAttr) (uint32, error) {
	f, err := netlink.GenlFamilyGet(family)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", family, err)
	}
	req := nl.NewNetlinkRequest(int(f.ID), unix.NLM_F_ACK|unix.NLM_F_ECHO)
	req.AddData(&nl.Genlmsg{Command: ovsNew, Version: version})
	req.AddData(ovsHeader(dp))
	for _, a := range attrs {
		req.AddData(a)
	}
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		if len(a) >= nl.SizeofGenlmsg+4 {
			dp = binary.NativeEndian.Uint32(a[nl.SizeofGenlmsg:])
		}
	}
	return dp, nil
}

// ovsHeader is struct ovs_header.
type ovsHeader uint32

func (ovsHeader) Len() int            { return 4 }
func (h ovsHeader) Serialize() []byte { return binary.NativeEndian.AppendUint32(nil, uint32(h)) }
