package e1000

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"glassnic/chip"
)

var models = []Model{M8254x, M82574, M82583, M82575, M82576, M82580, MI350, MI210, MI211}

// arrays are all offset functions of regs*.go.
var arrays = map[string]func(int) uint32{
	"RDBAL": RDBAL, "RDBAH": RDBAH, "RDLEN": RDLEN, "SRRCTL": SRRCTL, "RDH": RDH, "RXCTL": RXCTL, "RDT": RDT,
	"RXDCTL": RXDCTL, "RQDPC": RQDPC, "TDBAL": TDBAL, "TDBAH": TDBAH, "TDLEN": TDLEN, "TDH": TDH, "TXCTL": TXCTL,
	"TDT": TDT, "TXDCTL": TXDCTL, "TDWBAL": TDWBAL, "TDWBAH": TDWBAH, "TARC": TARC, "MTA": MTA, "RAL": RAL,
	"RAH": RAH, "VFTA": VFTA, "RETA": RETA, "RSSRK": RSSRK, "PSRTYPE": PSRTYPE, "EITR_82574": EITR_82574,
	"EITR": EITR, "IVAR": IVAR, "MSIXBM": MSIXBM,
}

// declared returns the constants and functions that regs*.go declare.
func declared(t *testing.T) (singles map[string]uint32, functions []string) {
	t.Helper()
	names, err := filepath.Glob("regs*.go")
	if err != nil || len(names) < 3 {
		t.Fatalf("regs*.go: %v, %v", names, err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := new(types.Config).Check("regs", set, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	singles = map[string]uint32{}
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			v, _ := constant.Uint64Val(o.Val())
			singles[name] = uint32(v)
		case *types.Func:
			if ast.IsExported(name) {
				functions = append(functions, name)
			}
		}
	}
	return singles, functions
}

func TestConstantsAndTablesAgree(t *testing.T) {
	singles, functions := declared(t)
	for _, name := range functions {
		if arrays[name] == nil {
			t.Errorf("%s is not in arrays", name)
		}
	}
	if len(functions) != len(arrays) {
		t.Errorf("%d functions declared, %d in arrays", len(functions), len(arrays))
	}
	seen := map[string]bool{}
	for _, m := range models {
		next := map[string]int{}
		table := m.Registers()
		for n := range table {
			r := &table[n]
			seen[r.Name] = true
			if r.Count == 0 {
				if off, ok := singles[r.Name]; !ok || off != r.Offset || next[r.Name] != 0 {
					t.Errorf("%v %s: table says %#05x, constant %#05x (exists: %v), row %d", m, r.Name, r.Offset, off, ok, next[r.Name])
				}
				next[r.Name] = 1
				continue
			}
			at := arrays[r.Name]
			if at == nil || r.First != next[r.Name] {
				t.Errorf("%v %s: function exists: %v, row starts at %d, want %d", m, r.Name, at != nil, r.First, next[r.Name])
				continue
			}
			for i := range r.Count {
				if want := r.Offset + uint32(i)*r.Stride; at(r.First+i) != want {
					t.Errorf("%v %s: table says %#05x, function %#05x", m, r.Label(i), want, at(r.First+i))
				}
			}
			next[r.Name] += r.Count
		}
		f := m.Facts()
		for name, want := range map[string]int{"RDT": f.Queues, "TXDCTL": f.Queues, "MTA": 128, "RAL": 16, "VFTA": 128} {
			if next[name] != want {
				t.Errorf("%v: %d of %s, want %d", m, next[name], name, want)
			}
		}
		want := 0
		if f.Kind == Advanced {
			want = f.Queues
		}
		if next["SRRCTL"] != want || next["RQDPC"] != want || (next["RETA"] == 0) != (f.Kind == Legacy) {
			t.Errorf("%v: %d of SRRCTL, %d of RQDPC, %d of RETA", m, next["SRRCTL"], next["RQDPC"], next["RETA"])
		}
	}
	for name := range singles {
		if !seen[name] {
			t.Errorf("%s: no row", name)
		}
	}
	for name := range arrays {
		if !seen[name] {
			t.Errorf("%s: no row", name)
		}
	}
}

func TestTablesAreSound(t *testing.T) {
	section := regexp.MustCompile(`^(8254x|82574|82576|I210) \d+(\.\d+)+$`)
	for _, m := range models {
		owner := map[uint32]string{}
		table := m.Registers()
		for n := range table {
			r := &table[n]
			if r.Doc == "" || !section.MatchString(r.Section) || r.Access > chip.RWSC {
				t.Errorf("%v %s: doc %q, section %q, access %v", m, r.Name, r.Doc, r.Section, r.Access)
			}
			for i := range r.Len() {
				off := r.Offset + uint32(i)*r.Stride
				if off%4 != 0 || off >= BARSize || owner[off] != "" {
					t.Errorf("%v %s: offset %#x, which is also %q", m, r.Label(i), off, owner[off])
				}
				owner[off] = r.Label(i)
			}
			var used uint32
			for _, f := range r.Fields {
				bits := uint32((uint64(1)<<f.Width - 1) << f.Bit)
				if f.Width == 0 || int(f.Bit)+int(f.Width) > 32 || f.Name == "" || f.Doc == "" || used&bits != 0 {
					t.Errorf("%v %s.%s: bit %d width %d doc %q, overlaps %#x", m, r.Name, f.Name, f.Bit, f.Width, f.Doc, used&bits)
				}
				used |= bits
			}
		}
	}
	if Model(99).Registers() != nil || Model(99).Counters() != nil || Model(99).String() != "unknown" {
		t.Error("a model that does not exist")
	}
}

// Counters are all that clear when read, and nothing else does but causes of interrupts.
func TestCounters(t *testing.T) {
	for _, m := range models {
		counts := map[string]bool{}
		for _, r := range m.Counters() {
			if r.Access != chip.RC || r.Reset != 0 || counts[r.Name] && r.First == 0 {
				t.Errorf("%v %s: %v, reset %#x", m, r.Name, r.Access, r.Reset)
			}
			counts[r.Name] = true
		}
		for _, r := range m.Registers() {
			if clears := r.Access == chip.RC || r.Access == chip.RCW; clears != counts[r.Name] && !strings.HasSuffix(r.Name, "ICR") {
				t.Errorf("%v %s: %v, a counter: %v", m, r.Name, r.Access, counts[r.Name])
			}
		}
		for _, low := range []string{"GORCL", "GOTCL", "TORL", "TOTL"} {
			if !counts[low] || !counts[strings.TrimSuffix(low, "L")+"H"] {
				t.Errorf("%v: %s is missing, or its other half", m, low)
			}
		}
	}
}

// Bits are written twice, as constants for code and as fields for tables; both must agree.
func TestBitsAndFieldsAgree(t *testing.T) {
	for name, want := range map[string]uint32{
		"CTRL.FD": CtrlFD, "CTRL.GIO_DIS": CtrlGIODIS, "CTRL.ASDE": CtrlASDE, "CTRL.SLU": CtrlSLU, "CTRL.ILOS": CtrlILOS,
		"CTRL.SPEED": CtrlSPEED, "CTRL.FRCSPD": CtrlFRCSPD, "CTRL.FRCDPX": CtrlFRCDPX, "CTRL.RST": CtrlRST,
		"CTRL.RFCE": CtrlRFCE, "CTRL.TFCE": CtrlTFCE, "CTRL.VME": CtrlVME, "CTRL.PHY_RST": CtrlPHYRST,
		"STATUS.FD": StatusFD, "STATUS.LU": StatusLU, "STATUS.LAN_ID": StatusLANID, "STATUS.TXOFF": StatusTXOFF,
		"STATUS.SPEED": StatusSPEED, "STATUS.PHYRA": StatusPHYRA, "STATUS.GIO": StatusGIO,
		"EEC.EE_PRES": EecEEPRES, "EEC.AUTO_RD": EecAUTORD,
		"CTRL_EXT.LINK_MODE": CtrlExtLINKMODE, "CTRL_EXT.EIAME": CtrlExtEIAME, "CTRL_EXT.IAME": CtrlExtIAME,
		"CTRL_EXT.DRV_LOAD": CtrlExtDRVLOAD, "CTRL_EXT.PBA": CtrlExtPBA,
		"EXTCNF_CTRL.MDIO_SW": ExtcnfMDIOSW, "EXTCNF_CTRL.MDIO_HW": ExtcnfMDIOHW, "EXTCNF_CTRL.MDIO_MNG": ExtcnfMDIOMN,
		"EEMNGCTL.CFG_DONE0": EemngctlCFGDONE(0), "EEMNGCTL.CFG_DONE3": EemngctlCFGDONE(3), "EEMNGCTL_I210.CFG_DONE": EemngctlCFGDONE(0),
		"SWSM.SMBI": SwsmSMBI, "SWSM.SWESMBI": SwsmSWESMBI,
		"SW_FW_SYNC.SW_PHY_SM0": SwFwSyncPHY(0), "SW_FW_SYNC.SW_PHY_SM1": SwFwSyncPHY(1),
		"SW_FW_SYNC.SW_PHY_SM2": SwFwSyncPHY(2), "SW_FW_SYNC.SW_PHY_SM3": SwFwSyncPHY(3),
		"SW_FW_SYNC.FW_PHY_SM0": SwFwSyncPHY(0) << SwFwSyncFWShift, "SW_FW_SYNC.FW_PHY_SM3": SwFwSyncPHY(3) << SwFwSyncFWShift,
		"PHPM.GO_LINKD":    PhpmGOLINKD,
		"LEDCTL.LED0_MODE": LedctlMODEMask(0), "LEDCTL.LED3_MODE": LedctlMODEMask(3), "LEDCTL.LED2_IVRT": LedctlIVRT(2),
		"LEDCTL.LED1_BLINK": LedctlBLINK(1), "LEDCTL.LED3_BLINK": LedctlBLINK(3), "LEDCTL.GLOBAL_BLINK_MODE": LedGlobBlink,
		"MDIC.DATA": MdicDATA, "MDIC.REGADD": 31 << MdicREGShift, "MDIC.PHYADD": 31 << MdicPHYShift,
		"MDIC.OP": MdicOPRead | MdicOPWrite, "MDIC.R": MdicREADY, "MDIC.I": MdicI, "MDIC.E": MdicERROR,
		"RCTL.EN": RctlEN, "RCTL.SBP": RctlSBP, "RCTL.UPE": RctlUPE, "RCTL.MPE": RctlMPE, "RCTL.LPE": RctlLPE, "RCTL.MO": RctlMO,
		"RCTL.BAM": RctlBAM, "RCTL.BSIZE": RctlBSIZE, "RCTL.VFE": RctlVFE, "RCTL.BSEX": RctlBSEX, "RCTL.SECRC": RctlSECRC,
		"RFCTL.ACKDIS": RfctlACKDIS, "RFCTL.EXSTEN": RfctlEXSTEN,
		"RXCSUM.IPOFLD": RxcsumIPOFLD, "RXCSUM.TUOFLD": RxcsumTUOFLD, "RXCSUM.PCSD": RxcsumPCSD, "RAH.AV": RahAV,
		"SRRCTL.BSIZEPACKET": SrrctlBSIZEPACKET, "SRRCTL.DROP_EN": SrrctlDropEN, "SRRCTL.DESCTYPE": 7 * SrrctlDESCTYPEAdvOneBuf,
		"RXDCTL.PTHRESH": 31 << DctlPTHRESHShift, "RXDCTL.HTHRESH": 31 << DctlHTHRESHShift, "RXDCTL.WTHRESH": DctlMax << DctlWTHRESHShift,
		"RXDCTL.ENABLE": DctlENABLE, "TXDCTL.ENABLE": DctlENABLE, "TXDCTL.COUNT": TxdctlCOUNT, "TXDCTL.GRAN": DctlGRAN,
		"MRQC.TCPIPV4": MrqcTCPIPv4, "MRQC.IPV4": MrqcIPv4, "MRQC.IPV6": MrqcIPv6, "MRQC.TCPIPV6": MrqcTCPIPv6,
		"MRQC.UDPIPV4": MrqcUDPIPv4, "MRQC.UDPIPV6": MrqcUDPIPv6,
		"TCTL.EN": TctlEN, "TCTL.PSP": TctlPSP, "TCTL.CT": TctlCT, "TCTL.COLD": TctlCOLD, "TCTL.RTLC": TctlRTLC,
		"TARC.ENABLE": TarcENABLE,
		"ICR.TXDW":    IcrTXDW, "ICR.TXQE": IcrTXQE, "ICR.LSC": IcrLSC, "ICR.RXDMT": IcrRXDMT, "ICR.RXO": IcrRXO, "ICR.RXT": IcrRXT,
		"ICR.RXQ0": IcrRXQ0, "ICR.RXQ1": IcrRXQ1, "ICR.TXQ0": IcrTXQ0, "ICR.TXQ1": IcrTXQ1, "ICR.OTHER": IcrOTHER, "ICR.INTA": IcrINTA,
		"EIAC_82574.EIAC":   IcrRXQ0 | IcrRXQ1 | IcrTXQ0 | IcrTXQ1 | IcrOTHER,
		"IVAR_82574.VALID0": Ivar4Valid << Ivar4Rx0, "IVAR_82574.VALID1": Ivar4Valid << Ivar4Rx1, "IVAR_82574.INT_ALLOC1": 7 << Ivar4Rx1,
		"IVAR.VALID0": IvarValid, "IVAR.VALID2": IvarValid << 16,
		"GPIE.NSICR": GpieNSICR, "GPIE.MULTIPLE_MSIX": GpieMSIX, "GPIE.EIAME": GpieEIAME, "GPIE.PBA_SUPPORT": GpiePBA,
	} {
		found := false
		reg, field, _ := strings.Cut(name, ".")
		for _, m := range models {
			for _, r := range m.Registers() {
				for _, f := range r.Fields {
					// Thresholds are narrower on the 82576.
					if r.Name != reg || f.Name != field || f.Width == 6 && strings.HasSuffix(f.Name, "THRESH") {
						continue
					}
					found = true
					if bits := uint32((uint64(1)<<f.Width - 1) << f.Bit); bits != want {
						t.Errorf("%v %s: field %#x, constant %#x", m, name, bits, want)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: no such field", name)
		}
	}
	if TctlCT16 != 15<<4 || TctlCOLD64 != 63<<12 || TipgCopper != 0x00602008 || LedctlMODE(2, LedModeOn) != 0xE0000 {
		t.Error("values made of bits")
	}
	for size, want := range map[int]uint32{1024: 1 << 16, 2048: 0, 4096: 3<<16 | 1<<25, 8192: 2<<16 | 1<<25, 16384: 1<<16 | 1<<25} {
		if RctlBuffer(size) != want {
			t.Errorf("RCTL for buffers of %d: %#x, want %#x", size, RctlBuffer(size), want)
		}
	}
}
