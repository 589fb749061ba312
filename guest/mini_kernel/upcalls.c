#include "guest/mini_kernel/upcalls.h"

#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/mini_kernel/counters.h"

/* The flags that a program may give itself; the rest stays as the kernel has it. */
#define PROGRAM_FLAGS 0x00000CD5u

struct upcall_registers {
	uint32_t edi, esi, ebp, ebx, edx, ecx, eax, eip, eflags, esp;
};

void upcall_deliver(struct task *task, struct trap_frame *f)
{
	if (!task->upcalls_due || task->in_upcall || !task->upcall)
		return;
	struct upcall_registers saved = {f->edi, f->esi, f->ebp, f->ebx,    f->edx,
	                                 f->ecx, f->eax, f->eip, f->eflags, f->esp};
	uint32_t at = f->esp - sizeof(saved);
	if (!space_allows(&task->space, at - sizeof(uint32_t), sizeof(saved) + sizeof(uint32_t),
	                  true))
		task_exit((uint32_t)-1);
	memcpy((void *)(uintptr_t)at, &saved, sizeof(saved));
	/* The function's argument: where the registers lie. */
	at -= sizeof(uint32_t);
	*(uint32_t *)(uintptr_t)at = at + sizeof(uint32_t);
	f->esp = at;
	f->eip = task->upcall;
	f->eflags &= ~EFLAGS_DF;
	task->upcalls_due--;
	task->in_upcall = true;
	counters.upcalls++;
}

bool upcall_resume(struct task *task, struct trap_frame *f, uint32_t at)
{
	struct upcall_registers saved;
	if (!task->in_upcall || !space_allows(&task->space, at, sizeof(saved), false))
		return false;
	memcpy(&saved, (const void *)(uintptr_t)at, sizeof(saved));
	f->edi = saved.edi, f->esi = saved.esi, f->ebp = saved.ebp, f->ebx = saved.ebx;
	f->edx = saved.edx, f->ecx = saved.ecx, f->eax = saved.eax;
	f->eip = saved.eip, f->esp = saved.esp;
	f->eflags = (f->eflags & ~PROGRAM_FLAGS) | (saved.eflags & PROGRAM_FLAGS);
	task->in_upcall = false;
	return true;
}
