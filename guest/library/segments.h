/*
 * The guest's GDT and TSS: flat code and data for each of the four rings, and free slots
 * at the end that a test may fill. Every ring has its stack.
 */
#pragma once

#include <stdint.h>

#define SEGMENT_SLOTS      32
#define SEGMENT_FIRST_FREE 12

/* Selectors of the flat segments, with the ring as their RPL. */
#define SEGMENT_CODE(ring) ((uint16_t)((8 + 16 * (ring)) | (ring)))
#define SEGMENT_DATA(ring) ((uint16_t)((16 + 16 * (ring)) | (ring)))
#define SEGMENT_TSS        ((uint16_t)(9 * 8))

/* The selector of a free slot: 0 <= n < SEGMENT_SLOTS - SEGMENT_FIRST_FREE. */
#define SEGMENT_FREE(n) ((uint16_t)((SEGMENT_FIRST_FREE + (n)) * 8))

/* The access byte of a descriptor. */
#define ACCESS_PRESENT     0x80
#define ACCESS_DPL(ring)   ((ring) << 5)
#define ACCESS_MEMORY      0x10
#define ACCESS_CODE        0x08
#define ACCESS_CONFORMING  0x04
#define ACCESS_READABLE    0x02
#define ACCESS_EXPAND_DOWN 0x04
#define ACCESS_WRITABLE    0x02
#define ACCESS_ACCESSED    0x01
#define ACCESS_LDT         0x02
#define ACCESS_TASK_GATE   0x05
#define ACCESS_TSS         0x09
#define ACCESS_TSS_BUSY    0x0B
#define ACCESS_CALL_GATE   0x0C
#define ACCESS_INTERRUPT   0x0E
#define ACCESS_TRAP        0x0F

/* The flag bits above the limit. */
#define FLAG_BIG   0x4
#define FLAG_PAGES 0x8

struct segment_descriptor {
	uint16_t limit_low;
	uint16_t base_low;
	uint8_t base_middle;
	uint8_t access;
	uint8_t limit_high_flags;
	uint8_t base_high;
} __attribute__((packed, aligned(8)));
_Static_assert(sizeof(struct segment_descriptor) == 8, "segment descriptor");

struct segment_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t parameters;
	uint8_t access;
	uint16_t offset_high;
} __attribute__((packed, aligned(8)));
_Static_assert(sizeof(struct segment_gate) == 8, "gate descriptor");

struct segment_tss {
	uint32_t link;
	struct {
		uint32_t esp, ss;
	} stack[3];
	uint32_t cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs;
	uint32_t ldt;
	uint16_t trap;
	uint16_t io_map;
};
_Static_assert(sizeof(struct segment_tss) == 104, "32-bit task state segment");
_Static_assert(__builtin_offsetof(struct segment_tss, cr3) == 28, "task state: CR3");
_Static_assert(__builtin_offsetof(struct segment_tss, io_map) == 102, "task state: I/O map");

struct segment_table_register {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));
_Static_assert(sizeof(struct segment_table_register) == 6, "GDTR and IDTR image");

/* The task's state, followed by its I/O bitmap; all ports are closed at first. */
struct segment_task {
	struct segment_tss tss;
	uint8_t io_bitmap[8192];
	uint8_t io_bitmap_end;
};

extern struct segment_descriptor segment_table[SEGMENT_SLOTS];
extern struct segment_task segment_task;

/* Loads GDT, segment registers and the task register. */
void segments_init(void);

/* What GDTR holds since then: known, not asked for, since not every machine tells the truth. */
struct segment_table_register segments_gdtr(void);

struct segment_descriptor segment_make(uint32_t base, uint32_t limit, unsigned access,
                                       unsigned flags);
struct segment_gate segment_make_gate(uint16_t selector, uint32_t offset, unsigned access,
                                      unsigned parameters);

/* Puts a descriptor or a gate into the slot of a selector of the GDT. */
void segment_set(uint16_t selector, struct segment_descriptor descriptor);
void segment_set_gate(uint16_t selector, struct segment_gate gate);

/* The top of the stack that code of a ring starts on when segment_stack_top's caller enters it. */
uint32_t segment_stack_top(unsigned ring);
