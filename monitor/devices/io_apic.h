/* The I/O APIC of a PC: 24 interrupt pins, each with an entry that says which message it sends.
 *
 * Written to the data sheet of the 82093AA: edge pins send when they rise, and not while they are
 * masked; level pins send again after the end of interrupt while they are still active. The
 * polarity bit is kept and has no effect: a line says whether it is active, not whether it is high.
 * It must not know which device drives which pin, nor who takes the messages. */
#ifndef MONITOR_DEVICES_IO_APIC_H
#define MONITOR_DEVICES_IO_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/local_apic.h"

#define IO_APIC_ADDRESS 0xFEC00000u
#define IO_APIC_SIZE    0x1000u
#define IO_APIC_PINS    24
#define IO_APIC_VERSION 0x11

struct io_apic {
	uint8_t id; /* four bits */
	uint8_t selected;
	uint64_t entries[IO_APIC_PINS];
	uint32_t lines;       /* the pins as they stand */
	uint64_t undelivered; /* messages that nobody took */

	/* Wiring. */
	bool (*send)(void *owner, const struct local_apic_message *message);
	void *owner;
};

/* As the power comes on: all pins masked. The pins stay what the devices make them. */
void io_apic_reset(struct io_apic *apic);

void io_apic_set_line(struct io_apic *apic, unsigned pin, bool level);

/* The vector of a pin. False: it is masked. */
bool io_apic_vector(const struct io_apic *apic, unsigned pin, uint8_t *vector);

/* A processor has served a level-triggered interrupt. */
void io_apic_end(struct io_apic *apic, uint8_t vector);

uint32_t io_apic_read(void *apic, uint64_t now, uint32_t offset, unsigned size);
void io_apic_write(void *apic, uint64_t now, uint32_t offset, unsigned size, uint32_t value);

#endif
