//go:build guest

package guest

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// clock has the kernel's driver use the card's clock (datasheet 7.9): it is set, moved, made faster, and stamps a message of
// PTP that leaves and comes back.
func (j *judge) clock(t *testing.T) {
	t.Helper()
	j.says(t, "PTP Hardware Clock: 0", "ethtool", "-T", j.name)
	j.says(t, "hardware-transmit", "ethtool", "-T", j.name)
	f, err := os.OpenFile("/dev/ptp0", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id := unix.FdToClockID(int(f.Fd()))

	year := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := unix.ClockSettime(id, &unix.Timespec{Sec: year.Unix()}); err != nil {
		t.Fatal("set:", err)
	}
	const hour = 3600
	if _, err := unix.ClockAdjtime(id, &unix.Timex{Modes: unix.ADJ_SETOFFSET | unix.ADJ_NANO, Time: unix.Timeval{Sec: hour}}); err != nil {
		t.Fatal("move:", err)
	}
	if now := clockNow(t, id); now.Sub(year) < time.Hour || now.Sub(year) > time.Hour+10*time.Minute {
		t.Errorf("%v after it was set to %v and moved by an hour", now, year)
	}

	// Scaled by 2^16 (clock_adjtime(2)), in parts per million: a fifth faster, and slower.
	for _, ppm := range []int64{200_000, -200_000} {
		if _, err := unix.ClockAdjtime(id, &unix.Timex{Modes: unix.ADJ_FREQUENCY, Freq: ppm << 16}); err != nil {
			t.Fatal("adjust:", err)
		}
		before := time.Now()
		begin := clockNow(t, id)
		after := time.Now()
		// What the machine's clock ran meanwhile lies between two bounds, which get closer the longer one waits.
		await(t, "the clock to run at another pace", func() bool {
			least := time.Since(after)
			ran := clockNow(t, id).Sub(begin)
			most := time.Since(before)
			return ppm > 0 && ran > most*11/10 || ppm < 0 && ran < least*9/10
		})
	}
	if _, err := unix.ClockAdjtime(id, &unix.Timex{Modes: unix.ADJ_FREQUENCY}); err != nil {
		t.Fatal("adjust:", err)
	}
	j.stamps(t, id)
}

func clockNow(t *testing.T, id int32) time.Time {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(id, &now); err != nil {
		t.Fatal("read:", err)
	}
	return time.Unix(now.Sec, now.Nsec)
}

// stamps sends a message of PTP by UDP that the machine at the other end, a router, sends back: it is stamped when it
// leaves and when it comes.
func (j *judge) stamps(t *testing.T, id int32) {
	t.Helper()
	const wanted = unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	in, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(in)
	out, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out)
	dev, err := net.InterfaceByName(j.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		unix.Bind(in, &unix.SockaddrInet4{Port: 319}),
		unix.Bind(out, &unix.SockaddrLinklayer{Ifindex: dev.Index}),
		unix.IoctlSetHwTstamp(in, j.name, &unix.HwTstampConfig{Tx_type: unix.HWTSTAMP_TX_ON, Rx_filter: unix.HWTSTAMP_FILTER_PTP_V2_EVENT}),
		unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, wanted),
		unix.SetsockoptInt(out, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, wanted),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := clockNow(t, id)
	if _, err := unix.Write(out, ptpSync(t, dev.HardwareAddr, neighbour(t, peer))); err != nil {
		t.Fatal(err)
	}
	sent, came := stamp(t, "leaves", out, unix.MSG_ERRQUEUE), stamp(t, "comes back", in, 0)
	after := clockNow(t, id)
	if sent.Before(before) || came.Before(sent) || after.Before(came) {
		t.Errorf("left at %v, came back at %v; before it was %v, after it %v", sent, came, before, after)
	}
}

// stamp waits for the card's time of a message.
func stamp(t *testing.T, what string, fd, flags int) (at time.Time) {
	t.Helper()
	await(t, "the time at which a message "+what, func() bool {
		data, control := make([]byte, 256), make([]byte, 256)
		_, n, _, _, err := unix.Recvmsg(fd, data, control, flags|unix.MSG_DONTWAIT)
		if err != nil {
			return false
		}
		all, err := unix.ParseSocketControlMessage(control[:n])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			// Three times, of which the last is the card's (networking/timestamping.rst, 1.3.3).
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPING && len(m.Data) >= 48 {
				at = time.Unix(int64(binary.LittleEndian.Uint64(m.Data[32:])), int64(binary.LittleEndian.Uint64(m.Data[40:])))
			}
		}
		return at.UnixNano() > 0
	})
	return at
}

// ptpSync is a Sync message of version 2 by UDP (IEEE 1588-2008, 13.3 and annex D), from nobody to this machine, by way of
// another.
func ptpSync(t *testing.T, from, by net.HardwareAddr) []byte {
	t.Helper()
	f := append(append([]byte(nil), by...), from...)
	for _, part := range []string{
		"0800" + "4500 0048 0001 0000 4011 0000" + "c6336401" + "c0000202", // 198.51.100.1 to 192.0.2.2
		"013f 013f 0034 0000" + "0002 002c" + strings.Repeat("00", 40),
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		f = append(f, b...)
	}
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum>>16+sum&0xffff))
	return f
}

// neighbour returns the address on the wire of a machine to which there was traffic.
func neighbour(t *testing.T, ip string) net.HardwareAddr {
	t.Helper()
	_, rest, _ := strings.Cut(command(t, "ip", "neigh", "show", ip), "lladdr ")
	text, _, _ := strings.Cut(rest, " ")
	mac, err := net.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}
