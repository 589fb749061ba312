/* The two 8259A interrupt controllers of a PC: sixteen request lines in, one line to the processor
 * out.
 *
 * Written to the data sheet: initialisation, masks, fully nested, special fully nested and special
 * mask modes, the four rotations, automatic end of interrupt, polling, edge and level inputs (by
 * ICW1 or by the chipset's edge/level registers), spurious requests. The slave hangs on IR2 of the
 * master. An edge counts only while its line stays high: a request that goes away before it is
 * acknowledged is gone, and an acknowledge that finds none gets IR7. There is no time in this chip.
 * It must not know which device drives which line. */
#ifndef MONITOR_DEVICES_I8259_H
#define MONITOR_DEVICES_I8259_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/line.h"

#define I8259_MASTER_PORT  0x20
#define I8259_SLAVE_PORT   0xA0
#define I8259_LEVEL_PORT   0x4D0
#define I8259_PORTS        2
#define I8259_CASCADE_LINE 2

struct i8259 {
	uint8_t lines;      /* the request inputs as they stand */
	uint8_t edges;      /* inputs that rose and were not acknowledged since */
	uint8_t level;      /* inputs that the chipset makes level-triggered */
	uint8_t in_service; /* ISR */
	uint8_t mask;       /* IMR */
	uint8_t icw[5];     /* ICW1 to ICW4 as written; [0] is not used */
	uint8_t next_icw;   /* the one that is awaited; 0 once the chip is ready */
	uint8_t lowest;     /* the input with the lowest priority */
	bool rotate_on_auto_end;
	bool special_mask;
	bool read_in_service; /* which of IRR and ISR the lower port shows */
	bool poll;            /* the next read acknowledges */
};

struct i8259_pair {
	struct i8259 master, slave;
	bool output; /* the line to the processor as it was last driven */
	uint64_t acknowledged, spurious;

	/* Wiring. */
	struct line processor;
};

/* As the power comes on: deaf until initialised. Input levels stay what the devices make them. */
void i8259_reset(struct i8259_pair *pair);

/* Input 0 to 15 of the pair. Input 2 is the slave's and cannot be driven from outside. */
void i8259_set_line(struct i8259_pair *pair, unsigned input, bool level);

/* Whether an edge on this input waits, and nothing but what goes before it keeps it waiting. */
bool i8259_is_waiting(const struct i8259_pair *pair, unsigned input);

/* The processor's acknowledge cycle: the vector, and the request moves into service. */
uint8_t i8259_acknowledge(struct i8259_pair *pair);

/* For the ports of both chips and the two edge/level registers. */
uint32_t i8259_read(void *pair, uint64_t now, uint16_t port, unsigned size);
void i8259_write(void *pair, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
