; From one task's kernel stack to another's.

	section .text
	global task_switch

; void task_switch(uint32_t *old_esp, uint32_t new_esp)
; What the C calling convention lets a function change needs no saving.
task_switch:
	mov eax, [esp + 4]
	mov edx, [esp + 8]
	push ebp
	push ebx
	push esi
	push edi
	mov [eax], esp
	mov esp, edx
	pop edi
	pop esi
	pop ebx
	pop ebp
	ret
