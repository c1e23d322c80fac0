package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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

func newText(out io.Writer) *text {
	r, w := io.Pipe()
	t := &text{PipeWriter: w, done: make(chan error, 1)}
	go func() {
		err := printPackets(out, r)
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

func printPackets(out io.Writer, in io.Reader) error {
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
		fmt.Fprintf(w, "%s %s\n", info.Timestamp.Format("15:04:05.000000"), summary(data, info.Length))
		if err := w.Flush(); err != nil {
			return err
		}
	}
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
