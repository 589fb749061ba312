#include "kernel/date.h"

#include "kernel/string.h"
#include "kernel/x86.h"

#define INDEX_PORT 0x70
#define DATA_PORT  0x71

enum { SECOND = 0, MINUTE = 2, HOUR = 4, WEEKDAY = 6, DAY, MONTH, YEAR, STATUS_A, STATUS_B };

#define UPDATING    0x80
#define BINARY      0x04
#define HOURS_24    0x02
#define HOUR_PM     0x80
#define CENTURY     2000u
#define READ_ROUNDS 1000000 /* an update takes 2 ms; each round is two accesses to slow ports */

static uint8_t read_register(uint8_t index)
{
	x86_out8(INDEX_PORT, index);
	return x86_in8(DATA_PORT);
}

static void read_registers(uint8_t registers[STATUS_B + 1])
{
	for (int rounds = READ_ROUNDS; rounds && (read_register(STATUS_A) & UPDATING); rounds--)
		;
	for (unsigned int i = 0; i <= STATUS_B; i++)
		registers[i] = read_register((uint8_t)i);
}

static uint8_t decode(const uint8_t *registers, uint8_t value)
{
	return registers[STATUS_B] & BINARY ? value : (uint8_t)((value >> 4) * 10 + (value & 0xF));
}

static uint8_t decode_hour(const uint8_t *registers)
{
	uint8_t hour = registers[HOUR];

	if (registers[STATUS_B] & HOURS_24)
		return decode(registers, hour);
	return (uint8_t)(decode(registers, hour & (uint8_t)~HOUR_PM) % 12 +
	                 (hour & HOUR_PM ? 12 : 0));
}

static bool is_good(const struct date *date)
{
	return date->month - 1u < 12 && date->day - 1u < 31 && date->weekday - 1u < 7 &&
	       date->hour < 24 && date->minute < 60 && date->second < 60 &&
	       date->year - CENTURY < 100;
}

bool date_read(struct date *date)
{
	static const struct date unknown = {CENTURY, 1, 1, 7, 0, 0, 0};
	uint8_t registers[STATUS_B + 1], again[STATUS_B + 1];

	/* An update may come while the registers are read; the next reading is then another one. */
	read_registers(registers);
	read_registers(again);
	if (memcmp(registers, again, sizeof(registers)) != 0)
		read_registers(again);
	*date = (struct date){.year = (uint16_t)(CENTURY + decode(again, again[YEAR])),
	                      .month = decode(again, again[MONTH]),
	                      .day = decode(again, again[DAY]),
	                      .weekday = decode(again, again[WEEKDAY]),
	                      .hour = decode_hour(again),
	                      .minute = decode(again, again[MINUTE]),
	                      .second = decode(again, again[SECOND])};
	if (is_good(date))
		return true;
	*date = unknown;
	return false;
}
