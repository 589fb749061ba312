; Behaves at its consoles as the hypervisor does: text on COM1, a log on COM2 whose last line
; (unless SILENT is defined) says how it ended. Then it halts, or switches the machine off (OFF).

%define HEADER 3
%include "header.inc"
%include "serial.inc"

start:
	mov	esp, stack_end
	serial_init
	serial_init COM2
	mov	esi, log
.log:	lodsb
	test	al, al
	jz	.text
	serial_put COM2
	jmp	.log
.text:	mov	esi, text
.next:	lodsb
	test	al, al
	jz	.drain
	serial_put
	jmp	.next
.drain:	serial_drain
	serial_drain COM2
%ifdef OFF
	mov	dx, 0x604
	mov	ax, 0x2000
	out	dx, ax
	mov	dx, 0x8900
	mov	esi, shutdown
	mov	ecx, 8
	rep outsb
%endif
	cli
.stop:	hlt
	jmp	.stop

log:	db	"ringfence: info boot: ended is only a word here reason=none status=1", 10
	db	"ringfence: info stats: traps=12 faults=3", 10
%ifndef SILENT
	db	"ringfence: info vm0: ended reason=test status=42", 10
%endif
	db	0
text:	times 40 db "the console comes last, after the end of the log", 13, 10
	db	"last words", 13, 10, 0
shutdown: db	"Shutdown"
section .bss
	resb	4096
stack_end:
