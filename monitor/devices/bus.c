#include "monitor/devices/bus.h"

void bus_reset(struct bus *bus)
{
	bus->range_count = bus->memory_count = 0;
	bus->unknown_reads = bus->unknown_writes = 0;
	for (unsigned i = 0; i < sizeof(bus->reported); i++)
		bus->reported[i] = 0;
	bus_forget_answer(bus);
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

void bus_detach(struct bus *bus, uint16_t first)
{
	unsigned index = bus_search(bus, first);

	if (index == bus->range_count || bus->ranges[index].first != first)
		return;
	bus->range_count--;
	for (unsigned i = index; i < bus->range_count; i++)
		bus->ranges[i] = bus->ranges[i + 1];
}

static struct bus_memory_range *bus_find_memory(struct bus *bus, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < bus->memory_count; i++)
		if (bus->memory[i].first <= last && bus->memory[i].last >= first)
			return &bus->memory[i];
	return NULL;
}

static bool memory_rewire(struct bus_memory_range *old, const struct bus_memory_range *range)
{
	struct bus_memory_range wired = *range;

	if (old->first != range->first || old->last != range->last)
		return false;
	wired.reads = old->reads;
	wired.writes = old->writes;
	*old = wired;
	return true;
}

bool bus_attach_memory(struct bus *bus, const struct bus_memory_range *range)
{
	struct bus_memory_range *old = bus_find_memory(bus, range->first, range->last);

	if (old)
		return memory_rewire(old, range);
	if (bus->memory_count == BUS_MEMORY_RANGES || range->first > range->last)
		return false;
	bus->memory[bus->memory_count++] = *range;
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

void bus_forget_answer(struct bus *bus)
{
	if (!bus->answer.holds)
		return;
	bus->answer.holds = false;
	bus->answer.number++;
}

static void note_answer(struct bus *bus, uint32_t port, uint32_t value)
{
	bus->answer.holds = true;
	bus->answer.port = (uint16_t)port;
	bus->answer.value = (uint8_t)value;
	bus->answer.number++;
}

static bool is_steady(const struct bus_range *range, uint64_t now, uint32_t port, unsigned size)
{
	return size == 1 && range->steady && range->steady(range->chip, now, (uint16_t)port);
}

static uint32_t bus_read_range(struct bus *bus, struct bus_range *range, uint64_t now,
                               uint32_t port, unsigned size)
{
	bool steady = is_steady(range, now, port, size);
	uint32_t value;

	range->reads++;
	value = range->read(range->chip, now, (uint16_t)port, size);
	if (steady) {
		note_answer(bus, port, value);
	} else if (!range->reads_quietly) {
		bus->stirred++;
		bus_forget_answer(bus);
	}
	return value;
}

/* After a write. Guests that write to a chip again and again ask it each time whether it is ready:
 * what its answer is now is found out at once. */
static void renew_answer(struct bus *bus, struct bus_range *written, uint64_t now)
{
	uint16_t port = bus->answer.port;

	if (!bus->answer.holds)
		return;
	if (port >= written->first && port <= written->last && is_steady(written, now, port, 1))
		note_answer(bus, port, written->read(written->chip, now, port, 1));
	else
		bus_forget_answer(bus);
}

static uint32_t bus_read_part(struct bus *bus, uint64_t now, uint32_t port, unsigned size)
{
	struct bus_range *range = bus_find(bus, port, port + size - 1);

	if (!range) {
		bus_report_unknown(bus, &(struct bus_unknown){port, size, false, 0});
		return UINT32_MAX >> (32 - 8 * size);
	}
	if (range_takes_whole(range, port, size))
		return bus_read_range(bus, range, now, port, size);
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
		bus->stirred++;
		range->write(range->chip, now, (uint16_t)port, size, value);
		renew_answer(bus, range, now);
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

static bool memory_takes_whole(const struct bus_memory_range *range, uint64_t at, unsigned size)
{
	return size <= range->widest && at % size == 0 && at >= range->first &&
	       at + size - 1 <= range->last;
}

bool bus_read_memory(struct bus *bus, uint64_t now, uint64_t at, unsigned size, uint32_t *value)
{
	struct bus_memory_range *range = bus_find_memory(bus, at, at + size - 1);
	uint32_t low, high;

	*value = UINT32_MAX >> (32 - 8 * size);
	if (!range)
		return false;
	if (memory_takes_whole(range, at, size)) {
		range->reads++;
		*value = range->read(range->chip, now, (uint32_t)at - range->first, size);
		return true;
	}
	bus_read_memory(bus, now, at, size / 2, &low);
	bus_read_memory(bus, now, at + size / 2, size / 2, &high);
	*value = low | high << 4 * size;
	return true;
}

bool bus_write_memory(struct bus *bus, uint64_t now, uint64_t at, unsigned size, uint32_t value)
{
	struct bus_memory_range *range = bus_find_memory(bus, at, at + size - 1);

	value &= UINT32_MAX >> (32 - 8 * size);
	if (!range)
		return false;
	if (memory_takes_whole(range, at, size)) {
		range->writes++;
		range->write(range->chip, now, (uint32_t)at - range->first, size, value);
		return true;
	}
	bus_write_memory(bus, now, at, size / 2, value);
	bus_write_memory(bus, now, at + size / 2, size / 2, value >> 4 * size);
	return true;
}
