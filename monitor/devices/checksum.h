/* The checksum of firmware's tables: the byte that makes the sum of all bytes zero. */
#ifndef MONITOR_DEVICES_CHECKSUM_H
#define MONITOR_DEVICES_CHECKSUM_H

#include <stdint.h>

/* With the checksum's own byte still zero. */
static inline uint8_t checksum_of(const void *table, uint32_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	while (size--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

#endif
