package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// text turns a pcap stream into a line for each packet.
type text struct {
	*io.PipeWriter
	done chan error
}

// style says what is printed of a packet.
type style struct {
	link                      bool
	verbose, hex, both, ascii int
}

func newText(out io.Writer, s style) *text {
	r, w := io.Pipe()
	t := &text{PipeWriter: w, done: make(chan error, 1)}
	go func() {
		err := printPackets(out, r, s)
		r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		t.done <- err
		close(t.done)
	}()
	return t
}

// Close waits until all that was written is printed.
func (t *text) Close() error {
	t.PipeWriter.Close()
	return <-t.done
}

func printPackets(out io.Writer, in io.Reader, s style) error {
	pr, err := pcapgo.NewReader(in)
	if errors.Is(err, io.EOF) {
		return nil // nothing was captured
	}
	if err != nil {
		return err
	}
	// The stream comes in large pieces; each is printed before the next is read.
	w := bufio.NewWriter(out)
	for {
		data, info, err := pr.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return errors.Join(err, w.Flush())
		}
		fmt.Fprintf(w, "%s ", info.Timestamp.Format("15:04:05.000000"))
		s.print(w, data, info.Length)
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// print prints a packet, from behind its time.
func (s style) print(w io.Writer, data []byte, length int) {
	if s.link && len(data) >= 14 {
		fmt.Fprintf(w, "%v > %v, ethertype %v, ", net.HardwareAddr(data[6:12]), net.HardwareAddr(data[:6]), layers.EthernetType(uint16(data[12])<<8|uint16(data[13])))
	}
	fmt.Fprintln(w, summary(data, length))
	if s.verbose > 0 {
		for _, l := range gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true}).Layers() {
			if _, payload := l.(*gopacket.Payload); !payload || s.verbose > 1 {
				fmt.Fprintf(w, "\t%s\n", printable([]byte(gopacket.LayerString(l)), false))
			}
		}
	}
	from := func(times int) []byte {
		if times == 1 {
			return data[min(14, len(data)):]
		}
		return data
	}
	switch {
	case s.both > 0:
		dump(w, from(s.both), true)
	case s.hex > 0:
		dump(w, from(s.hex), false)
	case s.ascii > 0:
		fmt.Fprintf(w, "%s\n", printable(from(s.ascii), true))
	}
}

// dump prints bytes, 16 in a line, in pairs.
func dump(w io.Writer, data []byte, text bool) {
	for at := 0; at < len(data); at += 16 {
		line := data[at:min(at+16, len(data))]
		var hex strings.Builder
		for i := 0; i < len(line); i += 2 {
			fmt.Fprintf(&hex, " %x", line[i:min(i+2, len(line))])
		}
		if text {
			fmt.Fprintf(w, "\t0x%04x: %-40s  %s\n", at, hex.String(), printable(line, false))
		} else {
			fmt.Fprintf(w, "\t0x%04x: %s\n", at, hex.String())
		}
	}
}

// printable replaces what is no ASCII character by dots, but where lines is set the ends of lines.
func printable(data []byte, lines bool) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7f || lines && (r == '\n' || r == '\t') {
			return r
		}
		return '.'
	}, latin(data))
}

// latin makes each byte a character.
func latin(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// summary describes a frame in a line, by its headers.
func summary(data []byte, length int) string {
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	var src, dst string
	var kinds []string
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Ethernet:
			src, dst = l.SrcMAC.String(), l.DstMAC.String()
			if l.EthernetType.LayerType() == gopacket.LayerTypeZero || p.NetworkLayer() == nil {
				kinds = append(kinds, fmt.Sprintf("ethertype 0x%04x", uint16(l.EthernetType)))
			}
		case *layers.Dot1Q:
			kinds = append(kinds, fmt.Sprintf("VLAN %d", l.VLANIdentifier))
		case *layers.ARP:
			kinds = append(kinds, arp(l))
		case *layers.IPv4:
			src, dst = l.SrcIP.String(), l.DstIP.String()
			if p.TransportLayer() == nil {
				kinds = append(kinds, l.Protocol.String())
			}
		case *layers.IPv6:
			src, dst = l.SrcIP.String(), l.DstIP.String()
			if p.TransportLayer() == nil {
				kinds = append(kinds, l.NextHeader.String())
			}
		case *layers.UDP:
			src, dst = fmt.Sprintf("%s.%d", src, uint16(l.SrcPort)), fmt.Sprintf("%s.%d", dst, uint16(l.DstPort))
			kinds = append(kinds, "UDP")
		case *layers.TCP:
			src, dst = fmt.Sprintf("%s.%d", src, uint16(l.SrcPort)), fmt.Sprintf("%s.%d", dst, uint16(l.DstPort))
			kinds = append(kinds, "TCP "+flags(l))
		}
	}
	return fmt.Sprintf("%s > %s: %s, length %d", src, dst, strings.Join(kinds, ", "), length)
}

func arp(a *layers.ARP) string {
	if a.Operation == layers.ARPRequest {
		return fmt.Sprintf("ARP who-has %v tell %v", ip(a.DstProtAddress), ip(a.SourceProtAddress))
	}
	return fmt.Sprintf("ARP %v is-at % x", ip(a.SourceProtAddress), a.SourceHwAddress)
}

func ip(b []byte) string {
	var s []string
	for _, v := range b {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, ".")
}

func flags(t *layers.TCP) string {
	s := ""
	for _, f := range []struct {
		on   bool
		name string
	}{{t.SYN, "S"}, {t.FIN, "F"}, {t.RST, "R"}, {t.PSH, "P"}, {t.ACK, "."}} {
		if f.on {
			s += f.name
		}
	}
	return fmt.Sprintf("[%s] seq %d", s, t.Seq)
}
