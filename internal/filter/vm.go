package filter

import "encoding/binary"

// Match runs the program on a frame of which data is all or the beginning, and length its length on the wire. It
// returns how many bytes of the frame are wanted, 0 where it does not match. It does not allocate.
func (p *Program) Match(data []byte, length int) uint32 {
	var a, x uint32
	var m [memSlots]uint32
	n := uint64(len(data))
	for pc := 0; pc < len(p.ins); pc++ {
		in := &p.ins[pc]
		k := in.K
		switch in.Op {
		case bpfRET:
			return k
		case bpfJMP | cmpEq: // the most frequent one
			if a == k {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case bpfLD | sizeW | modeABS:
			if uint64(k)+4 > n {
				return 0
			}
			a = binary.BigEndian.Uint32(data[k:])
		case bpfLD | sizeH | modeABS:
			if uint64(k)+2 > n {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(data[k:]))
		case bpfLD | sizeB | modeABS:
			if uint64(k) >= n {
				return 0
			}
			a = uint32(data[k])
		case bpfLD | sizeW | modeIND:
			at := uint64(x) + uint64(k)
			if at+4 > n {
				return 0
			}
			a = binary.BigEndian.Uint32(data[at:])
		case bpfLD | sizeH | modeIND:
			at := uint64(x) + uint64(k)
			if at+2 > n {
				return 0
			}
			a = uint32(binary.BigEndian.Uint16(data[at:]))
		case bpfLD | sizeB | modeIND:
			at := uint64(x) + uint64(k)
			if at >= n {
				return 0
			}
			a = uint32(data[at])
		case bpfLDX | sizeB | modeMSH:
			if uint64(k) >= n {
				return 0
			}
			x = uint32(data[k]&0xf) << 2
		case bpfLD | modeIMM:
			a = k
		case bpfLDX | modeIMM:
			x = k
		case bpfLD | modeLEN:
			a = uint32(length)
		case bpfLDX | modeLEN:
			x = uint32(length)
		case bpfLD | modeMEM:
			a = m[k%memSlots]
		case bpfLDX | modeMEM:
			x = m[k%memSlots]
		case bpfST:
			m[k%memSlots] = a
		case bpfSTX:
			m[k%memSlots] = x
		case bpfMISC | miscTX:
			x = a
		case bpfMISC | miscTA:
			a = x
		case bpfALU | aluNeg:
			a = -a
		case bpfJMP | jumpJA:
			pc += int(int32(k))
		default:
			if in.Op&0x08 != 0 {
				k = x
			}
			if in.Op&0x07 == bpfJMP {
				if compare(in.Op&0xf0, a, k) {
					pc += int(in.Jt)
				} else {
					pc += int(in.Jf)
				}
				continue
			}
			alu := in.Op & 0xf0
			switch {
			case (alu == aluDiv || alu == aluMod) && k == 0:
				return 0
			case (alu == aluLsh || alu == aluRsh) && k > 31:
				a = 0
			default:
				a = calc(alu, a, k)
			}
		}
	}
	return 0
}

func compare(cmp uint16, a, b uint32) bool {
	switch cmp {
	case cmpEq:
		return a == b
	case cmpGt:
		return a > b
	case cmpGe:
		return a >= b
	}
	return a&b != 0
}
