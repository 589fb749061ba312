/* The local APIC of the one processor: interrupt requests with priorities, a timer, and the two
 * pins LINT0 and LINT1.
 *
 * Written to the processor manuals, as an xAPIC of version 0x14: fixed interrupts by message, pin,
 * timer and self-command; task and processor priority; one-shot and periodic timer; errors; logical
 * and physical destinations. The 8259 pair hangs on LINT0: while the APIC is switched off, or LINT0
 * is programmed for ExtINT, its requests pass to the processor. SMI, INIT and start-up messages
 * are counted and do nothing; there is no other processor. Nothing ticks: the timer is a start and
 * a count. It must not know what an instruction is, nor how the MSR of its base is reached. */
#ifndef MONITOR_DEVICES_LOCAL_APIC_H
#define MONITOR_DEVICES_LOCAL_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/late_ticks.h"
#include "monitor/devices/line.h"

#define LOCAL_APIC_ADDRESS 0xFEE00000u
#define LOCAL_APIC_SIZE    0x1000u
#define LOCAL_APIC_VERSION 0x14
/* Its request register, eight words of it. */
#define LOCAL_APIC_REQUESTS     0x200u
#define LOCAL_APIC_REQUESTS_END 0x280u
/* The bits of its base register. */
#define LOCAL_APIC_BOOT_PROCESSOR (1u << 8)
#define LOCAL_APIC_ENABLED        (1u << 11)

enum local_apic_mode {
	LOCAL_APIC_FIXED = 0,
	LOCAL_APIC_LOWEST_PRIORITY = 1,
	LOCAL_APIC_SMI = 2,
	LOCAL_APIC_NMI = 4,
	LOCAL_APIC_INIT = 5,
	LOCAL_APIC_START_UP = 6,
	LOCAL_APIC_EXT_INT = 7,
};

/* What travels between APICs. */
struct local_apic_message {
	uint8_t vector;
	uint8_t mode; /* enum local_apic_mode */
	uint8_t destination;
	bool is_logical, is_level;
};

/* In the order of their registers. */
enum local_apic_entry {
	LOCAL_APIC_TIMER,
	LOCAL_APIC_THERMAL,
	LOCAL_APIC_PERFORMANCE,
	LOCAL_APIC_LINT0,
	LOCAL_APIC_LINT1,
	LOCAL_APIC_ERROR,
	LOCAL_APIC_ENTRIES
};

struct local_apic {
	uint64_t base; /* the MSR */
	uint8_t task_priority;
	uint32_t logical_destination, destination_format, spurious, command[2];
	uint32_t in_service[8], is_level[8], requests[8]; /* bit per vector: ISR, TMR, IRR */
	uint32_t errors, errors_shown;
	uint32_t entries[LOCAL_APIC_ENTRIES]; /* the local vector table */
	bool pins[2];
	bool output; /* to the processor, as last driven */

	uint32_t timer_initial, timer_divide;
	uint32_t timer_count; /* what it counted down from at timer_start */
	uint64_t timer_start;
	bool timer_runs;
	struct late_ticks late;

	uint64_t not_modelled; /* SMI, INIT and ExtINT messages */

	/* Wiring. */
	struct line processor, nmi;
	void (*end)(void *owner, uint8_t vector); /* a level-triggered interrupt has been served */
	void *owner;
};

/* As the power comes on: reachable, and switched off by software. Pins stay as they are. */
void local_apic_reset(struct local_apic *apic);
/* What firmware does: virtual wire mode, in which a kernel that knows only the 8259 is served. */
void local_apic_start(struct local_apic *apic);

/* Pin 0 or 1, for whoever drives it as a line. */
void local_apic_set_pin(void *apic, unsigned pin, bool level);

/* False: nobody took the message. */
bool local_apic_accept(struct local_apic *apic, const struct local_apic_message *message);

/* Whether a vector waits for the processor. */
bool local_apic_requests(const struct local_apic *apic, uint8_t vector);

/* The processor takes an interrupt. False: it is the 8259 that must be asked for the vector. */
bool local_apic_acknowledge(struct local_apic *apic, uint8_t *vector);

void local_apic_advance(struct local_apic *apic, uint64_t now);
uint64_t local_apic_next_due(const struct local_apic *apic);

/* The base register. It can be switched off and on there, not moved: false for what it refuses. */
bool local_apic_set_base(struct local_apic *apic, uint64_t now, uint64_t value);

uint32_t local_apic_read(void *apic, uint64_t now, uint32_t offset, unsigned size);
void local_apic_write(void *apic, uint64_t now, uint32_t offset, unsigned size, uint32_t value);

#endif
