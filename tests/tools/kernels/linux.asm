; A Linux bzImage as small as they come: prints its command line from its 16-bit entry (QEMU's way
; in) or its 32-bit entry (GRUB's way in), then the size of its initial ramdisk in 16-byte units as
; that many dots, and ends with V=1 (status 3).

%include "serial.inc"

bits 16
org 0
	times 0x1F1 db 0
	db	1			; setup_sects
	dw	0
	dd	(image_end - protected) / 16
	dw	0, 0, 0
	dw	0xAA55
	jmp	short setup
	db	"HdrS"
	dw	0x0203			; version
	dd	0
	dw	0x1000, 0
	db	0, 1			; loadflags: loaded high
	dw	0
	dd	0x100000		; code32_start
ramdisk:
	dd	0, 0, 0
	dw	0xFE00, 0
cmd_line_ptr:
	dd	0, 0x37FFFFFF

setup:	serial_init			; DS is the start of this file in memory, CS is 512 bytes further
	mov	si, hello16
.hello:	lodsb
	test	al, al
	jz	.words
	serial_put
	jmp	.hello
.words:	mov	eax, [cmd_line_ptr]
	mov	esi, eax
	shr	eax, 4
	mov	fs, ax
	and	esi, 15
.next:	fs lodsb
	test	al, al
	jz	.size
	serial_put
	jmp	.next
.size:	mov	ecx, [ramdisk + 4]
	shr	ecx, 4
	jz	.end
.dot:	mov	al, '.'
	serial_put
	dec	ecx
	jnz	.dot
.end:	serial_drain
	mov	al, 1
	out	0xF4, al
.stop:	hlt
	jmp	.stop
hello16: db	"linux: ", 0
	times 1024 - ($ - $$) db 0

bits 32
protected:
	mov	esp, 0x90000		; the protocol promises no stack
	mov	ebp, esi		; boot_params
	serial_init
	call	.here
.here:	pop	esi
	add	esi, hello32 - .here
	call	print
	mov	esi, [ebp + 0x228]
	call	print
	mov	ecx, [ebp + 0x21C]
	shr	ecx, 4
	jz	.end
.dot:	mov	al, '.'
	serial_put
	dec	ecx
	jnz	.dot
.end:	serial_drain
	mov	al, 1
	out	0xF4, al
.stop:	hlt
	jmp	.stop

print:	lodsb
	test	al, al
	jz	.done
	serial_put
	jmp	print
.done:	ret
hello32: db	"linux: ", 0
align 16
image_end:
