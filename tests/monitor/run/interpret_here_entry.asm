; The part of interpret_here.c that C cannot say: entry, system calls, and the floating-point unit.

bits 32
global _start, system_call, unit_call
extern interpret_here

section .text

_start: mov     eax, esp                ; argc, then argv
        and     esp, -16
        call    interpret_here
        mov     ebx, eax
        mov     eax, 1
        int     0x80

; system_call(number, a, b, c, d, e, f)
system_call:
        push    ebx
        push    esi
        push    edi
        push    ebp
        mov     eax, [esp + 20]
        mov     ebx, [esp + 24]
        mov     ecx, [esp + 28]
        mov     edx, [esp + 32]
        mov     esi, [esp + 36]
        mov     edi, [esp + 40]
        mov     ebp, [esp + 44]
        int     0x80
        pop     ebp
        pop     edi
        pop     esi
        pop     ebx
        ret

; unit_call(code, registers, flags, state): the registers in the order of their encodings, ESP unused
unit_call:
        pushad
        mov     eax, [esp + 48]
        fxrstor [eax]
        mov     edx, [esp + 44]
        push    dword [edx]
        popfd
        mov     ebp, [esp + 36]
        push    ebp
        mov     eax, [esp + 44]
        mov     ecx, [eax + 4]
        mov     edx, [eax + 8]
        mov     ebx, [eax + 12]
        mov     ebp, [eax + 20]
        mov     esi, [eax + 24]
        mov     edi, [eax + 28]
        mov     eax, [eax]
        call    [esp]
        lea     esp, [esp + 4]          ; the flags are the instruction's
        push    eax
        pushfd
        mov     eax, [esp + 52]
        pop     dword [eax]
        mov     eax, [esp + 44]
        pop     dword [eax]
        mov     eax, [esp + 48]
        fxsave  [eax]
        popad
        ret

section .note.GNU-stack noalloc noexec nowrite progbits
