#include "textflag.h"

// A plain MOVL: amd64 keeps stores in order, and the compiler cannot move memory accesses across
// the call.
// func store32(p *uint32, v uint32)
TEXT ·store32(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL v+8(FP), CX
	MOVL CX, (AX)
	RET
