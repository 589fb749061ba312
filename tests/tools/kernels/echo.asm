; A conversation: greets, repeats what is typed in capitals, and ends at 'q' with V=3 (status 7).

%include "header.inc"
%include "serial.inc"

start:
	serial_init
	mov	esi, ready
	call	print
.loop:	mov	dx, COM1 + 5
	in	al, dx
	test	al, 1
	jz	.loop
	mov	dx, COM1
	in	al, dx
	cmp	al, 'q'
	je	.end
	cmp	al, 'a'
	jb	.put
	cmp	al, 'z'
	ja	.put
	and	al, 0xDF
.put:	cmp	al, 3
	jne	.plain
	mov	esi, control_c
	call	print
	jmp	.loop
.plain:	mov	bl, al
	serial_put
	cmp	bl, 13
	jne	.loop
	mov	esi, ready
	call	print
	jmp	.loop
.end:	serial_drain
	mov	al, 3
	out	0xF4, al
.stop:	hlt
	jmp	.stop

print:	lodsb
	test	al, al
	jz	.done
	serial_put
	jmp	print
.done:	ret

ready:	db	13, 10, "ready> ", 0
control_c: db	"<3>", 0
bss_end equ $
