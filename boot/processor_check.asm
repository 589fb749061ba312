; Is this processor one that Ringfence can run on at all?
;
; Runs before paging, on any processor since the 386, and touches nothing that an old one lacks.
; It returns when everything is there; else it says what is missing and stops.

COM1 equ 0x3F8
COM2 equ 0x2F8

CPUID_FPU  equ 1 << 0
CPUID_TSC  equ 1 << 4
CPUID_MSR  equ 1 << 5
CPUID_PAE  equ 1 << 6
CPUID_CX8  equ 1 << 8

section .way_in exec
global processor_check
processor_check:
        pushfd                          ; CPUID exists when EFLAGS.ID can be changed
        pop     eax
        mov     ecx, eax
        xor     eax, 1 << 21
        push    eax
        popfd
        pushfd
        pop     eax
        xor     eax, ecx
        mov     esi, no_cpuid
        test    eax, 1 << 21
        jz      processor_refuse

        xor     eax, eax
        cpuid
        mov     esi, no_cpuid
        test    eax, eax
        jz      processor_refuse
        mov     eax, 1
        cpuid
        shr     eax, 8
        and     eax, 15
        mov     esi, no_family
        cmp     eax, 5
        jb      processor_refuse

        mov     edi, needed
.next:  mov     eax, [edi]
        test    eax, eax
        jz      .good
        mov     esi, [edi + 4]
        add     edi, 8
        test    edx, eax
        jnz     .next
        jmp     processor_refuse
.good:  ret

needed: dd CPUID_FPU, no_fpu, CPUID_TSC, no_tsc, CPUID_MSR, no_msr
        dd CPUID_CX8, no_cx8, CPUID_PAE, no_pae, 0

%macro sentence 2
%1:     db "ringfence: error processor: this processor ", %2
        db "; Ringfence needs family 5 or later with FPU, TSC, MSR, CX8 and PAE.", 13, 10, 0
%endmacro
sentence no_cpuid,  "has no CPUID instruction"
sentence no_family, "is older than family 5"
sentence no_fpu,    "has no FPU"
sentence no_tsc,    "has no time-stamp counter (TSC)"
sentence no_msr,    "has no model-specific registers (MSR)"
sentence no_cx8,    "has no CMPXCHG8B (CX8)"
sentence no_pae,    "has no physical address extension (PAE)"
ended:  db "ringfence: info vm0: ended reason=processor status=2", 13, 10, 0

; ESI: the sentence.
processor_refuse:
        mov     dx, COM1
        call    serial_open
        mov     dx, COM2
        call    serial_open
        mov     edi, 0xB8000
        call    screen_clear
        mov     ebx, esi
        mov     edi, 0xB8000
        call    screen_say
        mov     dx, COM1
        call    serial_say
        mov     dx, COM2
        call    serial_say
        mov     ebx, ended
        call    serial_say
.stop:  hlt
        jmp     .stop

; DX: the port's base. 115200 baud, 8 bits, no parity, FIFO on.
serial_open:
        push    esi
        mov     esi, serial_setup
        mov     ecx, 7
.next:  movzx   eax, byte [esi]
        push    edx
        add     dx, ax
        mov     al, [esi + 1]
        out     dx, al
        pop     edx
        add     esi, 2
        loop    .next
        pop     esi
        ret

serial_setup: db 1,0, 3,0x80, 0,1, 1,0, 3,3, 2,7, 4,3

; EBX: text, DX: the port's base. A port that is not there is given up after a while.
serial_say:
        push    ebx
.next:  mov     ecx, 100000
        push    edx
        add     dx, 5
.wait:  in      al, dx
        test    al, 0x20
        jnz     .ready
        loop    .wait
.ready: pop     edx
        mov     al, [ebx]
        test    al, al
        jz      .done
        out     dx, al
        inc     ebx
        jmp     .next
.done:  pop     ebx
        ret

screen_clear:
        mov     eax, 0x07200720
        mov     ecx, 80 * 25 / 2
        rep stosd
        ret

; EBX: text, EDI: where on the screen.
screen_say:
        push    ebx
        mov     ah, 0x4F
.next:  mov     al, [ebx]
        cmp     al, ' '
        jb      .done
        stosw
        inc     ebx
        jmp     .next
.done:  pop     ebx
        ret
