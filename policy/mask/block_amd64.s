#include "textflag.h"

// The nibble tables stand at the start of tables, 16 bytes each: class low and
// high, then low and high of every print.

DATA bytes<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f  // a nibble
DATA bytes<>+8(SB)/8, $0x3838383838383838  // bitsSep
DATA bytes<>+16(SB)/8, $0x0606060606060606 // bitsAlpha
GLOBL bytes<>(SB), RODATA|NOPTR, $24

// NIBBLES splits the 32 bytes at off into halves: Y9 low, Y10 high.
#define NIBBLES(off) \
	VMOVDQU off(SI), Y8 \
	VPAND   Y2, Y8, Y9  \
	VPSRLW  $4, Y8, Y10 \
	VPAND   Y2, Y10, Y10

// PRINT looks the halves up in the pair of tables at at, into dst.
#define PRINT(at, dst) \
	VBROADCASTI128 at(R8), Y11      \
	VBROADCASTI128 (at+16)(R8), Y12 \
	VPSHUFB Y9, Y11, Y11            \
	VPSHUFB Y10, Y12, Y12           \
	VPAND   Y11, Y12, dst

// NONZERO writes a bit for every byte of src that is not zero.
#define NONZERO(src, to) \
	VPCMPEQB  Y3, src, Y11 \
	VPMOVMSKB Y11, AX      \
	NOTL      AX           \
	MOVL      AX, to(DI)

// HALF classifies 32 bytes at off and writes half of each mask of a block. The
// digit is the top bit of a class, which VPMOVMSKB takes as it is; the at sign
// is the next.
#define HALF(off, half) \
	NIBBLES(off)             \
	VPSHUFB Y9, Y0, Y13      \
	VPSHUFB Y10, Y1, Y14     \
	VPAND   Y13, Y14, Y13    \
	PRINT(32, Y6)            \
	PRINT(128, Y7)           \
	VPMOVMSKB Y13, AX        \
	MOVL    AX, (0+half)(DI) \
	VPADDB  Y13, Y13, Y14    \
	VPMOVMSKB Y14, AX        \
	MOVL    AX, (16+half)(DI) \
	VPAND   Y4, Y13, Y14     \
	NONZERO(Y14, (8+half))   \
	VPAND   Y5, Y13, Y14     \
	NONZERO(Y14, (24+half))  \
	NIBBLES(off+1)           \
	PRINT(64, Y14)           \
	VPAND   Y14, Y6, Y6      \
	PRINT(160, Y14)          \
	VPAND   Y14, Y7, Y7      \
	NIBBLES(off+2)           \
	PRINT(96, Y14)           \
	VPAND   Y14, Y6, Y6      \
	PRINT(192, Y14)          \
	VPAND   Y14, Y7, Y7      \
	VPOR    Y6, Y7, Y6       \
	NONZERO(Y6, (32+half))

// CONSTANTS loads what stays the same: the class tables and the bytes above.
#define CONSTANTS \
	VBROADCASTI128 0(R8), Y0         \
	VBROADCASTI128 16(R8), Y1        \
	VPBROADCASTQ bytes<>+0(SB), Y2   \
	VPXOR        Y3, Y3, Y3          \
	VPBROADCASTQ bytes<>+8(SB), Y4   \
	VPBROADCASTQ bytes<>+16(SB), Y5

// func classifyAVX2(t *tables, out *block, text *byte, n int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ t+0(FP), R8
	MOVQ out+8(FP), DI
	MOVQ text+16(FP), SI
	MOVQ n+24(FP), CX

	CONSTANTS

loop:
	TESTQ CX, CX
	JLE   done
	HALF(0, 0)
	HALF(32, 4)
	ADDQ  $64, SI
	ADDQ  $40, DI // the size of a block
	DECQ  CX
	JMP   loop

done:
	VZEROUPPER
	RET

// func classifyHalfAVX2(t *tables, out *block, text *byte)
TEXT ·classifyHalfAVX2(SB), NOSPLIT, $0-24
	MOVQ t+0(FP), R8
	MOVQ out+8(FP), DI
	MOVQ text+16(FP), SI
	CONSTANTS
	HALF(0, 0)
	VZEROUPPER
	RET
