#include "textflag.h"

// ISB waits for the instructions before it; the counter may be read ahead of them without it (Arm
// Architecture Reference Manual, CNTVCT_EL0).
// func Read() uint64
TEXT ·Read(SB), NOSPLIT, $0-8
	ISB  $15
	MRS  CNTVCT_EL0, R0
	MOVD R0, ret+0(FP)
	RET
