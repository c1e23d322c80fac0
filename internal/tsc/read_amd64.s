#include "textflag.h"

// LFENCE waits for the instructions before it; RDTSC alone may run ahead of them (Intel SDM,
// volume 2, RDTSC).
// func Read() uint64
TEXT ·Read(SB), NOSPLIT, $0-8
	LFENCE
	RDTSC
	SHLQ $32, DX
	ORQ  DX, AX
	MOVQ AX, ret+0(FP)
	RET
