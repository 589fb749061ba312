/* The 8254 interval timer: three counters at 105/88 MHz, each in any of its six modes.
 *
 * Nothing ticks. A counter is a starting value, the tick it was loaded at, and at most one load
 * that is still to come; counts and outputs are computed from the time when somebody asks, exactly
 * to the tick and without drift. A write or gate change between two clock pulses takes effect with
 * the next one, as the data sheet has it. i8254_advance tells the lines what happened up to a time,
 * and i8254_next_due when an output with a line rises next; an output that falls is told with the
 * next call. It must not know what its outputs are used for. */
#ifndef MONITOR_DEVICES_I8254_H
#define MONITOR_DEVICES_I8254_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/late_ticks.h"
#include "monitor/devices/line.h"

#define I8254_PORT     0x40
#define I8254_PORTS    4
#define I8254_CHANNELS 3

struct i8254_channel {
	uint8_t control; /* access, mode and BCD bits, exactly as last written */
	bool gate;

	/* The port side. */
	bool read_high_next, write_high_next;
	uint8_t low_written;
	uint8_t latched_bytes; /* how many bytes of the latched count are still to be read */
	uint16_t latched_count;
	bool status_latched;
	uint8_t latched_status;
	uint16_t count_register;
	bool count_written; /* since the last control word */
	bool null_count;    /* what was written is not yet what is counted */

	/* The counting element. */
	bool loaded, running;
	bool starts_low;  /* mode 3: the half wave that began at `start` is the low one */
	uint32_t initial; /* the count at `start`; 65536 and 10000 read as zero */
	uint32_t period;  /* the count in force */
	uint64_t start;   /* in ticks */
	uint64_t zero; /* the tick at which the count runs out, VIRTUAL_TIME_NEVER if it does not */
	uint64_t load; /* the tick at which the count register is loaded, or VIRTUAL_TIME_NEVER */
	bool load_ends_cycle; /* that load belongs to the end of a cycle, not to a clock pulse */

	uint64_t settled; /* everything up to this tick has been told */
	bool output;

	struct late_ticks late; /* of the periodic modes */

	/* Wiring. Whoever can tell whether the last rise of the output still waits to be taken
	 * says so; then ticks that nobody had time for come late. */
	struct line line;
	bool (*is_waiting)(void *owner);
	void *owner;
};

struct i8254 {
	struct i8254_channel channel[I8254_CHANNELS];
};

/* No counter counts until it is programmed. Counters 0 and 1 have their gates tied high. */
void i8254_reset(struct i8254 *timer, uint64_t now);

void i8254_advance(struct i8254 *timer, uint64_t now);
/* In nanoseconds; in the past when i8254_advance has not been told of that time yet. */
uint64_t i8254_next_due(const struct i8254 *timer);

/* An interrupt was taken: is a tick late whose turn it is now? */
void i8254_catch_up(struct i8254 *timer);

void i8254_set_gate(struct i8254 *timer, uint64_t now, unsigned channel, bool level);
bool i8254_output(struct i8254 *timer, uint64_t now, unsigned channel);

uint64_t i8254_tick_at(uint64_t now);
/* The first nanosecond of a tick. */
uint64_t i8254_time_of(uint64_t tick);

uint32_t i8254_read(void *timer, uint64_t now, uint16_t port, unsigned size);
void i8254_write(void *timer, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
