; Calls outer, which calls inner, both with frame pointers, and stays in inner for a while.

%include "header.inc"

%ifndef ROUNDS
%define ROUNDS 50000000
%endif

start:
	mov	esp, stack_end
	xor	ebp, ebp
	call	outer
	mov	al, 5
	out	0xF4, al
.stop:	hlt
	jmp	.stop

outer:	push	ebp
	mov	ebp, esp
	call	inner
	pop	ebp
	ret

inner:	push	ebp
	mov	ebp, esp
	mov	ecx, ROUNDS
.round:	dec	ecx
	jnz	.round
	pop	ebp
	ret

never:	ret

section .bss
	resb	4096
stack_end:
