; The 256 ways out of the guest world: each makes one struct trap_frame and goes on in world_leave.
;
; Every stub has the same length, so that the gates can be computed for wherever the slot lies.

%include "kernel/vectors.inc"

extern world_leave
extern world_nmi

section .cross exec progbits alloc align=4096
global world_stubs
world_stubs:
%assign vector 0
%rep 256
        align   16
%if vector == 2
        jmp     strict near world_nmi
%else
%if !HAS_ERROR(vector)
        push    dword 0
%endif
        push    strict dword vector
        jmp     strict near world_leave
%endif
%assign vector vector + 1
%endrep
