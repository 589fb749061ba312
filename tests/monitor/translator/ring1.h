/* Two machines with the same guest: one interpreted plainly, one translated.
 *
 * What ring 1 is on a real machine is here a second processor, interpreted as well: CS is the
 * cache, GS the window, CPL 1, the other segments the guest's. A tiny engine carries state between
 * it and the guest's own, and the plain machine follows: whatever the translated one shows must be
 * a state that the plain one passes through. */
#ifndef TESTS_MONITOR_TRANSLATOR_RING1_H
#define TESTS_MONITOR_TRANSLATOR_RING1_H

#include "tests/monitor/instructions/run_bytes.h"

#include <stdlib.h>

#include "monitor/cpu/control.h"
#include "monitor/cpu/events.h"
#include "monitor/instructions/disassemble.h"
#include "monitor/translator/translator.h"

/* Behind what the guest may use, in the translated machine only. */
#define RING1_GUEST_END  0x70000u
#define RING1_CACHE      0x80000u
#define RING1_CACHE_SIZE 0x30000u
#define RING1_WINDOW     SMALL_RAM /* and more memory from there on */
#define RING1_IDT        0xF4000u
#define RING1_GDT        0xF5000u
#define RING1_TASK       0xF6000u
#define RING1_STACK      0xF9000u

/* What ring 1 is given for RUN_DATA0 and RUN_DATA3, and for the window. */
#define RING1_TWIN0    0xA1u
#define RING1_TWIN3    0xA9u
#define RING1_SELF     0xB1u
#define RING1_COUNTERS (RING1_WINDOW + (uint32_t)sizeof(struct translator_window))
#define RING1_COUNTED  1024u /* blocks */

#define RING1_FOLLOW_MAX     5000
#define RING1_HOST_MAX       100000
#define RING1_INTERRUPTS_MAX 150

struct ring1 {
	struct small_machine machine; /* the translated guest, and ring 1 in the same memory, */
	struct {                      /* which goes on here */
		struct translator_window window;
		uint32_t counters[RING1_COUNTED]; /* zeros, unless something is counted */
	} beyond;
	struct vcpu real;
	struct translator t;
	uint8_t *room;
	uint32_t dispatches, callouts, exits, faults, interpreted, loads;
	uint64_t host;     /* instructions in ring 1 */
	uint64_t stop_at;  /* an interrupt comes before this one; 0: never */
	uint64_t host_max; /* and before each one from here on */
	bool watching;     /* look for writes to code after every instruction */
	bool lost;         /* the plain machine never was where this one is */
	uint8_t watched[RING1_GUEST_END / GUEST_PAGE_SIZE];
	uint8_t copy[RING1_GUEST_END];
};

_Static_assert(offsetof(struct ring1, beyond) == offsetof(struct small_machine, ram) + SMALL_RAM,
               "one piece of memory");

static struct ring1 ring1;
/* What is counted; NULL: nothing. */
static struct count *ring1_count;

/* For whoever looks at each run in ring 1. */
static void (*ring1_entering)(uint32_t offset), (*ring1_left)(void);

/* A plain machine starts as run_start() leaves it: run_machine. */
#define ring1_plain (&run_machine.vm.vcpu)
#define ring1_guest (&ring1.machine.vm.vcpu)

static inline uint64_t ring1_no_time(const struct vm *vm)
{
	(void)vm;
	return 0x1234567;
}

static inline void ring1_watch(struct vcpu *vcpu, gpa_t page, bool on)
{
	uint32_t number = (uint32_t)(page.value / GUEST_PAGE_SIZE);

	(void)vcpu;
	if (number >= sizeof(ring1.watched))
		return;
	ring1.watched[number] = on;
	memcpy(ring1.copy + page.value, ring1.machine.ram + page.value, GUEST_PAGE_SIZE);
}

static inline void ring1_put_twin(uint32_t selector, uint32_t base)
{
	uint32_t at = RING1_GDT + (selector & ~7u);

	small_put32(&ring1.machine, at, base << 16 | 0xFFFF);
	small_put32(&ring1.machine, at + 4, 0x00CFB300 | base >> 16);
}

static inline void ring1_set_tables(struct vcpu *real)
{
	uint8_t *ram = ring1.machine.ram;

	memcpy(ram + RING1_GDT, ram + RUN_GDT, 256);
	small_put32(&ring1.machine, RING1_GDT + RUN_DATA0, 0x0000FFFF);
	small_put32(&ring1.machine, RING1_GDT + RUN_DATA0 + 4, 0x00CF9300);
	ring1_put_twin(RING1_TWIN0, 0);
	ring1_put_twin(RING1_TWIN3, 0);
	ring1_put_twin(RING1_SELF, RING1_WINDOW);
	for (uint32_t vector = 0; vector < 256; vector++) {
		small_put32(&ring1.machine, RING1_IDT + vector * 8, RUN_CODE0 << 16 | vector);
		small_put32(&ring1.machine, RING1_IDT + vector * 8 + 4, 0x8E00);
	}
	small_put32(&ring1.machine, RING1_TASK + 4, RING1_STACK);
	small_put32(&ring1.machine, RING1_TASK + 8, RUN_DATA0);
	real->gdtr = (struct vcpu_table){RING1_GDT, 0xFF};
	real->idtr = (struct vcpu_table){RING1_IDT, 0x7FF};
	real->tr.base = RING1_TASK;
	real->tr.limit = 103;
	real->tr.attributes = 0x8B;
}

static inline struct vcpu_segment_register ring1_segment(uint32_t base, uint32_t limit,
                                                         uint16_t attributes)
{
	return (struct vcpu_segment_register){.selector = 9,
	                                      .attributes = attributes,
	                                      .usable = true,
	                                      .base = base,
	                                      .limit = limit};
}

/* Call once run_start() has made the plain machine and the test has written its code and data. */
static inline void ring1_start(const struct translator_options *options)
{
	struct translator_setup setup = {
	        .cache = ring1.machine.ram + RING1_CACHE,
	        .cache_size = RING1_CACHE_SIZE,
	        .window = &ring1.beyond.window,
	        .watch = ring1_watch,
	        .vcpu = ring1_guest,
	        .count = ring1_count,
	};

	free(ring1.room);
	memset(&ring1, 0, sizeof(ring1));
	run_machine.vm.read_time = run_machine.vm.read_tsc = ring1_no_time;
	memcpy(&ring1.machine, &run_machine, sizeof(run_machine));
	ring1.machine.vm.ram = ring1.machine.ram;
	ring1.machine.vm.ram_size = SMALL_RAM + sizeof(ring1.beyond);
	ring1_guest->vm = &ring1.machine.vm;
	linear_flush(ring1_guest, true);
	ring1.host_max = RING1_HOST_MAX;
	ring1.real = *ring1_guest;
	ring1.real.cr0 &=
	        ~VCPU_CR0_PG; /* a guest that maps its data somewhere is not for these tests */
	ring1_set_tables(&ring1.real);
	setup.room_size = translator_room_size(RING1_CACHE_SIZE);
	ring1.room = setup.room = malloc(setup.room_size);
	if (options)
		setup.options = *options;
	setup.window_selector = RING1_SELF;
	translator_start(&ring1.t, &setup);
	setup.window->loadable[RUN_DATA0] = RING1_TWIN0;
	setup.window->loadable[RUN_DATA3] = RING1_TWIN3;
}

static inline void ring1_enter(uint32_t offset)
{
	struct vcpu *real = &ring1.real;

	translator_open_returns(&ring1.t, ring1_guest->segments[VCPU_CS].selector, false);
	translator_load_window(&ring1.t, ring1_guest);
	memcpy(real->registers, ring1_guest->registers, sizeof(real->registers));
	memcpy(real->segments, ring1_guest->segments, sizeof(real->segments));
	real->segments[VCPU_CS] = ring1_segment(RING1_CACHE, RING1_CACHE_SIZE - 1, 0x40BB);
	real->segments[VCPU_GS] = ring1_segment(
	        RING1_WINDOW, RING1_COUNTERS + RING1_COUNTED * 4 - RING1_WINDOW - 1, 0x40B3);
	real->cpl = 1;
	real->eflags = translator_real_flags(ring1_guest);
	real->eip = offset;
}

static inline void ring1_leave(void)
{
	memcpy(ring1_guest->registers, ring1.real.registers, sizeof(ring1.real.registers));
	translator_store_window(&ring1.t, ring1_guest, ring1.real.eflags);
	for (int i = 0; i < VCPU_SEGMENTS; i++) {
		uint16_t selector = (uint16_t)ring1.t.setup.window->selectors[i];

		if (selector != ring1_guest->segments[i].selector)
			run_set_segment(ring1_guest, (enum vcpu_segment)i, selector);
	}
}

/* What programs use most, and how much below the stack pointer may be written before the
 * instruction that does it is done: by pushf, and by an enter that faults. */
#define RING1_SEEN_FROM RUN_DATA
#define RING1_SEEN_TO   (RUN_DATA + 0x2000)
#define RING1_DEEP      0x1000u /* of the stack */
#define RING1_BELOW     0x200u

static inline bool ring1_same_memory(const struct vcpu *a, const struct vcpu *b, uint32_t from,
                                     uint32_t to)
{
	uint32_t esp = a->registers[VCPU_ESP], low = esp - RING1_BELOW;
	uint32_t hole_from = low > from && low < to ? low : from;
	uint32_t hole_to = esp < to ? esp : to;

	if (low >= to || esp <= from)
		hole_from = hole_to = from;
	return memcmp(a->vm->ram + from, b->vm->ram + from, hole_from - from) == 0 &&
	       memcmp(a->vm->ram + hole_to, b->vm->ram + hole_to, to - hole_to) == 0;
}

/* RF that an iret to kernel code brings back lives for one instruction, and only breakpoints look
 * at it, with which nothing is translated: the cache drops it (docs/limitations.md). */
static inline bool ring1_same_flags(const struct vcpu *a, const struct vcpu *b)
{
	return ((a->eflags ^ b->eflags) & ~VCPU_EFLAGS_RF) == 0;
}

static inline bool ring1_same(const struct vcpu *a, const struct vcpu *b)
{
	return a->eip == b->eip && ring1_same_flags(a, b) && a->halted == b->halted &&
	       a->cpl == b->cpl && a->cr0 == b->cr0 && a->cr2 == b->cr2 && a->cr3 == b->cr3 &&
	       memcmp(a->registers, b->registers, sizeof(a->registers)) == 0 &&
	       memcmp(a->segments, b->segments, sizeof(a->segments)) == 0 &&
	       ring1_same_memory(a, b, RING1_SEEN_FROM, RING1_SEEN_TO) &&
	       ring1_same_memory(a, b, RUN_STACK - RING1_DEEP, RUN_STACK);
}

static inline void ring1_show(const char *who, const struct vcpu *vcpu)
{
	printf("%s: eip %x flags %x", who, vcpu->eip, vcpu->eflags);
	for (int i = 0; i < VCPU_REGISTERS; i++)
		printf(" %x", vcpu->registers[i]);
	printf("\n");
}

/* The plain machine goes on until it is where the translated one is. */
static inline void ring1_follow(void)
{
	struct vcpu *plain = ring1_plain;

	if (ring1_left)
		ring1_left();
	for (uint32_t i = 0; i < RING1_FOLLOW_MAX && !ring1.lost; i++) {
		if (ring1_same(plain, ring1_guest))
			return;
		if (i == 0 && plain->halted)
			break;
		interpret_step(plain);
		if (plain->vm->ended)
			break;
	}
	if (!ring1.lost) {
		ring1_show("translated", ring1_guest);
		ring1_show("plain", plain);
	}
	ring1.lost = true;
}

/* What was written to pages that the translator watches, since the last look. */
static inline bool ring1_find_write(uint32_t *at, uint32_t *size)
{
	for (uint32_t page = 0; page < sizeof(ring1.watched); page++) {
		uint32_t first = page * GUEST_PAGE_SIZE, last = first + GUEST_PAGE_SIZE - 1;
		const uint8_t *now = ring1.machine.ram, *then = ring1.copy;

		if (!ring1.watched[page] || memcmp(now + first, then + first, GUEST_PAGE_SIZE) == 0)
			continue;
		while (now[first] == then[first])
			first++;
		while (now[last] == then[last])
			last--;
		*at = first;
		*size = last - first + 1;
		return true;
	}
	return false;
}

static inline void ring1_interpret(void)
{
	uint64_t before = ring1_guest->instructions;
	uint32_t at, size;

	interpret_step(ring1_guest);
	if (ring1_guest->instructions != before)
		translator_count_interpreted(&ring1.t, ring1_guest->instruction_eip);
	while (ring1_find_write(&at, &size)) {
		memcpy(ring1.copy + at, ring1.machine.ram + at, size);
		translator_written(&ring1.t, gpa(at), size);
	}
}

/* As a page that is read-only would have it: the store has not happened. */
static inline bool ring1_caught_write(void)
{
	uint32_t at, size;
	bool caught = false;

	while (ring1.watching && ring1_find_write(&at, &size)) {
		memcpy(ring1.machine.ram + at, ring1.copy + at, size);
		caught = true;
	}
	return caught;
}

/* Two places, which are one on a real machine. */
static inline void ring1_join_flags(void)
{
	struct translator_window *window = ring1.t.setup.window;

	if (window->flag_again)
		window->interrupt_flag = window->flag_again;
	window->flag_again = 0;
}

/* What the host does at once: ring 1 goes on behind it where all code has stayed in place. */
static inline bool ring1_load_cr3(uint32_t eip)
{
	struct translator_window *window = ring1.t.setup.window;

	ring1.loads++;
	if (!control_write_cr(ring1_guest, 3, window->operand))
		ring1.lost = true;
	window->cr[3] = ring1_guest->cr3;
	if (translator_is_in_place(&ring1.t, ring1_guest)) {
		ring1.real.eip = eip + 2;
		return true;
	}
	ring1_leave();
	translator_recover(&ring1.t, eip + 2, ring1_guest);
	ring1_follow();
	return false;
}

/* One instruction in ring 1; false when that was left. */
static inline bool ring1_host_step(void)
{
	struct vcpu *real = &ring1.real;
	const uint8_t *bytes = ring1.machine.ram + RING1_CACHE + real->eip;
	uint32_t registers[VCPU_REGISTERS], eip = real->eip, eflags = real->eflags;
	enum interpret_result result;

	if (bytes[0] == 0xCD && bytes[1] == TRANSLATOR_VECTOR_CR3)
		return ring1_load_cr3(eip);
	if (bytes[0] == 0xCD &&
	    (bytes[1] == TRANSLATOR_VECTOR_CALLOUT || bytes[1] == TRANSLATOR_VECTOR_EXIT)) {
		ring1_leave();
		if (bytes[1] == TRANSLATOR_VECTOR_EXIT) {
			ring1.exits++;
			translator_at_exit(&ring1.t, eip + 2, ring1_guest);
			ring1_follow();
			return false;
		}
		ring1.callouts++;
		translator_at_callout(&ring1.t, eip + 2, ring1_guest);
		ring1_follow();
		ring1_interpret();
		return false;
	}
	if (ring1.host + 1 == ring1.stop_at || ring1.host >= ring1.host_max) {
		ring1.stop_at = 0;
		ring1_leave();
		translator_recover(&ring1.t, eip, ring1_guest);
		ring1_follow();
		return false;
	}
	memcpy(registers, real->registers, sizeof(registers));
	result = interpret_step(real);
	ring1_join_flags();
	ring1.host++;
	if (result != INTERPRET_DELIVERED && !ring1_caught_write())
		return true;
	memcpy(real->registers, registers, sizeof(registers));
	real->eflags = eflags;
	ring1.faults++;
	ring1_leave();
	translator_recover(&ring1.t, eip, ring1_guest);
	ring1_follow();
	ring1_interpret();
	return false;
}

static inline void ring1_dispatch(void)
{
	uint32_t offset;

	ring1.dispatches++;
	if (translator_find_or_make(&ring1.t, ring1_guest, &offset) != TRANSLATOR_FOUND) {
		ring1.interpreted++;
		ring1_interpret();
		return;
	}
	if (ring1_entering)
		ring1_entering(offset);
	ring1_enter(offset);
	while (ring1_host_step())
		;
}

/* Until the guest halts for good. */
static inline void ring1_run(void)
{
	while (!ring1_guest->halted && !ring1.machine.vm.ended && !ring1.lost &&
	       ring1.dispatches < RING1_HOST_MAX && ring1.host < ring1.host_max)
		ring1_dispatch();
	CHECK(ring1_guest->halted);
	ring1_follow();
	CHECK(!ring1.lost);
	CHECK(memcmp(ring1.machine.ram, run_machine.ram, RING1_GUEST_END) == 0);
}

/* The program as it stands in the plain machine: under every option, with an interrupt before each
 * instruction in ring 1, and last without any of it, for the test to look at. */
static inline void ring1_run_all_ways(void)
{
	static const struct translator_options ways[] = {
	        {.no_chaining = true},
	        {.cache_blocks_max = 4},
	        {.flush_every = 1},
	        {.all_memory_callout = true},
	        {0},
	};
	static struct small_machine begun;
	uint64_t interrupts = 0;

	begun = run_machine;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		run_machine = begun;
		ring1_start(&ways[i]);
		ring1_run();
		interrupts = ring1.host;
	}
	for (uint64_t i = 1; i <= interrupts && i <= RING1_INTERRUPTS_MAX; i++) {
		run_machine = begun;
		ring1_start(NULL);
		ring1.stop_at = i;
		ring1_run();
	}
	run_machine = begun;
	ring1_start(NULL);
	ring1_run();
}

static inline void ring1_list(void)
{
	struct instruction in;
	char text[DISASSEMBLE_TEXT_SIZE];
	uint32_t at = 0;

	while (at < ring1.t.used) {
		const uint8_t *bytes = ring1.machine.ram + RING1_CACHE + at;
		const struct block *block = translator_find_block(&ring1.t, at);

		if (block && block->host == at)
			printf("block for %x, %u guest bytes\n", block->eip, block->guest_size);
		if (instruction_decode(bytes, 32, 32, &in) != DECODE_OK)
			return;
		instruction_disassemble(&in, at, text, sizeof(text));
		printf("  %05x %s\n", at, text);
		at += in.length;
	}
}

#endif
