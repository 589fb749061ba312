; Prints a line and what the boot loader told it, then ends in the way that ENDING names.

%include "header.inc"
%include "serial.inc"

; The ways to end, chosen with -DENDING=...
%macro debug_exit_5 0
	mov	al, 5
	out	0xF4, al
%endmacro

%macro keyboard_reset 0
	mov	al, 0xFE
	out	0x64, al
%endmacro

%macro triple_fault 0
	lidt	[no_idt]
	int3
%endmacro

%macro power_off 0
	mov	dx, 0x604
	mov	ax, 0x2000
	out	dx, ax
	mov	dx, 0x8900
	mov	esi, shutdown
%%next:	lodsb
	test	al, al
	jz	%%end
	out	dx, al
	jmp	%%next
%%end:
%endmacro

%macro halt_for_ever 0
%endmacro

start:
	mov	esp, stack_end
	mov	edi, ebx
	mov	ebp, eax
	serial_init
	mov	esi, hello
	call	print
%if HEADER = 1
	mov	esi, [edi + 16]		; command line
	call	print
	mov	esi, newline
	call	print
	test	byte [edi], 8		; modules?
	jz	.end
	mov	ecx, [edi + 20]
	mov	edi, [edi + 24]
.module:
	jecxz	.end
	mov	esi, module
	call	print
	mov	esi, [edi + 8]
	call	print
	mov	esi, newline
	call	print
	add	edi, 16
	dec	ecx
	jmp	.module
%endif
.end:
	mov	esi, port_e9
.e9:	lodsb
	test	al, al
	jz	.drain
	out	0xE9, al
	jmp	.e9
.drain:
	serial_drain
	ENDING
	cli
.stop:	hlt
	jmp	.stop

print:	lodsb
	test	al, al
	jz	.done
	serial_put
	jmp	print
.done:	ret

no_idt:	dd	0, 0
hello:	db	"hello from the test kernel", 13, 10, 0
module:	db	"module ", 0
newline: db	13, 10, 0
port_e9: db	"by port E9", 10, 0
shutdown: db	"Shutdown", 0

%ifidn __OUTPUT_FORMAT__, bin
stack_end equ $ + 4096
bss_end equ stack_end
%else
section .bss
	resb	4096
stack_end:
%endif
