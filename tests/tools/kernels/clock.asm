; Prints LINES lines of time-stamp counter and real-time clock: only a deterministic run repeats them.

%include "header.inc"
%include "serial.inc"
%ifndef LINES
%define LINES 50
%endif

start:
	mov	esp, stack_end
	serial_init
	mov	ebp, LINES
.line:	rdtsc
	call	hex
	mov	al, 0			; seconds
	out	0x70, al
	in	al, 0x71
	movzx	eax, al
	call	hex
	mov	al, 10
	serial_put
	dec	ebp
	jnz	.line
	serial_drain
	mov	al, 0
	out	0xF4, al
.stop:	hlt
	jmp	.stop

; Prints EAX in hexadecimal and a space.
hex:	mov	edi, eax
	mov	ecx, 8
.digit:	rol	edi, 4
	mov	ebx, edi
	and	ebx, 15
	mov	al, [digits + ebx]
	serial_put
	loop	.digit
	mov	al, ' '
	serial_put
	ret

digits:	db	"0123456789abcdef"
stack_end equ $ + 4096
bss_end equ stack_end
