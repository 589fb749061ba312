/* The date, as the real machine's battery-backed clock shows it.
 *
 * Read when somebody needs it, which is once for each guest: from there on time is the clock's. */
#ifndef KERNEL_DATE_H
#define KERNEL_DATE_H

#include <stdbool.h>
#include <stdint.h>

struct date {
	uint16_t year;
	uint8_t month, day, weekday; /* from 1 on; Sunday is 1 */
	uint8_t hour, minute, second;
};

/* False, with 2000-01-01, when the machine has no such clock or it shows no date. */
bool date_read(struct date *date);

#endif
