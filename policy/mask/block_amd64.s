#include "textflag.h"

// The nibble tables stand at the start of tables: class low, class high, then
// low and high of each print. Y0-Y7 hold them, each twice.

DATA bytes<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f // a nibble
DATA bytes<>+8(SB)/8, $0x3838383838383838 // bitsSep
DATA bytes<>+16(SB)/8, $0x0606060606060606 // bitsAlpha
GLOBL bytes<>(SB), RODATA|NOPTR, $24

// HALF classifies 32 bytes at off and writes half of each mask of a block.
#define HALF(off, half) \
	VMOVDQU off(SI), Y12          \
	VPAND   Y8, Y12, Y13 \
	VPSRLW  $4, Y12, Y14          \
	VPAND   Y8, Y14, Y14 \
	VPSHUFB Y13, Y0, Y15          \
	VPSHUFB Y14, Y1, Y12          \
	VPAND   Y15, Y12, Y12 \
	VPSHUFB Y13, Y2, Y13          \
	VPSHUFB Y14, Y3, Y14          \
	VPAND   Y13, Y14, Y13 \
	VPMOVMSKB Y12, AX \
	MOVL    AX, (0+half)(DI)      \
	VPADDB  Y12, Y12, Y14 \
	VPMOVMSKB Y14, AX             \
	MOVL    AX, (16+half)(DI)     \
	VPAND   Y10, Y12, Y14         \
	VPCMPEQB Y9, Y14, Y14         \
	VPMOVMSKB Y14, AX             \
	NOTL    AX                    \
	MOVL    AX, (8+half)(DI)      \
	VPAND   Y11, Y12, Y14         \
	VPCMPEQB Y9, Y14, Y14         \
	VPMOVMSKB Y14, AX             \
	NOTL    AX                    \
	MOVL    AX, (24+half)(DI)     \
	VMOVDQU (off+1)(SI), Y12      \
	VPAND   Y8, Y12, Y14          \
	VPSRLW  $4, Y12, Y15          \
	VPAND   Y8, Y15, Y15          \
	VPSHUFB Y14, Y4, Y14          \
	VPSHUFB Y15, Y5, Y15          \
	VPAND   Y14, Y13, Y13         \
	VPAND   Y15, Y13, Y13         \
	VMOVDQU (off+2)(SI), Y12      \
	VPAND   Y8, Y12, Y14          \
	VPSRLW  $4, Y12, Y15          \
	VPAND   Y8, Y15, Y15          \
	VPSHUFB Y14, Y6, Y14          \
	VPSHUFB Y15, Y7, Y15          \
	VPAND   Y14, Y13, Y13         \
	VPAND   Y15, Y13, Y13         \
	VPCMPEQB Y9, Y13, Y13         \
	VPMOVMSKB Y13, AX             \
	NOTL    AX                    \
	MOVL    AX, (32+half)(DI)

// func classifyAVX2(t *tables, out *block, text *byte, n int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ t+0(FP), R8
	MOVQ out+8(FP), DI
	MOVQ text+16(FP), SI
	MOVQ n+24(FP), CX

	VBROADCASTI128 0(R8), Y0
	VBROADCASTI128 16(R8), Y1
	VBROADCASTI128 32(R8), Y2
	VBROADCASTI128 48(R8), Y3
	VBROADCASTI128 64(R8), Y4
	VBROADCASTI128 80(R8), Y5
	VBROADCASTI128 96(R8), Y6
	VBROADCASTI128 112(R8), Y7
	VPBROADCASTQ bytes<>+0(SB), Y8
	VPXOR Y9, Y9, Y9
	VPBROADCASTQ bytes<>+8(SB), Y10
	VPBROADCASTQ bytes<>+16(SB), Y11

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
