#include "monitor/devices/io_apic.h"

enum {
	OFFSET_SELECT = 0x00,
	OFFSET_DATA = 0x10,
	REGISTER_ID = 0x00,
	REGISTER_VERSION = 0x01,
	REGISTER_ARBITRATION = 0x02,
	REGISTER_ENTRIES = 0x10,
	ID_SHIFT = 24,
	ENTRY_MODE_SHIFT = 8,
	ENTRY_LOGICAL = 1 << 11,
	ENTRY_REMOTE_REQUEST = 1 << 14,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
	ENTRY_DESTINATION_SHIFT = 56,
};

#define ENTRY_WRITABLE 0xFF0000000001AFFFull

void io_apic_reset(struct io_apic *apic)
{
	apic->id = apic->selected = 0;
	apic->undelivered = 0;
	for (unsigned i = 0; i < IO_APIC_PINS; i++)
		apic->entries[i] = ENTRY_MASKED;
}

static bool send(struct io_apic *apic, uint64_t entry)
{
	const struct local_apic_message message = {
	        .vector = (uint8_t)entry,
	        .mode = entry >> ENTRY_MODE_SHIFT & 7,
	        .destination = (uint8_t)(entry >> ENTRY_DESTINATION_SHIFT),
	        .is_logical = entry & ENTRY_LOGICAL,
	        .is_level = entry & ENTRY_LEVEL,
	};
	bool taken = apic->send && apic->send(apic->owner, &message);

	apic->undelivered += !taken;
	return taken;
}

/* Sends what a pin has to say now. */
static void serve(struct io_apic *apic, unsigned pin, bool has_risen)
{
	uint64_t *entry = &apic->entries[pin];

	if (*entry & ENTRY_MASKED || !(apic->lines >> pin & 1))
		return;
	if (!(*entry & ENTRY_LEVEL)) {
		if (has_risen)
			send(apic, *entry);
	} else if (!(*entry & ENTRY_REMOTE_REQUEST) && send(apic, *entry)) {
		*entry |= ENTRY_REMOTE_REQUEST;
	}
}

void io_apic_set_line(struct io_apic *apic, unsigned pin, bool level)
{
	uint32_t bit = 1u << pin;
	bool has_risen = level && !(apic->lines & bit);

	apic->lines = level ? apic->lines | bit : apic->lines & ~bit;
	serve(apic, pin, has_risen);
}

bool io_apic_vector(const struct io_apic *apic, unsigned pin, uint8_t *vector)
{
	*vector = (uint8_t)apic->entries[pin];
	return !(apic->entries[pin] & ENTRY_MASKED);
}

void io_apic_end(struct io_apic *apic, uint8_t vector)
{
	for (unsigned pin = 0; pin < IO_APIC_PINS; pin++) {
		uint64_t *entry = &apic->entries[pin];
		if (!(*entry & ENTRY_REMOTE_REQUEST) || (uint8_t)*entry != vector)
			continue;
		*entry &= ~(uint64_t)ENTRY_REMOTE_REQUEST;
		serve(apic, pin, false);
	}
}

static uint32_t read_register(const struct io_apic *apic, unsigned number)
{
	unsigned pin = (number - REGISTER_ENTRIES) / 2;

	switch (number) {
	case REGISTER_ID:
	case REGISTER_ARBITRATION:
		return (uint32_t)apic->id << ID_SHIFT;
	case REGISTER_VERSION:
		return (IO_APIC_PINS - 1) << 16 | IO_APIC_VERSION;
	default:
		if (number < REGISTER_ENTRIES || pin >= IO_APIC_PINS)
			return 0;
		return (uint32_t)(apic->entries[pin] >> 32 * (number & 1));
	}
}

/* Making a pin edge-triggered forgets that its level was sent, which is how old systems end one. */
static void write_entry(struct io_apic *apic, unsigned number, uint32_t value)
{
	unsigned pin = number / 2, shift = 32 * (number & 1);
	uint64_t *entry = &apic->entries[pin];
	uint64_t mask = ENTRY_WRITABLE & (uint64_t)UINT32_MAX << shift;

	*entry = (*entry & ~mask) | ((uint64_t)value << shift & mask);
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~(uint64_t)ENTRY_REMOTE_REQUEST;
	serve(apic, pin, false);
}

static void write_register(struct io_apic *apic, unsigned number, uint32_t value)
{
	if (number == REGISTER_ID)
		apic->id = value >> ID_SHIFT & 0xF;
	else if (number >= REGISTER_ENTRIES && number < REGISTER_ENTRIES + 2 * IO_APIC_PINS)
		write_entry(apic, number - REGISTER_ENTRIES, value);
}

uint32_t io_apic_read(void *chip, uint64_t now, uint32_t offset, unsigned size)
{
	const struct io_apic *apic = chip;

	(void)now;
	(void)size;
	switch (offset & ~3u) {
	case OFFSET_SELECT:
		return (uint32_t)apic->selected >> 8 * (offset & 3);
	case OFFSET_DATA:
		return read_register(apic, apic->selected) >> 8 * (offset & 3);
	default:
		return 0;
	}
}

/* The data register takes whole words only; of the index the lowest byte is all there is. */
void io_apic_write(void *chip, uint64_t now, uint32_t offset, unsigned size, uint32_t value)
{
	struct io_apic *apic = chip;

	(void)now;
	if (offset == OFFSET_SELECT)
		apic->selected = (uint8_t)value;
	else if (offset == OFFSET_DATA && size == 4)
		write_register(apic, apic->selected, value);
}
