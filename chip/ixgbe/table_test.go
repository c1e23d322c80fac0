package ixgbe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"testing"

	"glassnic/chip"
)

var allModels = []Model{M82599, MX540, MX550, MX550EMx, MX550EMa}

// complete has a row of every table.
var complete = MX550EMa.Registers()

func TestConstantsAndTableAgree(t *testing.T) {
	seen := map[string]int{}
	for n := range complete {
		r := &complete[n]
		if r.Count == 0 {
			off, ok := singles[r.Name]
			if !ok || off != r.Offset {
				t.Errorf("%s: table says %#05x, constant %#05x (exists: %v)", r.Name, r.Offset, off, ok)
			}
			seen[r.Name]++
			continue
		}
		at, ok := arrays[r.Name]
		if !ok {
			t.Errorf("%s: no offset function", r.Name)
			continue
		}
		if r.First != seen[r.Name] {
			t.Errorf("%s: row starts at index %d, want %d", r.Name, r.First, seen[r.Name])
		}
		for i := range r.Count {
			if want := r.Offset + uint32(i)*r.Stride; at(r.First+i) != want {
				t.Errorf("%s: table says %#05x, function %#05x", r.Label(i), want, at(r.First+i))
			}
		}
		seen[r.Name] += r.Count
	}
	for name := range singles {
		if seen[name] != 1 {
			t.Errorf("%s: %d rows, want 1", name, seen[name])
		}
	}
	for name := range arrays {
		if seen[name] == 0 {
			t.Errorf("%s: no row", name)
		}
	}
	for name, want := range map[string]int{"RDT": 128, "SRRCTL": 128, "DCA_RXCTRL": 128, "TDT": 128, "RAL": 128,
		"MTA": 128, "EITR": 129, "RXMPC": 8, "QPRC": 16, "TXPBTHRESH": 8, "PSRTYPE": 64} {
		if seen[name] != want {
			t.Errorf("%s: %d registers, want %d", name, seen[name], want)
		}
	}
}

// The maps above are written by hand: every offset that the sources declare must be in them.
func TestEveryOffsetIsNamed(t *testing.T) {
	files, err := filepath.Glob("regs*.go")
	if err != nil || len(files) < 3 {
		t.Fatalf("regs*.go: %v, %v", files, err)
	}
	declared := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				declared++
				if _, ok := arrays[d.Name.Name]; !ok && d.Name.Name != "MPC" {
					t.Errorf("%s: function %s is not in arrays", name, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					for _, id := range s.(*ast.ValueSpec).Names {
						declared++
						if _, ok := singles[id.Name]; !ok {
							t.Errorf("%s: constant %s is not in singles", name, id.Name)
						}
					}
				}
			}
		}
	}
	if want := len(singles) + len(arrays) + 1; declared != want {
		t.Errorf("%d offsets declared, %d named", declared, want)
	}
	if MPC(7) != RXMPC(7) {
		t.Error("MPC differs from RXMPC")
	}
}

func TestTableIsSound(t *testing.T) {
	section := regexp.MustCompile(`^(8\.2\.3(\.\d+)*|X540 8\.2\.4\.\d+|X550|X550EM_a|82598 4\.4\.3\.9)$`)
	for _, m := range allModels {
		owner := map[uint32]string{}
		for n := range m.Registers() {
			r := &m.Registers()[n]
			if r.Doc == "" || !section.MatchString(r.Section) || r.Access > chip.RWSC {
				t.Errorf("%v %s: doc %q, section %q, access %v", m, r.Name, r.Doc, r.Section, r.Access)
			}
			if r.Count > 1 && r.Stride == 0 {
				t.Errorf("%v %s: array without stride", m, r.Name)
			}
			for i := range r.Len() {
				off := r.Offset + uint32(i)*r.Stride
				if off%4 != 0 || off >= BARSize {
					t.Errorf("%v %s: offset %#x", m, r.Label(i), off)
				}
				if other, ok := owner[off]; ok {
					t.Errorf("%v %s: %#05x is also %s", m, r.Label(i), off, other)
				}
				owner[off] = r.Label(i)
			}
			var used uint32
			for _, f := range r.Fields {
				if f.Width == 0 || int(f.Bit)+int(f.Width) > 32 || f.Name == "" || f.Doc == "" {
					t.Errorf("%v %s.%s: bit %d width %d doc %q", m, r.Name, f.Name, f.Bit, f.Width, f.Doc)
					continue
				}
				if used&mask(f) != 0 {
					t.Errorf("%v %s.%s overlaps another field", m, r.Name, f.Name)
				}
				used |= mask(f)
			}
		}
	}
}

func TestStatisticsClearOnRead(t *testing.T) {
	counters := 0
	for n := range statsTable {
		r := &statsTable[n]
		switch r.Name {
		case "RQSMR", "TQSM", "RXDSTATCTRL":
			if r.Access != chip.RW {
				t.Errorf("%s: %v, want RW", r.Name, r.Access)
			}
		default:
			counters++
			if r.Access != chip.RC || r.Reset != 0 {
				t.Errorf("%s: %v reset %#x, want RC and 0", r.Name, r.Access, r.Reset)
			}
		}
	}
	if counters < 80 {
		t.Errorf("%d counters, the datasheet has more than 80", counters)
	}
}

// Reset values, built from the datasheet's initial values of the fields.
func TestResetValues(t *testing.T) {
	for _, c := range []struct {
		name string
		i    int
		want uint32
	}{
		{"CTRL", 0, 0},
		{"STATUS", 0, StatusGIO},
		{"LEDCTL", 0, LedctlMODE(0, LedModeLinkUp) | LedctlMODE(1, LedModeLink10G) |
			LedctlMODE(2, LedModeLinkActivity) | LedctlMODE(3, LedModeLink1G)},
		{"VLNCTRL", 0, 0x8100},
		{"SRRCTL", 0, 2 | 4<<SrrctlBSIZEHEADERShift},
		{"SRRCTL", 127, 2 | 4<<SrrctlBSIZEHEADERShift},
		{"RDRXCTL", 0, 0x8<<RdrxctlRSCFRSTSIZEShift | 0x8800},
		{"RXPBSIZE", 0, RxpbsizeMax},
		{"TXPBSIZE", 0, TxpbsizeMax},
		{"TXPBTHRESH", 0, 0x96},
		{"TXPBTHRESH", 1, 0},
		{"DTXMXSZRQ", 0, 0x10},
		{"DMATXCTL", 0, 0x8100<<DmatxctlVTShift | 1<<2},
		{"RTTDCS", 0, 1<<22 | 1<<23},
		{"SECRXCTRL", 0, SecrxctrlSECRXDIS},
		{"MAXFRS", 0, 1518 << MaxfrsMFSShift},
		{"DCA_RXCTRL", 0, DcaRxctrlDescReadRO | DcaRxctrlReserved12 | DcaRxctrlDataWriteRO | DcaRxctrlHeadWriteRO},
		{"DCA_TXCTRL", 0, DcaTxctrlDescReadRO | DcaTxctrlDescWriteRO | DcaTxctrlDataReadRO},
		{"HLREG0", 0, Hlreg0TXCRCEN | Hlreg0RXCRCSTRP | 1<<3 | Hlreg0TXPADEN | 5<<11 | Hlreg0MDCSPD | Hlreg0RXLNGTHERREN},
		{"LINKS", 0, 0},
	} {
		off, ok := Registers.Offset(c.name, c.i)
		if !ok {
			t.Errorf("%s[%d] is missing", c.name, c.i)
			continue
		}
		if r, _ := Registers.Find(off); r.Reset != c.want {
			t.Errorf("%s[%d]: reset %#08x, want %#08x", c.name, c.i, r.Reset, c.want)
		}
	}
}

func TestModelsHaveTheirRegisters(t *testing.T) {
	for _, c := range []struct {
		off   uint32
		since Model
	}{{CTRL, M82599}, {RETA(0), M82599}, {O2BGPTC, MX540}, {ERETA(95), MX550}, {SWSM_X550EMA, MX550EMa}} {
		for _, m := range allModels {
			if r, _ := m.Registers().Find(c.off); (r != nil) != (m >= c.since) {
				t.Errorf("%v: register at %#05x found: %v", m, c.off, r != nil)
			}
		}
	}
}

func TestAliases(t *testing.T) {
	for _, a := range Aliases {
		for i := range a.Count {
			from, to := a.Offset+uint32(i)*a.Stride, a.To+uint32(i)*a.ToStride
			if r, _ := complete.Find(from); r != nil {
				t.Errorf("alias %#05x is %s itself", from, r.Name)
			}
			if r, _ := Registers.Find(to); r == nil {
				t.Errorf("alias %#05x leads to %#05x, which is no register", from, to)
			}
			if got := Canonical(from); got != to {
				t.Errorf("Canonical(%#05x) = %#05x, want %#05x", from, got, to)
			}
		}
	}
	for n := range complete {
		r := &complete[n]
		for i := range r.Len() {
			if off := r.Offset + uint32(i)*r.Stride; Canonical(off) != off {
				t.Errorf("%s at %#05x is taken for an alias", r.Label(i), off)
			}
		}
	}
	for from, to := range map[uint32]uint32{0x01014 + 0x40*15: SRRCTL(15), 0x0A204 + 8*15: RAH(15), 0x0EC80: MRQC,
		0x0EB7C: RETA(31), 0x086BC: QPTC(15), 4: CTRL} {
		if Canonical(from) != to {
			t.Errorf("Canonical(%#05x) = %#05x, want %#05x", from, Canonical(from), to)
		}
	}
}

func mask(f chip.Field) uint32 { return uint32((uint64(1)<<f.Width - 1) << f.Bit) }
