#include "monitor/run/world.h"

#include "kernel/panic.h"
#include "kernel/segments.h"
#include "kernel/x86.h"

#define CROSS __attribute__((naked, used, section(".cross")))

#define AT(field)    [field] "i"(offsetof(struct world_area, field))
#define BELOW(field) [field] "i"(offsetof(struct trap_frame, field))
#define PAGE_MASK    (~(PAGE_SIZE - 1))

void world_leave(void);
void world_nmi(void);

/* Runs at its address in the slot, which both worlds map. The stack is moved first, so that a fault
 * from here on lands in the area and is recognised by the ring it came from. */
CROSS static void world_cross(__attribute__((unused)) struct world_area *area)
{
	__asm__ volatile("pushl %%ebp\n\t"
	                 "pushl %%ebx\n\t"
	                 "pushl %%esi\n\t"
	                 "pushl %%edi\n\t"
	                 "movl %%eax, %%ebx\n\t"
	                 "movl %%esp, %c[host_stack](%%ebx)\n\t"
	                 "leal %c[frame](%%ebx), %%esp\n\t"
	                 "lgdt %c[guest_gdt](%%ebx)\n\t"
	                 "lidt %c[guest_idt](%%ebx)\n\t"
	                 "movl %c[guest_cr3](%%ebx), %%eax\n\t"
	                 "movl %%eax, %%cr3\n\t"
	                 "lldt %c[local_table](%%ebx)\n\t"
	                 "popl %%gs\n\t"
	                 "popl %%fs\n\t"
	                 "popl %%es\n\t"
	                 "popl %%ds\n\t"
	                 "popal\n\t"
	                 "addl $8, %%esp\n\t"
	                 "iretl"
	                 :
	                 : AT(host_stack), AT(frame), AT(guest_gdt), AT(guest_idt), AT(guest_cr3),
	                   AT(local_table));
}

/* The other way, with vector and error code pushed by a stub. A trap that came from ring 0 hit the
 * switch itself. One out of virtual-8086 mode has left a longer frame, and what it says is nobody's
 * but the guest's. */
CROSS void world_leave(void)
{
	__asm__ volatile(
	        "pushal\n\t"
	        "pushl %%ds\n\t"
	        "pushl %%es\n\t"
	        "pushl %%fs\n\t"
	        "pushl %%gs\n\t"
	        "cld\n\t"
	        "movl %%esp, %%esi\n\t"
	        "movl %%esp, %%ebx\n\t"
	        "andl %[page], %%ebx\n\t"
	        "movl %%ss:%c[host_cr3](%%ebx), %%eax\n\t"
	        "movl %%eax, %%cr3\n\t"
	        "lgdt %%ss:%c[host_gdt](%%ebx)\n\t"
	        "lidt %%ss:%c[host_idt](%%ebx)\n\t"
	        "movl %[data], %%eax\n\t"
	        "movl %%eax, %%ds\n\t"
	        "movl %%eax, %%es\n\t"
	        "movl %%eax, %%fs\n\t"
	        "movl %%eax, %%gs\n\t"
	        "movl %%eax, %%ss\n\t"
	        "movl %c[host_stack](%%ebx), %%esp\n\t"
	        "testl %[v86], %c[eflags](%%esi)\n\t"
	        "jnz 2f\n\t"
	        "testb $3, %c[cs](%%esi)\n\t"
	        "jz 1f\n"
	        "3:\n\t"
	        "ljmp %[code], $world_left\n"
	        "1:\n\t"
	        "movl %%esi, %%eax\n\t"
	        "pushl $0\n\t"
	        "ljmp %[code], $world_fault_in_switch\n"
	        "2:\n\t"
	        "movl %[from_v86], %c[vector](%%ebx)\n\t"
	        "jmp 3b"
	        :
	        : AT(host_cr3), AT(host_gdt), AT(host_idt), AT(host_stack), BELOW(cs),
	          BELOW(eflags), [v86] "i"(EFLAGS_VM), [from_v86] "i"(WORLD_FROM_V86),
	          [vector] "i"(offsetof(struct world_area, frame.vector)), [page] "i"(PAGE_MASK),
	          [data] "i"(SEGMENT_DATA), [code] "i"(SEGMENT_CODE));
}

/* An NMI out of the guest goes the way of all interrupts. One in the middle of the switch is for
 * the host's own handler, which touches neither segments nor tables; it runs on the area's stack,
 * with room below whatever is on it. */
CROSS void world_nmi(void)
{
	__asm__ volatile(
	        "testl %[v86], 8(%%esp)\n\t"
	        "jnz 1f\n\t"
	        "testb $3, 4(%%esp)\n\t"
	        "jz 2f\n"
	        "1:\n\t"
	        "pushl $0\n\t"
	        "pushl %[nmi]\n\t"
	        "jmp world_leave\n"
	        "2:\n\t"
	        "pushl %%eax\n\t"
	        "movl %%esp, %%eax\n\t"
	        "andl %[page], %%eax\n\t"
	        "incl %%ss:%c[nmis](%%eax)\n\t" TRAPS_RETURN_FROM_NMI
	        :
	        : AT(nmis), [v86] "i"(EFLAGS_VM), [nmi] "i"(TRAP_NMI), [page] "i"(PAGE_MASK));
}

__attribute__((naked, used)) static void world_left_code(void)
{
	__asm__ volatile("world_left:\n\t"
	                 "popl %%edi\n\t"
	                 "popl %%esi\n\t"
	                 "popl %%ebx\n\t"
	                 "popl %%ebp\n\t"
	                 "ret"
	                 :
	                 :);
}

/* The frame lies in the area's stack, and its esp and ss were not pushed. */
__attribute__((used)) static _Noreturn void world_fault_in_switch(const struct trap_frame *frame)
{
	panic("a fault inside the world switch: vector %u error %x at %x", frame->vector,
	      frame->error, frame->eip);
}

void world_start(struct slot *slot)
{
	struct world_area *area = slot->area;

	slot->cross = slot_cross_address(slot, (const void *)world_cross);
	area->host_cr3 = x86_read_cr3();
	__asm__ volatile("sgdt %0" : "=m"(area->host_gdt));
	__asm__ volatile("sidt %0" : "=m"(area->host_idt));
	area->guest_gdt = (struct table_pointer){0xFFFF, slot->base + SLOT_GDT};
	area->guest_idt = (struct table_pointer){TRAP_VECTORS * sizeof(struct gate) - 1,
	                                         slot->base + SLOT_IDT};
}

bool world_judge(uint32_t vector)
{
	if (vector != WORLD_FROM_V86)
		panic("the world switch came back without a trap");
	return false;
}
