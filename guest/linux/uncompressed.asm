; The protected-mode part of a bzImage that has its kernel not packed (tools/make-uncompressed): says on port 0xE9 when
; it was reached, and goes on where the kernel's own unpacking would have gone. ESI is the boot parameters' address and stays.
bits 32
org 0x100000

PORT_E9 equ 0xE9

start:
        mov esp, stack_end
        rdtsc
        mov ebx, eax
        mov ebp, edx
        mov edi, begin
        call say
        mov eax, ebp
        call say_number
        mov eax, ebx
        call say_number
        mov edi, line_end
        call say
        mov eax, 0x1000000
        jmp eax

; The text at edi, up to its zero.
say:    mov al, [edi]
        inc edi
        test al, al
        jz .end
        out PORT_E9, al
        jmp say
.end:   ret

; eax as eight hexadecimal digits
say_number:
        mov edx, eax
        mov ecx, 8
.digit: rol edx, 4
        mov al, dl
        and al, 15
        cmp al, 10
        sbb al, 0x69
        das
        out PORT_E9, al
        loop .digit
        ret

begin:    db "begin boot 0x", 0
line_end: db 10, 0

align 16
        times 64 db 0
stack_end:
