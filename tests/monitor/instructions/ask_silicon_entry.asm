; The part of ask_silicon.c that C cannot say: entry, system calls, and running one instruction.

bits 32
global _start, system_call, run_instruction, run_resume, signal_restorer
global run_target, run_stack, run_saved_stack, memcpy, memset
extern ask_silicon

section .text

_start: call    ask_silicon
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

; Runs what is at run_target with the trap flag set and all registers zero. Whatever comes of it is a
; signal, whose handler goes on at run_resume.
run_instruction:
        pushad
        mov     [run_saved_stack], esp
        mov     esp, [run_stack]
        pushfd
        or      dword [esp], 0x100
        push    cs
        push    dword [run_target]
        xor     eax, eax
        xor     ebx, ebx
        xor     ecx, ecx
        xor     edx, edx
        xor     esi, esi
        xor     edi, edi
        xor     ebp, ebp
        iretd
run_resume:
        mov     esp, [run_saved_stack]
        popad
        cld
        ret

signal_restorer:
        mov     eax, 173                ; rt_sigreturn
        int     0x80

; What the compiler calls for structures.
memcpy: push    esi
        push    edi
        mov     edi, [esp + 12]
        mov     esi, [esp + 16]
        mov     ecx, [esp + 20]
        mov     eax, edi
        rep movsb
        pop     edi
        pop     esi
        ret

memset: push    edi
        mov     edi, [esp + 8]
        mov     eax, [esp + 12]
        mov     ecx, [esp + 16]
        rep stosb
        mov     eax, [esp + 8]
        pop     edi
        ret

section .bss
run_target:      resd 1
run_stack:       resd 1
run_saved_stack: resd 1

section .note.GNU-stack noalloc noexec nowrite progbits
