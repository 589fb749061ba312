/* The MC146818 clock of a PC: date and time, alarm, periodic interrupt, and the CMOS memory.
 *
 * The date is counted in virtual time from the one that was set; nothing ticks. The time registers
 * hold what was last written or counted; when somebody looks, the seconds that have passed since
 * are added, as the chip itself would have, in the format that the guest chose. Its divider runs at
 * 32768 Hz and is exact to the tick. It must not know where the date comes from. */
#ifndef MONITOR_DEVICES_MC146818_H
#define MONITOR_DEVICES_MC146818_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/late_ticks.h"
#include "monitor/devices/line.h"

#define MC146818_PORT   0x70
#define MC146818_PORTS  2
#define MC146818_MEMORY 128

struct mc146818_date {
	uint16_t year;
	uint8_t month, day, weekday; /* from 1 on; Sunday is 1 */
	uint8_t hour, minute, second;
};

struct mc146818 {
	uint8_t index;
	uint8_t memory[MC146818_MEMORY]; /* the registers are the first fourteen */
	uint64_t settled;       /* everything up to this tick of the crystal has happened */
	uint64_t phase;         /* what the divider is ahead of the crystal's ticks */
	bool interrupt;         /* the line as it was last driven */
	struct late_ticks late; /* periodic interrupts */

	/* Wiring. */
	struct line line;
};

/* As the reset pin leaves it: date and memory stay, which a battery keeps. */
void mc146818_reset(struct mc146818 *clock);

/* What firmware leaves in the memory of a PC with so much RAM and no drives; the divider runs, the
 * time is in BCD with 24 hours. */
void mc146818_start(struct mc146818 *clock, uint64_t now, uint64_t ram_size);
/* The given second begins now. */
void mc146818_set_date(struct mc146818 *clock, uint64_t now, const struct mc146818_date *date);

void mc146818_advance(struct mc146818 *clock, uint64_t now);
/* When the interrupt line rises next. */
uint64_t mc146818_next_due(const struct mc146818 *clock);

uint32_t mc146818_read(void *clock, uint64_t now, uint16_t port, unsigned size);
void mc146818_write(void *clock, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
