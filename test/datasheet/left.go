package datasheet

// left says why registers are left out that neither driver nor model know by name: the first that has their name or
// section.
var left = []struct {
	of  []string // names, sections, chapters of sections
	why string
}{
	{[]string{"FRTIMER", "TCPTIMER"}, "the machine has clocks of its own"},
	{[]string{"8.2.3.2"}, "EEPROM and Flash are read by EERD, and written by nobody"},
	{[]string{"8.2.3.3", "MFLCN", "PAP"}, "no pause frames: a port that is too slow drops, and counts it"},
	{[]string{"8.2.3.4", "SMADARCTL"}, "PCIe works as EEPROM and firmware set it up"},
	{[]string{"EITRSEL"}, "interrupts of virtual functions, which come later"},
	{[]string{"L34TIMIR", "LLITHRESH", "IMIRVP"}, "a queue's interrupt is held back (EITR) only where segments are put together, so none needs to be early"},
	{[]string{"RSCINT", "RSCDBU"}, "receive side coalescing follows EITR, and is only of segments with payload"},
	{[]string{"8.2.3.6"}, "the pending bits of MSI-X are the bus's affair"},
	{[]string{"MPSAR", "RQTC"}, "pools and traffic classes, which one class without virtual functions has no use for"},
	{[]string{"RXFECCERR0", "RXMEMWRAP"}, "for the maker's tests"},
	{[]string{"DTXTCPFLGL", "DTXTCPFLGH"}, "their reset values are those of TCP (7.2.4.7)"},
	{[]string{"TDWBAL", "TDWBAH"}, "a report in the descriptor is next to what is read anyway; the head in memory would be another line"},
	{[]string{"8.2.3.10", "MNGTXMAP", "RNBC"}, "one traffic class, without DCB"},
	{[]string{"8.2.3.11"}, "direct cache access was for chipsets that did not place DMA in caches by themselves"},
	{[]string{"8.2.3.12"}, "the security blocks are left idle"},
	{[]string{"LSECTXCAP", "LSECTXCTRL", "LSECTXSCL", "LSECTXSCH", "LSECTXSA", "LSECTXPN0", "LSECTXPN1", "LSECTXKEY0",
		"LSECTXKEY1", "LSECTXUT", "LSECTXPKTE", "LSECTXPKTP", "LSECTXOCTE", "LSECTXOCTP", "LSECRXCAP", "LSECRXCTRL",
		"LSECRXSCL", "LSECRXSCH", "LSECRXSA", "LSECRXPN", "LSECRXKEY", "LSECRXUT", "LSECRXOCTE", "LSECRXOCTP", "LSECRXBAD",
		"LSECRXNOSCI", "LSECRXUNSCI", "LSECRXUC", "LSECRXDELAY", "LSECRXLATE", "LSECRXOK", "LSECRXINV", "LSECRXNV",
		"LSECRXUNSA", "LSECRXNUSA"}, "LinkSec: nothing here would use it"},
	{[]string{"IPSTXIDX", "IPSTXSALT", "IPSTXKEY", "IPSRXIDX", "IPSRXIPADDR", "IPSRXSPI", "IPSRXIPIDX", "IPSRXKEY",
		"IPSRXSALT", "IPSRXMOD"}, "IPsec comes later"},
	{[]string{"8.2.3.21"}, "Flow Director: how long its buckets are"},
	{[]string{"FCPTRL", "FCPTRH", "FCBUFF", "FCDMARW", "FCFLT", "FCSMAC", "FCFLTRW", "FCD_ID", "FCPARAM", "FCRXCTRL",
		"FCRECTL", "FCRETA", "TEOFF", "TSOFF", "REOFF", "RSOFF"}, "Fibre Channel over Ethernet is no network of packets"},
	{[]string{"8.2.3.22"}, "link set-up and MAC as the EEPROM says"},
	{[]string{"RXDSTATCTRL"}, "all queues are counted"},
	{[]string{"8.2.3.24"}, "a port that is open does not sleep"},
	{[]string{"8.2.3.25"}, "manageability is of the baseboard's controller"},
	{[]string{"8.2.3.26"}, "pulses and stamps by pins, which modelled cards have not"},
	{[]string{"8.2.3.27"}, "virtual functions come later"},
}
