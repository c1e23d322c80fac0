#include "textflag.h"

// DMB OSHST orders earlier stores to memory before the store that the device sees.
// func store32(p *uint32, v uint32)
TEXT ·store32(SB), NOSPLIT, $0-12
	MOVD p+0(FP), R0
	MOVW v+8(FP), R1
	DMB  $2
	MOVW R1, (R0)
	RET

// func store16(p *uint16, v uint16)
TEXT ·store16(SB), NOSPLIT, $0-10
	MOVD p+0(FP), R0
	MOVH v+8(FP), R1
	DMB  $2
	MOVH R1, (R0)
	RET

// func store8(p *uint8, v uint8)
TEXT ·store8(SB), NOSPLIT, $0-9
	MOVD p+0(FP), R0
	MOVB v+8(FP), R1
	DMB  $2
	MOVB R1, (R0)
	RET
