#include "monitor/devices/rom.h"

#include <stddef.h>

#define ALIGNMENT 16

void rom_reset(struct rom *rom)
{
	rom->used = 0;
	for (uint32_t i = 0; i < ROM_FILLED; i++)
		rom->bytes[i] = 0xFF;
}

void *rom_take(struct rom *rom, uint32_t size, uint32_t *address)
{
	uint32_t at = (rom->used + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1);

	if (size > ROM_FILLED - at)
		return NULL;
	for (uint32_t i = 0; i < size; i++)
		rom->bytes[at + i] = 0;
	rom->used = at + size;
	*address = ROM_ADDRESS + at;
	return rom->bytes + at;
}

void rom_copy(const struct rom *rom, uint8_t *ram)
{
	__builtin_memset(ram + ROM_ADAPTERS, 0xFF, ROM_END - ROM_ADAPTERS);
	__builtin_memcpy(ram + ROM_ADDRESS, rom->bytes, ROM_FILLED);
}

uint32_t rom_read(void *chip, uint64_t now, uint32_t offset, unsigned size)
{
	const struct rom *rom = chip;
	uint32_t value = UINT32_MAX >> (32 - 8 * size);

	(void)now;
	if (offset < ROM_FILLED)
		__builtin_memcpy(&value, rom->bytes + offset, size);
	return value;
}

void rom_write(void *chip, uint64_t now, uint32_t offset, unsigned size, uint32_t value)
{
	(void)chip;
	(void)now;
	(void)offset;
	(void)size;
	(void)value;
}
