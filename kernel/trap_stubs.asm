; The 256 ways in: each makes one struct trap_frame and calls trap_dispatch(frame).

extern trap_dispatch

%include "kernel/vectors.inc"

SEGMENT_DATA equ 0x10

section .text
%assign vector 0
%rep 256
stub_ %+ vector:
%if !HAS_ERROR(vector)
        push    dword 0
%endif
        push    dword vector
        jmp     enter
%assign vector vector + 1
%endrep

enter:
        pushad
        push    ds
        push    es
        push    fs
        push    gs
        mov     eax, SEGMENT_DATA
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        cld
        mov     eax, esp                ; the frame
        call    trap_dispatch
        pop     gs
        pop     fs
        pop     es
        pop     ds
        popad
        add     esp, 8
        iretd

section .rodata
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
        dd      stub_ %+ vector
%assign vector vector + 1
%endrep
