; One stub for each vector. Together they give every trap the same frame (struct trap_frame).

	section .text
	global trap_return
	extern trap_dispatch

; The vectors for which the processor itself pushes an error code.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

%macro TRAP_STUB 1
	align 16
trap_stub_%1:
  %if !HAS_ERROR_CODE(%1)
	push dword 0
  %endif
	push dword %1
	jmp trap_common
%endmacro

%assign vector 0
%rep 256
	TRAP_STUB vector
  %assign vector vector + 1
%endrep

	align 16
trap_common:
	pushad
	push ds
	push es
	push fs
	push gs
	mov eax, 0x10			; ring 0's flat data segment
	mov ds, eax
	mov es, eax
	cld
	push esp			; the frame
	call trap_dispatch
	add esp, 4
trap_return:				; ESP points to a frame
	pop gs
	pop fs
	pop es
	pop ds
	popad
	add esp, 8			; vector and error code
	iretd

	section .rodata
	global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
	dd trap_stub_ %+ vector
  %assign vector vector + 1
%endrep
