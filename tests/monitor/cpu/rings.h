/* A machine with a GDT, an IDT and task states, without paging: what the tests of monitor/cpu
 * share.
 *
 * It must not know how a load or a transfer works: descriptors are written byte for byte. */
#ifndef TESTS_MONITOR_CPU_RINGS_H
#define TESTS_MONITOR_CPU_RINGS_H

#include "tests/monitor/memory/small_machine.h"

#include "monitor/cpu/events.h"
#include "monitor/cpu/segments.h"
#include "monitor/cpu/tasks.h"
#include "monitor/cpu/transfer.h"

#define AT_GDT        0x1000u
#define AT_LDT        0x2000u
#define AT_IDT        0x3000u
#define AT_TSS        0x4000u
#define AT_TSS_NEXT   0x4100u
#define AT_TSS_NARROW 0x4200u
#define KERNEL_STACK  0x8000u
#define INNER_STACK   0x9000u
#define USER_STACK    0xA000u
#define HANDLER       0x5000u
#define BEGIN         0x0100u

/* Selectors, without RPL. */
enum {
	KERNEL_CODE = 0x08,
	KERNEL_DATA = 0x10,
	USER_CODE = 0x18,
	USER_DATA = 0x20,
	TSS = 0x28,
	TSS_NEXT = 0x30,
	TSS_NARROW = 0x38,
	LDT = 0x40,
	CONFORMING = 0x48,
	READ_ONLY = 0x50,
	EXECUTE_ONLY = 0x58,
	ABSENT_DATA = 0x60,
	ABSENT_CODE = 0x68,
	DOWN = 0x70,
	NARROW_STACK = 0x78,
	CALL_GATE = 0x80,
	CALL_GATE16 = 0x88,
	TASK_GATE = 0x90,
	ABSENT_GATE = 0x98,
	SHORT_CODE = 0xA0,
	FRESH = 0xA8, /* not accessed yet */
	MIDDLE_CODE = 0xB0,
	MIDDLE_DATA = 0xB8,
	USER_GATE = 0xC0, /* to user code: a way outwards */
	ABSENT_STACK = 0xC8,
	KERNEL_GATE = 0xD0, /* DPL 0 */
	ABSENT_TSS = 0xD8,
	USER_ABSENT = 0xE0,
	EMPTY = 0xE8,
	OUTSIDE = 0x100
};

static inline void put_descriptor(struct small_machine *m, uint32_t at, uint32_t base,
                                  uint32_t limit, uint32_t access, uint32_t flags)
{
	small_put32(m, at, (limit & 0xFFFF) | base << 16);
	small_put32(m, at + 4,
	            (base >> 16 & 0xFF) | access << 8 | (limit & 0xF0000) | flags << 20 |
	                    (base & 0xFF000000));
}

static inline void put_gate(struct small_machine *m, uint32_t at, uint32_t selector,
                            uint32_t offset, uint32_t access, uint32_t parameters)
{
	small_put32(m, at, (offset & 0xFFFF) | selector << 16);
	small_put32(m, at + 4, (offset & 0xFFFF0000) | access << 8 | parameters);
}

static inline void put_interrupt(struct small_machine *m, unsigned int vector, uint32_t selector,
                                 uint32_t access)
{
	put_gate(m, AT_IDT + vector * 8, selector, HANDLER, access, 0);
}

#define FLAT 0xFFFFFu
#define WIDE 0xCu /* G, D/B */

static inline void put_table(struct small_machine *m)
{
	static const struct {
		uint16_t selector;
		uint32_t base, limit, access, flags;
	} rows[] = {
	        {KERNEL_CODE, 0, FLAT, 0x9B, WIDE},
	        {KERNEL_DATA, 0, FLAT, 0x93, WIDE},
	        {USER_CODE, 0, FLAT, 0xFB, WIDE},
	        {USER_DATA, 0, FLAT, 0xF3, WIDE},
	        {TSS, AT_TSS, 0x67, 0x8B, 0},
	        {TSS_NEXT, AT_TSS_NEXT, 0x67, 0xE9, 0},
	        {TSS_NARROW, AT_TSS_NARROW, 0x2B, 0x81, 0},
	        {LDT, AT_LDT, 0x1F, 0x82, 0},
	        {CONFORMING, 0, FLAT, 0x9F, WIDE},
	        {READ_ONLY, 0, FLAT, 0xF1, WIDE},
	        {EXECUTE_ONLY, 0, FLAT, 0xF9, WIDE},
	        {ABSENT_DATA, 0, FLAT, 0x73, WIDE},
	        {ABSENT_CODE, 0, FLAT, 0x1B, WIDE},
	        {DOWN, 0, 0xFFF, 0xF7, 0},
	        {NARROW_STACK, 0x20000, 0xFFFF, 0x93, 0},
	        {SHORT_CODE, 0, 0xFF, 0x9B, 4},
	        {FRESH, 0x1234, 0xFFFF, 0xF2, 4},
	        {MIDDLE_CODE, 0, FLAT, 0xBB, WIDE},
	        {MIDDLE_DATA, 0, FLAT, 0xB3, WIDE},
	        {ABSENT_STACK, 0, FLAT, 0x13, WIDE},
	        {ABSENT_TSS, AT_TSS_NEXT, 0x67, 0x69, 0},
	        {USER_ABSENT, 0, FLAT, 0x7B, WIDE},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_descriptor(m, AT_GDT + rows[i].selector, rows[i].base, rows[i].limit,
		               rows[i].access, rows[i].flags);
	put_gate(m, AT_GDT + CALL_GATE, KERNEL_CODE, HANDLER, 0xEC, 2);
	put_gate(m, AT_GDT + CALL_GATE16, KERNEL_CODE, HANDLER, 0xE4, 1);
	put_gate(m, AT_GDT + TASK_GATE, TSS_NEXT, 0, 0xE5, 0);
	put_gate(m, AT_GDT + ABSENT_GATE, KERNEL_CODE, HANDLER, 0x6C, 0);
	put_gate(m, AT_GDT + USER_GATE, USER_CODE, HANDLER, 0xEC, 0);
	put_gate(m, AT_GDT + KERNEL_GATE, KERNEL_CODE, HANDLER, 0x8C, 0);
}

/* A loaded register without going through a load. */
static inline void set_segment(struct small_machine *m, struct vcpu_segment_register *to,
                               uint16_t selector)
{
	struct segments_descriptor descriptor = {small_get32(m, AT_GDT + (selector & ~7u)),
	                                         small_get32(m, AT_GDT + (selector & ~7u) + 4)};
	*to = segments_unpack(selector, descriptor);
}

static inline void set_ring(struct small_machine *m, uint8_t level, uint16_t code, uint16_t data,
                            uint32_t esp)
{
	struct vcpu *vcpu = &m->vm.vcpu;

	vcpu->cpl = level;
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		set_segment(m, &vcpu->segments[i], i == VCPU_CS ? code : data);
	vcpu->registers[VCPU_ESP] = esp;
	vcpu->eip = BEGIN;
	vcpu->instruction_eip = BEGIN;
}

/* In ring 0, with the stacks of rings 0 and 1 in the TSS. */
static inline struct vcpu *start_kernel(struct small_machine *m)
{
	struct vcpu *vcpu = small_start(m);

	put_table(m);
	vcpu->gdtr = (struct vcpu_table){AT_GDT, EMPTY + 7};
	vcpu->idtr = (struct vcpu_table){AT_IDT, 0x40 * 8 - 1};
	set_segment(m, &vcpu->tr, TSS);
	small_put32(m, AT_TSS + 4, INNER_STACK);
	small_put32(m, AT_TSS + 8, KERNEL_DATA);
	small_put32(m, AT_TSS + 12, INNER_STACK);
	small_put32(m, AT_TSS + 16, MIDDLE_DATA | 1);
	set_ring(m, 0, KERNEL_CODE, KERNEL_DATA, KERNEL_STACK);
	return vcpu;
}

static inline struct vcpu *start_user(struct small_machine *m)
{
	struct vcpu *vcpu = start_kernel(m);

	set_ring(m, 3, USER_CODE | 3, USER_DATA | 3, USER_STACK);
	return vcpu;
}

static inline struct vcpu *start_v86(struct small_machine *m, uint32_t iopl)
{
	struct vcpu *vcpu = start_kernel(m);

	vcpu->eflags |= VCPU_EFLAGS_VM | iopl << 12;
	vcpu->cpl = 3;
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		segments_load_v86(vcpu, (enum vcpu_segment)i, (uint16_t)(0x1000 + i));
	vcpu->registers[VCPU_ESP] = 0x100;
	vcpu->eip = BEGIN;
	vcpu->instruction_eip = BEGIN;
	return vcpu;
}

/* That a transfer that has faulted has changed nothing. */
#define CHECK_UNCHANGED(vcpu, before)                                                           \
	do {                                                                                    \
		(before).event = (vcpu)->event;                                                 \
		CHECK_EQ((vcpu)->eip, (before).eip);                                            \
		CHECK_EQ((vcpu)->registers[VCPU_ESP], (before).registers[VCPU_ESP]);            \
		CHECK_EQ((vcpu)->eflags, (before).eflags);                                      \
		CHECK_EQ((vcpu)->cpl, (before).cpl);                                            \
		CHECK_EQ((vcpu)->tr.selector, (before).tr.selector);                            \
		CHECK(!memcmp((vcpu)->segments, (before).segments, sizeof((before).segments))); \
	} while (0)

#endif
