#include "go_asm.h"
#include "textflag.h"

#define SYS_RT_SIGPROCMASK 14
#define SYS_CLONE 56
#define SIG_SETMASK 2
// CLONE_VM|CLONE_VFORK|CLONE_PARENT_SETTID and SIGCHLD
#define FLAGS (0x100|0x4000|0x100000|17)

// func vfork(p *plan) (r int)
//
// Between entersyscall and exitsyscall the scheduler and the collector do without this thread,
// however long the child takes to exec. R12 survives system calls.
TEXT ·vfork(SB),NOSPLIT,$0-16
	CALL	runtime·entersyscall(SB)
	MOVQ	p+0(FP), R12

	MOVQ	$SIG_SETMASK, DI
	LEAQ	·allSignals(SB), SI
	LEAQ	plan_mask(R12), DX
	MOVQ	$8, R10
	MOVQ	$SYS_RT_SIGPROCMASK, AX
	SYSCALL

	MOVQ	$FLAGS, DI
	LEAQ	(plan_stack+const_childStack-16)(R12), SI
	ANDQ	$~15, SI
	MOVQ	plan_pid(R12), DX
	MOVQ	$0, R10
	MOVQ	$0, R8
	MOVQ	$SYS_CLONE, AX
	SYSCALL
	TESTQ	AX, AX
	JNE	parent

	// The child, on its own stack.
	MOVQ	R12, 0(SP)
	CALL	·runChild(SB)
	INT	$3

parent:
	MOVQ	AX, r+8(FP)
	MOVQ	$SIG_SETMASK, DI
	LEAQ	plan_mask(R12), SI
	MOVQ	$0, DX
	MOVQ	$8, R10
	MOVQ	$SYS_RT_SIGPROCMASK, AX
	SYSCALL
	CALL	runtime·exitsyscall(SB)
	RET
