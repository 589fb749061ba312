/* A virtual machine put together: its memory, its processor, and the chips on its bus.
 *
 * What the guest's machine has is decided here and described in docs/virtual-pc.md. The real
 * machine comes in at three places only: frames for the guest's memory, the clock, and the console
 * behind its COM1. */
#ifndef MONITOR_RUN_MACHINE_H
#define MONITOR_RUN_MACHINE_H

#include <stddef.h>

#include "kernel/clock.h"
#include "monitor/devices/pc.h"
#include "monitor/devices/us_keyboard.h"
#include "monitor/loaders/elf_symbols.h"
#include "monitor/run/canaries.h"
#include "monitor/run/console_keys.h"
#include "monitor/run/direct.h"
#include "monitor/run/display.h"
#include "monitor/run/lockstep.h"
#include "monitor/run/sampler.h"
#include "monitor/run/translated.h"
#include "monitor/state/vm.h"

struct engine;

/* What the guest's machine is made of. */
struct machine_parts {
	uint32_t memory_mb;
	const struct engine *engine;
	struct pc_without without;
	bool screen_on_console, keys_from_console;
	uint8_t *disk; /* its sectors, which the guest changes; NULL: it has none */
	uint32_t disk_sectors;
	uint32_t ends_after;  /* seconds; 0: when it ends itself */
	uint32_t slow_time;   /* how many times slower than ours its time goes */
	const uint8_t *image; /* the guest's file, for its symbols */
	uint32_t image_size;
};

struct machine {
	struct vm vm;
	struct pc pc;
	uint64_t started_ns, ends_ns; /* the second one in virtual time, or VIRTUAL_TIME_NEVER */
	uint32_t slow_time;
	const struct engine *engine;
	struct elf_symbols symbols; /* the guest's, for whoever shows its code */
	struct direct direct;       /* for the engines that run anything directly */
	struct translated translated;
	struct lockstep lockstep;
	struct direct_room lockstep_room;
	struct timer alarm; /* for the same: the next time a chip has something to do */
	uint64_t alarm_due;
	uint32_t interrupts_seen; /* when the chips were last looked at */
	uint32_t foiled; /* attempts to enter the guest's world, since the last that was not */
	uint64_t exits[EXIT_REASONS], exit_cycles[EXIT_REASONS];
	struct sampler sampler;
	struct canaries canaries;
	struct display display;
	struct us_keyboard typist;
	bool keys_from_console, console_is_stuck;
	struct console_keys console_keys;
	bool counters_are_wanted; /* now, by such a key */
	uint64_t instructions_counted;
};

/* False, with one sentence, when there is not enough memory for the guest. */
bool machine_create(struct machine *machine, const char *name, const struct machine_parts *parts,
                    char *problem, size_t size);

void machine_note_end(struct machine *machine);

/* Whether the guest was stopped or has ended itself; looked at before each instruction, so that a
 * guest does nothing more after it has asked for its end. */
static inline bool machine_has_ended(struct machine *machine)
{
	const struct pc *pc = &machine->pc;

	if (pc->debug_exit.requested || pc->power.off_requested || pc->power.reset_requested)
		machine_note_end(machine);
	return machine->vm.ended;
}

/* Gives the chips their time and the console's input. */
void machine_advance(struct machine *machine);

/* Shows what the guest has on its screen; for whoever does nothing for a while. */
void machine_show(struct machine *machine);

/* When machine_advance() has something to do next, in virtual nanoseconds. */
uint64_t machine_next_due(const struct machine *machine);
/* A virtual time as one of the real machine. */
uint64_t machine_real_time(const struct machine *machine, uint64_t virtual_time);

/* After the end: whatever was kept back goes out, and the memory is given back. */
void machine_destroy(struct machine *machine);

#endif
