; Asks a real processor what the decimal instructions do: each with every AX and every C and A, and
; AAM and AAD with the bases 10 and 7. Prints one hash of all results and defined flags a line;
; test_alu.c has them. These instructions are gone in 64-bit mode, so this is a 32-bit program:
;
;   nasm -f elf32 bcd_on_silicon.asm -o bcd.o && ld -m elf_i386 bcd.o -o bcd && ./bcd

bits 32
global _start

FLAGS_DAA equ 0xD5                      ; S Z A P C
FLAGS_AAA equ 0x11                      ; A C
FLAGS_AAM equ 0xC4                      ; S Z P

; %1: the flags that are defined; the rest: the instruction.
%macro ask 2+
        mov     edi, 0x811C9DC5
        xor     esi, esi                ; AX, and above it C (bit 16) and A (bit 17)
%%next: mov     ecx, esi
        shr     ecx, 16
        mov     eax, ecx
        and     eax, 1
        and     ecx, 2
        shl     ecx, 3
        or      eax, ecx
        or      eax, 2
        push    eax
        popfd
        mov     eax, esi                ; moves change no flags
        movzx   eax, ax
        %2
        pushfd
        pop     edx
        and     edx, %1
        shl     edx, 16
        movzx   eax, ax
        or      eax, edx
        rol     edi, 5
        xor     edi, eax
        imul    edi, edi, 16777619
        inc     esi
        cmp     esi, 4 << 16
        jb      %%next
        call    print
%endmacro

_start: ask     FLAGS_DAA, daa
        ask     FLAGS_DAA, das
        ask     FLAGS_AAA, aaa
        ask     FLAGS_AAA, aas
        ask     FLAGS_AAM, aam
        ask     FLAGS_AAM, aam 7
        ask     FLAGS_AAM, aad
        ask     FLAGS_AAM, aad 7
        mov     eax, 1
        xor     ebx, ebx
        int     0x80

print:  mov     ecx, 8
.digit: rol     edi, 4
        mov     eax, edi
        and     eax, 15
        mov     al, [digits + eax]
        mov     edx, line
        mov     ebx, 8
        sub     ebx, ecx
        mov     [edx + ebx], al
        loop    .digit
        mov     eax, 4
        mov     ebx, 1
        mov     ecx, line
        mov     edx, 9
        int     0x80
        ret

section .data
digits: db "0123456789abcdef"
line:   db "01234567", 10
