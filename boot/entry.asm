; The way in: from the boot loader's 32-bit protected mode without paging to C at 0xFFCxxxxx.
;
; The processor is asked first, because what follows needs PAE: a machine that lacks something
; gets one sentence on COM1, COM2 and the screen, never a reset. The page tables made here last
; until paging_start() has better ones; everything in this file is then given back as free memory.


extern processor_check, start
extern layout_offset, layout_image, image_end

MULTIBOOT1_MAGIC equ 0x1BADB002
MULTIBOOT1_FLAGS equ 3                  ; modules on page boundaries, memory map wanted
MULTIBOOT2_MAGIC equ 0xE85250D6

section .multiboot align=8
        dd MULTIBOOT1_MAGIC, MULTIBOOT1_FLAGS, -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)

align 8
multiboot2:
        dd MULTIBOOT2_MAGIC, 0, .end - multiboot2
        dd (-(MULTIBOOT2_MAGIC + (.end - multiboot2))) & 0xFFFFFFFF
        dw 1, 0                         ; information request: command line, modules, memory map
        dd 20, 1, 3, 6
align 8
        dw 4, 1                         ; console: text mode is what we can draw
        dd 12, 2
align 8
        dw 6, 0                         ; modules on page boundaries
        dd 8
align 8
        dw 0, 0
        dd 8
.end:

LARGE    equ 0x83                       ; present, writable, 2 MB
SMALL    equ 0x03                       ; present, writable
CR4_PAE  equ 1 << 5
CR0_PG   equ 1 << 31
CR0_WP   equ 1 << 16

section .way_in exec
global boot_entry
boot_entry:
        cli
        cld
        mov     esp, early_stack_top
        push    ebx                     ; the boot loader's information
        push    eax                     ; the boot loader's magic number
        call    processor_check
        call    map_identity
        call    map_image
        lgdt    [flat_gdt_pointer]
        jmp     0x08:.flat
.flat:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, pointer_table
        mov     cr3, eax
        mov     eax, cr0
        or      eax, CR0_PG | CR0_WP
        mov     cr0, eax
        pop     eax
        pop     edx
        mov     esp, start_stack_top
        xor     ebp, ebp                ; the backtrace ends here
        mov     ecx, start              ; its arguments are in EAX and EDX
        call    ecx                     ; does not return: start() ends in machine_stop()

; All 4 GB as they are, in pages of 2 MB.
map_identity:
        mov     edi, directories
        mov     eax, LARGE
        mov     ecx, 4 * 512
.next:  mov     [edi], eax
        mov     dword [edi + 4], 0
        add     eax, 2 << 20
        add     edi, 8
        loop    .next
        mov     eax, directories + 1    ; present
        mov     edi, pointer_table
        mov     ecx, 4
.point: mov     [edi], eax
        add     eax, 4096
        add     edi, 8
        loop    .point
        ret

; The image at 0xFFC00000 in pages of 4 KB.
map_image:
        mov     dword [directories + 4 * 4096 - 16], image_tables + SMALL
        mov     dword [directories + 4 * 4096 - 8], image_tables + 4096 + SMALL
        mov     edi, image_tables
        mov     eax, layout_image
        sub     eax, layout_offset
        or      eax, SMALL
        mov     ecx, image_end
        sub     ecx, layout_image
        shr     ecx, 12
.next:  mov     [edi], eax
        add     eax, 4096
        add     edi, 8
        loop    .next
        ret

align 8
flat_gdt:
        dq 0
        dq 0x00CF9B000000FFFF           ; code, base 0, limit 4 GB
        dq 0x00CF93000000FFFF           ; data
flat_gdt_pointer:
        dw $ - flat_gdt - 1
        dd flat_gdt

section .way_in_tables nobits align=4096 write
directories:    resb 4 * 4096
image_tables:   resb 2 * 4096
pointer_table:  resb 32
                resb 992
early_stack_top:

section .bss nobits align=16
                resb 16384
start_stack_top:
