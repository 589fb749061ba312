/* A machine of one megabyte that runs bytes: flat segments for rings 0 and 3, an IDT whose handlers
 * are told apart by their address, a task state with a stack for ring 0.
 *
 * A test writes code at RUN_CODE, steps, and looks at registers and memory. */
#ifndef TESTS_MONITOR_INSTRUCTIONS_RUN_BYTES_H
#define TESTS_MONITOR_INSTRUCTIONS_RUN_BYTES_H

#include "tests/monitor/memory/small_machine.h"

#include "monitor/cpu/segments.h"
#include "monitor/devices/bus.h"
#include "monitor/instructions/interpret.h"

#define RUN_GDT      0x01000u
#define RUN_IDT      0x02000u
#define RUN_TASK     0x03000u
#define RUN_TABLES   0x04000u /* a page directory, and a page table behind it */
#define RUN_HANDLERS 0x08000u /* 16 bytes for each vector */
#define RUN_CODE     0x10000u
#define RUN_DATA     0x20000u
#define RUN_STACK    0x30000u /* where the stack of the code begins, downwards */
#define RUN_STACK0   0x38000u /* the one for ring 0 in the task state */

#define RUN_CODE0  0x08
#define RUN_DATA0  0x10
#define RUN_CODE3  0x1B
#define RUN_DATA3  0x23
#define RUN_TSS    0x28
#define RUN_CODE16 0x30
#define RUN_SMALL  0x38 /* data of ring 0, a page from RUN_DATA */
#define RUN_RONLY  0x40 /* the same, read only */

static struct small_machine run_machine;
static struct bus run_bus;

static inline uint64_t run_time(const struct vm *vm)
{
	return vm->vcpu.instructions;
}

static inline void run_descriptor(unsigned int selector, uint32_t base, uint32_t limit,
                                  uint32_t attributes)
{
	uint32_t at = RUN_GDT + (selector & ~7u);

	small_put32(&run_machine, at, base << 16 | (limit & 0xFFFF));
	small_put32(&run_machine, at + 4,
	            (base & 0xFF000000) | (base >> 16 & 0xFF) | (limit & 0xF0000) |
	                    attributes << 8);
}

static inline void run_tables(struct vcpu *vcpu)
{
	run_descriptor(RUN_CODE0, 0, 0xFFFFF, 0xC09B);
	run_descriptor(RUN_DATA0, 0, 0xFFFFF, 0xC093);
	run_descriptor(RUN_CODE3, 0, 0xFFFFF, 0xC0FB);
	run_descriptor(RUN_DATA3, 0, 0xFFFFF, 0xC0F3);
	run_descriptor(RUN_TSS, RUN_TASK, 103, 0x0089);
	run_descriptor(RUN_CODE16, RUN_CODE, 0xFFFF, 0x009B);
	run_descriptor(RUN_SMALL, RUN_DATA, 0xFFF, 0x4093);
	run_descriptor(RUN_RONLY, RUN_DATA, 0xFFF, 0x4091);
	for (uint32_t vector = 0; vector < 256; vector++) {
		uint32_t handler = RUN_HANDLERS + vector * 16;
		small_put32(&run_machine, RUN_IDT + vector * 8,
		            RUN_CODE0 << 16 | (handler & 0xFFFF));
		small_put32(&run_machine, RUN_IDT + vector * 8 + 4,
		            (handler & 0xFFFF0000) | 0x8E00);
	}
	small_put32(&run_machine, RUN_TASK + 4, RUN_STACK0);
	small_put32(&run_machine, RUN_TASK + 8, RUN_DATA0);
	small_put32(&run_machine, RUN_TASK + 100, 104u << 16);
	vcpu->gdtr = (struct vcpu_table){RUN_GDT, 0xFF};
	vcpu->idtr = (struct vcpu_table){RUN_IDT, 0x7FF};
}

static inline void run_set_segment(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector)
{
	struct segments_descriptor descriptor;

	memcpy(&descriptor, run_machine.ram + RUN_GDT + (selector & ~7u), sizeof(descriptor));
	vcpu->segments[segment] = segments_unpack(selector, descriptor);
}

static inline void run_set_ring(struct vcpu *vcpu, unsigned int ring)
{
	run_set_segment(vcpu, VCPU_CS, ring ? RUN_CODE3 : RUN_CODE0);
	for (int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS)
			run_set_segment(vcpu, (enum vcpu_segment)i, ring ? RUN_DATA3 : RUN_DATA0);
	vcpu->cpl = (uint8_t)ring;
}

/* Ring 0, and every register with a value of its own. */
static inline struct vcpu *run_start(void)
{
	struct vcpu *vcpu = small_start(&run_machine);

	memset(&run_bus, 0, sizeof(run_bus));
	run_machine.vm.bus = &run_bus;
	run_machine.vm.read_time = run_time;
	run_machine.vm.read_tsc = run_time;
	run_tables(vcpu);
	segments_load_task(vcpu, RUN_TSS);
	run_set_ring(vcpu, 0);
	for (uint32_t i = 0; i < VCPU_REGISTERS; i++)
		vcpu->registers[i] = 0x11111111 * (i + 1);
	vcpu->registers[VCPU_ESP] = RUN_STACK;
	vcpu->eip = RUN_CODE;
	return vcpu;
}

/* Maps the first megabyte one to one, for every ring and to be written. */
static inline void run_paging(struct vcpu *vcpu)
{
	small_put32(&run_machine, RUN_TABLES, (RUN_TABLES + 0x1000) | BITS_ALL);
	for (uint32_t page = 0; page < 256; page++)
		small_put32(&run_machine, RUN_TABLES + 0x1000 + page * 4, page << 12 | BITS_ALL);
	vcpu->cr3 = RUN_TABLES;
	vcpu->cr0 |= VCPU_CR0_PG | VCPU_CR0_WP;
}

static inline void run_change_page(struct vcpu *vcpu, uint32_t at, uint32_t bits)
{
	small_put32(&run_machine, RUN_TABLES + 0x1000 + at / 4096 * 4, (at & ~4095u) | bits);
	linear_flush(vcpu, true);
}

#define RUN_PUT(at, ...)                                                  \
	do {                                                              \
		const uint8_t run_put[] = {__VA_ARGS__};                  \
		memcpy(run_machine.ram + (at), run_put, sizeof(run_put)); \
	} while (0)

/* Writes the bytes at RUN_CODE and does one step from there. */
#define RUN(vcpu, ...) (run_write(__VA_ARGS__), (vcpu)->eip = RUN_CODE, interpret_step(vcpu))
#define run_write(...) \
	run_write_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void run_write_bytes(const uint8_t *bytes, size_t size)
{
	memcpy(run_machine.ram + RUN_CODE, bytes, size);
}

/* Whether the last step has delivered exactly this fault, from `eip`. An error code of -1: none. */
static inline bool run_faulted(struct vcpu *vcpu, unsigned int vector, int64_t error, uint32_t eip)
{
	uint32_t frame = vcpu->registers[VCPU_ESP];
	bool good = vcpu->eip == RUN_HANDLERS + vector * 16;

	if (error >= 0) {
		good = good && small_get32(&run_machine, frame) == (uint32_t)error;
		frame += 4;
	}
	return good && small_get32(&run_machine, frame) == eip;
}

#endif
