; The loops that are measured, and the handlers that they need.

VECTOR_SYSCALL equ 0x80
KERNEL_CODE    equ 0x08
KERNEL_DATA    equ 0x10

PIC_COMMAND equ 0x20
PIC_MASK    equ 0x21
COM1_STATUS equ 0x3FD
PIC_END_IRQ4 equ 0x64
COM1_IER    equ 0x3F9
COM1_IIR    equ 0x3FA
IER_SENT    equ 2			; interrupt when there is nothing left to send

	section .text
	global loop_on_syscall, loop_on_page_fault, loop_on_divide_error, loop_on_interrupt

; uint32_t NAME(uint32_t times): what stands between LOOP and TURN is done once, before.
%macro LOOP 1
	global %1
	align 16
%1:
	pushad
	mov ecx, [esp + 36]
%endmacro
%macro TURN 0
	align 16
.turn:
%endmacro
%macro END 0
	dec ecx
	jnz .turn
	popad
	ret
%endmacro

	LOOP loop_empty
	TURN
	END

	LOOP loop_syscall
	TURN
	int VECTOR_SYSCALL
	END

	LOOP loop_in
	mov edx, PIC_MASK
	TURN
	in al, dx
	END

	LOOP loop_poll
	TURN
	in al, 0x61
	END

	LOOP loop_ready
	mov edx, COM1_STATUS
	TURN
	in al, dx
	END

	LOOP loop_cr3wr
	mov eax, [loop_root]
	TURN
	mov cr3, eax
	END

	LOOP loop_callret
	TURN
	call .function
	END
.function:
	ret

	LOOP loop_indirect_call
	mov ebx, .function
	TURN
	call ebx
	END
.function:
	ret

	LOOP loop_far_call
	TURN
	call KERNEL_CODE:.function
	END
.function:
	retf

; Both instructions that fault have two bytes: their handlers step over as much.
	LOOP loop_pgfault
	mov esi, [loop_hole]
	TURN
	mov eax, [esi]
	END

; The way to the handler alone. Its baseline comes to the handler with a frame of its own making, in five
; instructions, which are five nops here.
	LOOP loop_pgfault_taken
	mov esi, [loop_hole]
	TURN
	times 5 nop
	mov eax, [esi]
	END

	LOOP loop_pgfault_taken_baseline
	pushfd
	pop ebx
	mov edi, KERNEL_CODE
	TURN
	push ebx
	push edi
	push .back - 2
	push 0
	jmp loop_on_page_fault
.back:
	END

	LOOP loop_divzero
	xor ebx, ebx
	TURN
	div ebx
	END

; The entry maps one of two frames beside each other, in turn: nobody can say that nothing has changed.
	LOOP loop_ptemod
	mov edx, [loop_entry]
	mov eax, [edx]
	TURN
	xor eax, 0x1000
	mov [edx], eax
	END

	LOOP loop_ptemod_baseline
	mov edx, [loop_entry]
	mov eax, [edx]
	TURN
	xor eax, 0x1000
	END

	LOOP loop_remap
	mov edx, [loop_entry]
	mov esi, [loop_page]
	mov eax, [edx]
	TURN
	xor eax, 0x1000
	mov [edx], eax
	invlpg [esi]
	mov ebx, [esi]
	END

	LOOP loop_apic_read
	mov edx, [loop_apic_register]
	TURN
	mov eax, [edx]
	END

	LOOP loop_apic_write
	mov edx, [loop_apic_register]
	mov eax, [edx]
	TURN
	mov [edx], eax
	END

; The value is another one each time.
	LOOP loop_code_store
	TURN
	mov [.data], ecx
	END
	align 64
.data:	dd 0

	LOOP loop_cli_sti
	TURN
	sti
	cli
	END

	LOOP loop_cli
	TURN
	cli
	END

	LOOP loop_clts
	TURN
	clts
	END

	LOOP loop_pushf_popf
	TURN
	pushfd
	popfd
	END

	LOOP loop_iret
	pushfd
	pop ebx
	mov edi, KERNEL_CODE
	TURN
	push ebx
	push edi
	push .back
	iretd
.back:
	END

	LOOP loop_segment_load
	mov eax, KERNEL_DATA
	TURN
	mov es, eax
	END

; What a kernel does between two tasks: registers and stack of the one away, those of the other here.
	LOOP loop_context_switch
	mov esi, second_stack
	mov eax, [loop_root]
	mov edx, [loop_second_root]
	TURN
	push ebp
	xchg esp, esi
	pop ebp
	xchg eax, edx
	mov cr3, eax
	END

; The line's interrupt is asked for, and comes behind the nop.
	LOOP loop_interrupt
	TURN
	mov edx, COM1_IER
	mov eax, IER_SENT
	out dx, al
	sti
	nop
	cli
	END

; The same, and what the handler does but its iret, where the controller keeps the line masked.
	LOOP loop_interrupt_baseline
	TURN
	mov edx, COM1_IER
	mov eax, IER_SENT
	out dx, al
	sti
	nop
	cli
	push eax
	push edx
	mov edx, COM1_IIR
	in al, dx
	dec edx
	xor eax, eax
	out dx, al
	mov al, PIC_END_IRQ4
	out PIC_COMMAND, al
	pop edx
	pop eax
	END

	LOOP loop_straight
	mov esi, scratch
	TURN
	mov eax, [esi]
	add eax, ecx
	mov ebx, eax
	shl ebx, 3
	xor ebx, eax
	lea edx, [ebx + eax * 2]
	mov [esi + 4], edx
	sub edx, 7
	and edx, 0xFFFF
	or edx, eax
	imul edi, edx, 5
	not edi
	mov [esi + 8], edi
	inc eax
	movzx ebx, al
	mov [esi], eax
	END

	align 16
loop_on_page_fault:
	add esp, 4			; the error code
loop_on_divide_error:
	add dword [esp], 2
loop_on_syscall:
	iretd

	align 16
loop_on_interrupt:
	push eax
	push edx
	mov edx, COM1_IIR
	in al, dx
	dec edx
	xor eax, eax
	out dx, al
	mov al, PIC_END_IRQ4
	out PIC_COMMAND, al
	pop edx
	pop eax
	iretd

	section .bss
	alignb 4096
	resb 4092			; room for an interrupt, should one come
second_stack:
	resd 1				; the EBP of the second task
	alignb 64
scratch:
	resd 16
	global loop_apic_register, loop_entry, loop_page, loop_hole, loop_root, loop_second_root
loop_apic_register: resd 1
loop_entry:	resd 1
loop_page:	resd 1
loop_hole:	resd 1
loop_root:	resd 1
loop_second_root: resd 1
