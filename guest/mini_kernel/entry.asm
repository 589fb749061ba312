; The way in: Multiboot headers, the first page tables, and the jump to the high half.

KERNEL_BASE   equ 0xC0000000
BOOT_TABLES   equ 4			; of 4 MB each
RIGHTS        equ 3			; present, writable
CR0_PG_WP     equ 0x80010000

	section .multiboot progbits alloc noexec nowrite align=8

MULTIBOOT1_MAGIC equ 0x1BADB002
MULTIBOOT1_FLAGS equ 3

	dd MULTIBOOT1_MAGIC
	dd MULTIBOOT1_FLAGS
	dd -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)

MULTIBOOT2_MAGIC equ 0xE85250D6

	align 8
multiboot2:
	dd MULTIBOOT2_MAGIC
	dd 0
	dd .end - multiboot2
	dd -(MULTIBOOT2_MAGIC + (.end - multiboot2))
	dw 0, 0
	dd 8
.end:

	section .bss
	alignb 4096
	global kernel_directory
kernel_directory:
	resb 4096
boot_tables:
	resb 4096 * BOOT_TABLES
	resb 8192
boot_stack_top:

	section .boot progbits alloc exec nowrite
	global entry_low

; Paging is off: every address of the kernel must be brought down by KERNEL_BASE.
entry_low:
	cli
	cld
	mov esi, eax			; the loader's magic number; EBX has its information

	mov edi, boot_tables - KERNEL_BASE
	mov eax, RIGHTS
	mov ecx, 1024 * BOOT_TABLES
.page:	stosd
	add eax, 4096
	loop .page

	; The same tables twice: low for the next few instructions, high for good.
	mov edi, kernel_directory - KERNEL_BASE
	mov eax, boot_tables - KERNEL_BASE + RIGHTS
	mov ecx, BOOT_TABLES
.table:	mov [edi], eax
	mov [edi + (KERNEL_BASE >> 22) * 4], eax
	add edi, 4
	add eax, 4096
	loop .table

	mov eax, kernel_directory - KERNEL_BASE
	mov cr3, eax
	mov eax, cr0
	or eax, CR0_PG_WP
	mov cr0, eax
	mov eax, entry_high
	jmp eax

	section .text
	extern kernel_start
entry_high:
	mov esp, boot_stack_top
	xor ebp, ebp
	push ebx
	push esi
	call kernel_start
