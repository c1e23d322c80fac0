package filter

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"
)

// join makes a frame of parts: bytes, and hexadecimal text with spaces.
func join(parts ...any) []byte {
	var f []byte
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			f = append(f, p...)
		case string:
			b, err := hex.DecodeString(strings.ReplaceAll(p, " ", ""))
			if err != nil {
				b = []byte(err.Error())
			}
			f = append(f, b...)
		}
	}
	return f
}

// ip4 is an IPv4 packet with options of some words.
func ip4(proto byte, frag uint16, options int, src, dst string, body []byte) []byte {
	h := make([]byte, 20+4*options)
	h[0] = 0x45 + byte(options)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(body)))
	binary.BigEndian.PutUint16(h[6:], frag)
	h[8], h[9] = 64, proto
	copy(h[12:], join(src))
	copy(h[16:], join(dst))
	return append(h, body...)
}

func ip6(next byte, src, dst string, body []byte) []byte {
	h := make([]byte, 40)
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	h[6], h[7] = next, 64
	copy(h[8:], join(src))
	copy(h[24:], join(dst))
	return append(h, body...)
}

// ports begins a TCP, UDP or SCTP packet: its flags matter to TCP only.
func ports(src, dst uint16, flags byte) []byte {
	b := make([]byte, 24)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	b[4], b[12], b[13] = 0xaa, 0x50, flags
	return b
}

const (
	macs   = "02 00 00 00 00 02 02 00 00 00 00 01"
	toAll  = "ff ff ff ff ff ff 02 00 00 00 00 01"
	toSome = "01 00 5e 00 00 01 02 00 00 00 00 01"
	net10a = "0a 01 02 03"
	net10b = "0a 01 02 04"
	net192 = "c0 a8 01 01"
	v6a    = "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
	v6b    = "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02"
	v6m    = "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
)

// network are packets by EtherType.
func network() (list []struct {
	typ  string
	body []byte
}) {
	add := func(typ string, body []byte) {
		list = append(list, struct {
			typ  string
			body []byte
		}{typ, body})
	}
	for _, p := range []byte{1, 2, 6, 9, 17, 50, 51, 58, 103, 112, 132} {
		for i, port := range []uint16{80, 53, 443, 1000, 6081} {
			add("08 00", ip4(p, 0, i%3, net10a, net192, ports(port, 2000+uint16(i), 1<<i)))
			add("86 dd", ip6(p, v6a, v6b, ports(2000+uint16(i), port, 0x12)))
		}
		add("08 00", ip4(p, 0x2000, 0, net192, net10b, ports(80, 53, 2)))
		add("08 00", ip4(p, 0x00b9, 0, net192, net10b, ports(80, 53, 2)))
		add("86 dd", ip6(44, v6b, v6a, join([]byte{p, 0, 0, 1, 0, 0, 0, 0}, ports(53, 80, 2))))
		add("86 dd", ip6(0, v6b, v6m, join([]byte{60, 0, 0, 0, 0, 0, 0, 0}, []byte{p, 0, 0, 0, 0, 0, 0, 0}, ports(53, 80, 2))))
		add("86 dd", ip6(43, v6b, v6m, join([]byte{59, 0, 0, 0, 0, 0, 0, 0}, ports(53, 80, 2))))
		add("08 00", ip4(51, 0, 0, net10b, net10a, join([]byte{p, 4, 0, 0}, make([]byte, 20), ports(53, 80, 2))))
	}
	for _, dst := range []string{"e0 00 00 01", "ff ff ff ff", "00 00 00 00", "7f 00 00 01"} {
		add("08 00", ip4(17, 0, 0, net10a, dst, ports(68, 67, 0)))
	}
	for t := byte(0); t < 19; t++ {
		add("08 00", ip4(1, 0, int(t%2), net10a, net10b, []byte{t, t % 3, 0, 0, 0, 0, 0, 0}))
		add("86 dd", ip6(58, v6a, v6m, []byte{128 + t, 0, 0, 0, 0, 0, 0, 0}))
	}
	for _, typ := range []string{"08 06", "80 35"} {
		add(typ, join("00 01 08 00 06 04 00 01 02 00 00 00 00 01", net10a, "00 00 00 00 00 00", net192))
		add(typ, join("00 01 08 00 06 04 00 02 02 00 00 00 00 01", net192, "02 00 00 00 00 02", net10b))
	}
	for _, typ := range []string{"80 9b", "80 f3", "81 37", "60 01", "60 02", "60 04", "60 07", "90 00", "88 63", "88 cc", "06 00"} {
		add(typ, make([]byte, 46))
	}
	for _, h := range []string{"02", "06", "81 02", "81 06"} {
		add("60 03", join("10 00", h, "04 02 00 00", "02 04 00 00 02 04 00 00 00 00 00 02 04 02 04 02 04 02 04 00", make([]byte, 20)))
	}
	return list
}

// frames are made to meet every primitive.
func frames() (list [][]byte) {
	for _, n := range network() {
		list = append(list,
			join(macs, n.typ, n.body),
			join(macs, "81 00 00 05", n.typ, n.body),
			join(macs, "88 a8 00 07 81 00 20 05", n.typ, n.body),
			join(macs, "91 00 0f ff", n.typ, n.body),
			join(macs, "88 47 00 00 51 40", n.body),
			join(macs, "88 47 00 00 50 40 00 00 61 40", n.body),
			join(macs, "81 00 00 05 88 47 00 00 51 40", n.body))
		if ppp := map[string]string{"08 00": "00 21", "86 dd": "00 57", "80 9b": "00 29"}[n.typ]; ppp != "" {
			list = append(list, join(macs, "88 64 11 00 00 05 00 40", ppp, n.body), join(macs, "81 00 00 05 88 64 11 00 00 06 00 40", ppp, n.body))
		}
		for i, options := range [][]byte{nil, make([]byte, 8)} {
			head := join([]byte{byte(len(options) / 4), 0}, "65 58 00 00 05 00", options)
			plain := join([]byte{byte(len(options) / 4), 0}, n.typ, "00 00 06 00", options)
			udp := join("10 00 17 c1 00 00 00 00")
			list = append(list,
				join(macs, "08 00", ip4(17, 0, i, net192, net10b, join(udp, head, toSome, n.typ, n.body))),
				join(macs, "08 00", ip4(17, 0, i, net192, net10b, join(udp, plain, n.body))),
				join(macs, "86 dd", ip6(17, v6b, v6a, join(udp, head, macs, "81 00 00 05", n.typ, n.body))))
		}
	}
	list = append(list, join(toAll, "08 06", make([]byte, 46)), join(toSome, "08 00", ip4(17, 0, 0, net10a, "e0 00 00 01", ports(1, 2, 0))),
		join(macs, "88 64 11 00 00 05 00 40 02 81 00 00 51 40", ip4(6, 0, 0, net10a, net10b, ports(80, 81, 2))),
		join(macs, "88 64 11 00 00 05 00 40 00 23", "83 1b 01 06 0f 01 00 00", make([]byte, 40)))
	// 802.3 frames: access points, controls, NLPIDs and PDU types.
	for _, ssap := range []string{"06 06", "42 42", "e0 e0", "f0 f0", "fe fe", "ff ff", "05 05", "aa aa"} {
		for _, control := range []string{"00 00", "03", "01 00", "05 00", "09 00", "63", "43", "6f", "e3", "af", "87", "13"} {
			list = append(list, join(macs, "00 40", ssap, control, make([]byte, 60)))
		}
	}
	for _, nlpid := range []string{"81", "82", "83"} {
		for pdu := byte(14); pdu < 29; pdu++ {
			list = append(list, join(macs, "00 40 fe fe 03", nlpid, "1b 01 06", []byte{pdu}, make([]byte, 50)), join(macs, "81 00 00 05 00 40 fe fe 03", nlpid, "1b 01 06", []byte{pdu}, make([]byte, 50)))
		}
	}
	for _, snap := range []string{"08 00 07 80 9b", "00 00 00 80 f3", "00 00 00 81 37", "00 00 00 08 00"} {
		list = append(list, join(macs, "00 40 aa aa 03", snap, make([]byte, 60)))
	}
	return list
}

// captures are the real ones that come with the module gopacket.
func captures(t testing.TB) (list [][]byte) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gopacket/gopacket").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(string(bytes.TrimSpace(dir)), "pcap", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	more, _ := filepath.Glob(filepath.Join(string(bytes.TrimSpace(dir)), "*", "*", "*.pcap"))
	for _, name := range append(files, more...) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := pcapgo.NewReader(f)
		if err != nil || r.LinkType() != 1 {
			continue
		}
		for range 1000 { // of one file; those after them are like them
			data, _, err := r.ReadPacketData()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			list = append(list, data)
		}
	}
	if len(list) < 100 {
		t.Fatalf("only %d frames in captures", len(list))
	}
	return list
}
