#include "monitor/memory/guest_memory.h"

#include "kernel/string.h"

/* How many of the bytes are RAM. */
static size_t clip(const struct vm *vm, gpa_t at, size_t size)
{
	uint64_t left = at.value < vm->ram_size ? vm->ram_size - at.value : 0;

	return left < size ? (size_t)left : size;
}

void guest_memory_read(struct vm *vm, gpa_t at, void *to, size_t size)
{
	size_t good = clip(vm, at, size);

	if (good)
		memcpy(to, vm->ram + (size_t)at.value, good);
	if (good == size)
		return;
	vm->accesses_outside_ram++;
	memset((uint8_t *)to + good, 0xFF, size - good);
}

void guest_memory_write_telling(struct vm *vm, gpa_t at, const void *from, size_t size,
                                unsigned int told)
{
	size_t good = clip(vm, at, size);

	if (good < size)
		vm->accesses_outside_ram++;
	if (!good)
		return;
	memcpy(vm->ram + (size_t)at.value, from, good);
	if (vm->watchers)
		watch_tell(vm, at, good, told);
}

uint8_t *guest_memory_page(const struct vm *vm, gpa_t page)
{
	if (clip(vm, page, GUEST_PAGE_SIZE) < GUEST_PAGE_SIZE)
		return NULL;
	return vm->ram + (size_t)page.value;
}
