; Into a case, and out of it by whatever trap ends it.

	section .bss
kept_esp:
	resd 1

	section .text
	global case_enter
	global case_leave

; struct trap_frame *case_enter(const void *frame): ESP becomes the argument, which is what `popad`
; and `iret` want behind four segment registers. Returns when somebody calls case_leave.
case_enter:
	mov eax, [esp + 4]
	push ebp
	push ebx
	push esi
	push edi
	mov [kept_esp], esp
	mov esp, eax
	pop gs
	pop fs
	pop es
	pop ds
	popad
	iretd

; void case_leave(struct trap_frame *frame): case_enter returns the argument. The stack of the case
; is left as it is.
case_leave:
	mov eax, [esp + 4]
	mov esp, [kept_esp]
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret
