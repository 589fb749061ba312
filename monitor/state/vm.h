/* What a virtual machine IS: its memory, its processor, its devices, and how it ended.
 *
 * No behaviour. */
#ifndef MONITOR_STATE_VM_H
#define MONITOR_STATE_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/state/vcpu.h"

struct bus;
struct journal;
struct local_apic;
struct shadow;
struct shadow_tables;
struct vm;

enum exit_reason {
#define EXIT(name, word, text) EXIT_##name,
#include "monitor/state/exits.def"
#undef EXIT
	EXIT_REASONS
};

#define VM_REASON_MAX 200
#define VM_HOLES      4

/* A range of guest-physical addresses among RAM's, in whole pages. */
struct vm_hole {
	uint32_t start, end;
};

/* One instruction for the real x87, MMX and SSE unit: its bytes, with any memory operand at
 * vm_unit.memory plus `skew`, and the registers it starts with and leaves. */
struct vm_unit_run {
	uint8_t code[16];
	uint32_t length;
	uint32_t registers[VCPU_REGISTERS]; /* ESP is not used */
	uint32_t flags;                     /* the arithmetic ones */
	uint8_t *state;                     /* as fxsave lays it out, 16-byte aligned */
};

#define VM_UNIT_NO_FAULT 0xFF

/* The real unit, or what stands for it in a test. */
struct vm_unit {
	uint8_t *memory;  /* room for an operand at any alignment */
	uint32_t address; /* the same, as the encoded instruction names it */
	uint32_t code;    /* where the instruction runs: what the unit notes as its address */
	uint8_t (*run)(struct vm_unit_run *run); /* a vector, or VM_UNIT_NO_FAULT */
	void (*take_back)(void); /* the guest's state is in its vcpu then; NULL: it always is */
};

/* Who wants to be told when the guest writes to a page: bits, since a page may have several. */
enum watcher {
	WATCH_PAGE_TABLE = 1,
	WATCH_DESCRIPTORS = 2,
	WATCH_CODE = 4,
	WATCH_GATES = 8,
};

#define WATCHERS 4

/* After the bytes are in memory. What is written lies in one page. */
typedef void watch_written_t(struct vm *vm, gpa_t at, uint32_t size);

struct vm {
	const char *name;
	struct vcpu vcpu;

	/* memory/guest_memory.c: RAM from guest-physical 0, contiguous in ours. The frames behind
	 * the holes lie fallow. One range of it, outside the holes, may take no writes: what the
	 * bus has there is told of them, and is never read. */
	uint8_t *ram;
	uint64_t ram_size;
	struct vm_hole holes[VM_HOLES]; /* ascending */
	uint32_t hole_count;
	struct vm_hole rom; /* empty where there is none */
	uint64_t accesses_outside_ram;

	/* memory/watch.c: a byte for each page of RAM that has begun: bits of enum watcher, and
	 * WATCH_BUFFERED. NULL where nothing is ever watched. The functions are in the order of
	 * the bits. */
	uint8_t *watchers;
	watch_written_t *watch_written[WATCHERS];

	/* memory/journal.c: set only while something runs that is taken back. */
	struct journal *journal;

	/* memory/shadow.c: NULL where no engine runs the guest directly. */
	struct shadow *shadow;

	/* devices/: where in and out go, and what is not RAM; NULL in a machine without. Time is
	 * virtual nanoseconds. */
	struct bus *bus;
	struct local_apic *local_apic;
	uint32_t device_accesses; /* by instructions: a device may be due at another time since */
	uint64_t (*read_time)(const struct vm *vm);
	uint64_t (*read_tsc)(const struct vm *vm);
	bool interrupt_waits; /* the line from the interrupt controller, as it stands */
	/* The vector of the interrupt that the processor takes; asked only when one waits. */
	uint8_t (*acknowledge_interrupt)(struct vm *vm);

	/* cpu/shadow_tables.c */
	struct shadow_tables *shadow_tables;

	/* instructions/interpret_unit.c */
	const struct vm_unit *unit;

	/* state/stop.c: the first reason wins. */
	bool ended;
	enum exit_reason exit;
	uint32_t exit_status;
	char exit_text[VM_REASON_MAX];
};

#endif
