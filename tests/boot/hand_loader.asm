; A boot loader for tests: it hands Ringfence whatever information a test has made up.
;
; A Multiboot 1 kernel by address fields, far above what it loads. Its one module is a list made
; by tests/boot/hand_loader.py: EAX, EBX, the entry point, how many pieces, and for each piece its
; address, its length in bytes (a multiple of 4) and the bytes.

bits 32
org 0x4000000

MAGIC equ 0x1BADB002
FLAGS equ 1 << 16 | 1                   ; address fields; modules on page boundaries

header:
        dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, end, end, start

start:
        cli
        cld
        mov     esi, [ebx + 24]         ; the list of modules
        mov     esi, [esi]              ; where the first one starts
        lodsd
        mov     [final_eax], eax
        lodsd
        mov     [final_ebx], eax
        lodsd
        mov     [entry], eax
        lodsd
        mov     edx, eax
.piece: test    edx, edx
        jz      .go
        lodsd
        mov     edi, eax
        lodsd
        mov     ecx, eax
        shr     ecx, 2
        rep movsd
        dec     edx
        jmp     .piece
.go:    mov     eax, [final_eax]
        mov     ebx, [final_ebx]
        jmp     [entry]

final_eax: dd 0
final_ebx: dd 0
entry:     dd 0
end:
