#include "monitor/memory/guest_memory.h"

#include "kernel/string.h"
#include "monitor/devices/bus.h"
#include "monitor/memory/journal.h"
#include "monitor/memory/watch.h"

/* Where the RAM ends in which this address lies; 0 when it lies in none. */
static uint64_t ram_end(const struct vm *vm, uint64_t at)
{
	for (uint32_t i = 0; i < vm->hole_count && vm->holes[i].start < vm->ram_size; i++) {
		if (at < vm->holes[i].start)
			return vm->holes[i].start;
		if (at < vm->holes[i].end)
			return 0;
	}
	return at < vm->ram_size ? vm->ram_size : 0;
}

/* How many of the bytes are RAM, from the first one on, and all take writes or none does. */
static size_t clip(const struct vm *vm, uint64_t at, size_t size)
{
	uint64_t end = ram_end(vm, at);

	if (at < vm->rom.start && end > vm->rom.start)
		end = vm->rom.start;
	else if (at < vm->rom.end && end > vm->rom.end)
		end = vm->rom.end;
	return end && end - at < size ? (size_t)(end - at) : end ? size : 0;
}

/* How much of it a device sees at once; what lies in the next page may be another's, or RAM. */
static size_t device_part(uint64_t at, size_t size)
{
	size_t left = GUEST_PAGE_SIZE - (size_t)(at % GUEST_PAGE_SIZE);

	if (size > left)
		size = left;
	return size >= 4 ? 4 : size >= 2 ? 2 : 1;
}

static bool read_device(struct vm *vm, uint64_t at, unsigned int size, void *to)
{
	uint32_t value = UINT32_MAX;
	bool found;

	if (journal_refuses(vm)) {
		memcpy(to, &value, size);
		return true;
	}
	vm->device_accesses++;
	found = vm->bus && bus_read_memory(vm->bus, vm->read_time(vm), at, size, &value);

	memcpy(to, &value, size);
	return found;
}

static bool write_device(struct vm *vm, uint64_t at, unsigned int size, const void *from)
{
	uint32_t value = 0;

	if (journal_refuses(vm))
		return true;
	memcpy(&value, from, size);
	vm->device_accesses++;
	return vm->bus && bus_write_memory(vm->bus, vm->read_time(vm), at, size, value);
}

void guest_memory_read(struct vm *vm, gpa_t at, void *to, size_t size)
{
	uint8_t *bytes = to;
	bool answered = true;

	for (size_t part; size; size -= part, bytes += part, at.value += part) {
		part = clip(vm, at.value, size);
		if (part) {
			memcpy(bytes, vm->ram + (size_t)at.value, part);
			continue;
		}
		part = device_part(at.value, size);
		answered &= read_device(vm, at.value, (unsigned int)part, bytes);
	}
	vm->accesses_outside_ram += !answered;
}

static void write_ram(struct vm *vm, gpa_t at, const uint8_t *from, size_t size, unsigned int told)
{
	if (vm->journal) {
		journal_write(vm, at, from, size, told);
		return;
	}
	memcpy(vm->ram + (size_t)at.value, from, size);
	if (vm->watchers)
		watch_tell(vm, at, size, told);
}

void guest_memory_write_telling(struct vm *vm, gpa_t at, const void *from, size_t size,
                                unsigned int told)
{
	const uint8_t *bytes = from;
	bool answered = true;

	for (size_t part; size; size -= part, bytes += part, at.value += part) {
		part = watch_is_rom(vm, at) ? 0 : clip(vm, at.value, size);
		if (part) {
			write_ram(vm, at, bytes, part, told);
			continue;
		}
		part = device_part(at.value, size);
		answered &= write_device(vm, at.value, (unsigned int)part, bytes);
	}
	vm->accesses_outside_ram += !answered;
}

uint8_t *guest_memory_page(const struct vm *vm, gpa_t page)
{
	if (clip(vm, page.value, GUEST_PAGE_SIZE) < GUEST_PAGE_SIZE)
		return NULL;
	return vm->ram + (size_t)page.value;
}
