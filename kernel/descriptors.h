/* The segment, gate and task-state structures as the processor reads them.
 *
 * Shapes and constants only: who fills them in is somebody else's affair. */
#ifndef KERNEL_DESCRIPTORS_H
#define KERNEL_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

struct descriptor {
	uint16_t limit_low;
	uint16_t base_low;
	uint8_t base_middle;
	uint8_t access;
	uint8_t limit_high_and_flags;
	uint8_t base_high;
};
_Static_assert(sizeof(struct descriptor) == 8, "a segment descriptor");
_Static_assert(offsetof(struct descriptor, access) == 5, "a segment descriptor");

#define DESCRIPTOR_CODE     0x9B /* present, DPL 0, readable, accessed */
#define DESCRIPTOR_DATA     0x93 /* present, DPL 0, writable, accessed */
#define DESCRIPTOR_TSS      0x89 /* present, DPL 0, available 32-bit task state */
#define DESCRIPTOR_TSS_BUSY 0x8B
#define DESCRIPTOR_LDT      0x82 /* present, DPL 0 */
#define DESCRIPTOR_32BIT    0x40
#define DESCRIPTOR_GRANULAR 0x80

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t zero;
	uint8_t type;
	uint16_t offset_high;
};
_Static_assert(sizeof(struct gate) == 8, "a gate");
_Static_assert(offsetof(struct gate, type) == 5, "a gate");

#define GATE_INTERRUPT 0x8E /* present, DPL 0 */
#define GATE_TASK      0x85

struct task_state {
	uint32_t link;
	uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
	uint32_t cr3;
	uint32_t eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs;
	uint32_t ldt;
	uint16_t trap;
	uint16_t io_map;
};
_Static_assert(sizeof(struct task_state) == 104, "a 32-bit task state");
_Static_assert(offsetof(struct task_state, cr3) == 28, "a 32-bit task state");
_Static_assert(offsetof(struct task_state, es) == 72, "a 32-bit task state");
_Static_assert(offsetof(struct task_state, io_map) == 102, "a 32-bit task state");

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));
_Static_assert(sizeof(struct table_pointer) == 6, "what lgdt and lidt take");

static inline struct descriptor descriptor_make(uint32_t base, uint32_t limit, uint8_t access,
                                                uint8_t flags)
{
	return (struct descriptor){
	        .limit_low = (uint16_t)limit,
	        .base_low = (uint16_t)base,
	        .base_middle = (uint8_t)(base >> 16),
	        .access = access,
	        .limit_high_and_flags = (uint8_t)(((limit >> 16) & 15) | flags),
	        .base_high = (uint8_t)(base >> 24),
	};
}

#endif
