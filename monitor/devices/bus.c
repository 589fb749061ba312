#include "monitor/devices/bus.h"

void bus_reset(struct bus *bus)
{
	bus->range_count = 0;
	bus->unknown_reads = bus->unknown_writes = 0;
	for (unsigned i = 0; i < sizeof(bus->reported); i++)
		bus->reported[i] = 0;
}

/* The index of the first range that ends at the port or behind it. */
static unsigned bus_search(const struct bus *bus, uint32_t port)
{
	unsigned low = 0, high = bus->range_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (bus->ranges[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first range with a port in first to last, or NULL. */
static struct bus_range *bus_find(struct bus *bus, uint32_t first, uint32_t last)
{
	unsigned index = bus_search(bus, first);

	if (index == bus->range_count || bus->ranges[index].first > last)
		return NULL;
	return &bus->ranges[index];
}

static bool range_rewire(struct bus_range *old, const struct bus_range *range)
{
	struct bus_range wired = *range;

	if (old->first != range->first || old->last != range->last)
		return false;
	wired.reads = old->reads;
	wired.writes = old->writes;
	*old = wired;
	return true;
}

bool bus_attach(struct bus *bus, const struct bus_range *range)
{
	struct bus_range *old = bus_find(bus, range->first, range->last);

	if (old)
		return range_rewire(old, range);
	if (bus->range_count == BUS_RANGES || range->first > range->last)
		return false;
	unsigned index = bus_search(bus, range->first);
	for (unsigned i = bus->range_count++; i > index; i--)
		bus->ranges[i] = bus->ranges[i - 1];
	bus->ranges[index] = *range;
	return true;
}

static bool range_takes_whole(const struct bus_range *range, uint32_t port, unsigned size)
{
	return size <= range->widest && port % size == 0 && port >= range->first &&
	       port + size - 1 <= range->last;
}

static void bus_report_unknown(struct bus *bus, const struct bus_unknown *access)
{
	uint8_t *byte = &bus->reported[access->port / 8];
	uint8_t bit = (uint8_t)(1U << access->port % 8);

	if (access->write)
		bus->unknown_writes++;
	else
		bus->unknown_reads++;
	if (*byte & bit)
		return;
	*byte |= bit;
	if (bus->report)
		bus->report(bus->owner, access);
}

static uint32_t bus_read_part(struct bus *bus, uint64_t now, uint32_t port, unsigned size)
{
	struct bus_range *range = bus_find(bus, port, port + size - 1);

	if (!range) {
		bus_report_unknown(bus, &(struct bus_unknown){port, size, false, 0});
		return UINT32_MAX >> (32 - 8 * size);
	}
	if (range_takes_whole(range, port, size)) {
		range->reads++;
		return range->read(range->chip, now, (uint16_t)port, size);
	}
	unsigned half = size / 2;
	uint32_t low = bus_read_part(bus, now, port, half);
	return low | bus_read_part(bus, now, port + half, half) << 8 * half;
}

static void bus_write_part(struct bus *bus, uint64_t now, uint32_t port, unsigned size,
                           uint32_t value)
{
	struct bus_range *range = bus_find(bus, port, port + size - 1);

	value &= UINT32_MAX >> (32 - 8 * size);
	if (!range) {
		bus_report_unknown(bus, &(struct bus_unknown){port, size, true, value});
		return;
	}
	if (range_takes_whole(range, port, size)) {
		range->writes++;
		range->write(range->chip, now, (uint16_t)port, size, value);
		return;
	}
	unsigned half = size / 2;
	bus_write_part(bus, now, port, half, value);
	bus_write_part(bus, now, port + half, half, value >> 8 * half);
}

uint32_t bus_read(struct bus *bus, uint64_t now, uint16_t port, unsigned size)
{
	return bus_read_part(bus, now, port, size);
}

void bus_write(struct bus *bus, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	bus_write_part(bus, now, port, size, value);
}
