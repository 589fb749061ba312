; The first instructions of a guest, and the headers by which loaders know it.
; One image carries both Multiboot headers, so `qemu -kernel`, GRUB's `multiboot`
; and GRUB's `multiboot2` all start it.

	section .multiboot progbits alloc noexec nowrite align=8

MULTIBOOT1_MAGIC equ 0x1BADB002
MULTIBOOT1_FLAGS equ 3			; modules on page boundaries; memory map wanted

	dd MULTIBOOT1_MAGIC
	dd MULTIBOOT1_FLAGS
	dd -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)

MULTIBOOT2_MAGIC equ 0xE85250D6
MULTIBOOT2_I386  equ 0

	align 8
multiboot2:
	dd MULTIBOOT2_MAGIC
	dd MULTIBOOT2_I386
	dd .end - multiboot2
	dd -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + (.end - multiboot2))
	dw 0, 0				; the end tag
	dd 8
.end:

	section .bss
	alignb 16
	resb 16384
stack_top:

	section .text
	global guest_start
	extern start_enter

guest_start:
	cli
	cld
	mov esp, stack_top
	xor ebp, ebp
	push ebx			; the information structure
	push eax			; the loader's magic number
	call start_enter
.stop:
	cli
	hlt
	jmp .stop
