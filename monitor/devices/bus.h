/* The bus of one virtual machine: which chip answers which port and which memory address, and who
 * answers when none does.
 *
 * Chips are attached by ranges of ports, and of guest-physical memory. An access that is wider than
 * the chip, or that reaches past it, is cut in halves as the ISA bus cuts it: a 16-bit access to an
 * 8-bit chip becomes two, a 32-bit one four, lowest port first. Where no chip is, reads give all
 * ones and writes go nowhere; both are counted, and each such port is reported once. Memory that no
 * chip has claimed is not the bus's affair: it says so. The bus must not know what any chip does.
 */
#ifndef MONITOR_DEVICES_BUS_H
#define MONITOR_DEVICES_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_RANGES        40
#define BUS_MEMORY_RANGES 8
/* A wide access to port 0xFFFF reaches up to three ports past the last one; nothing lives there. */
#define BUS_PORTS (0x10000 + 3)

typedef uint32_t bus_read_function(void *chip, uint64_t now, uint16_t port, unsigned size);
/* Whether a byte read from this port goes on being what it is now, and to read it changes nothing,
 * as long as nobody else comes near the chip. */
typedef bool bus_steady_function(void *chip, uint64_t now, uint16_t port);
typedef void bus_write_function(void *chip, uint64_t now, uint16_t port, unsigned size,
                                uint32_t value);

struct bus_range {
	uint16_t first, last;
	uint8_t widest; /* the widest access in bytes that the chip takes whole: 1, 2 or 4 */
	const char *name;
	bus_read_function *read;
	bus_write_function *write;
	bus_steady_function *steady; /* or NULL */
	void *chip;
	bool reads_quietly;     /* reads leave it as it was when the chip is due next */
	uint64_t reads, writes; /* accesses that reached the chip */
};

/* A chip in memory is told offsets from its first address. */
typedef uint32_t bus_read_memory_function(void *chip, uint64_t now, uint32_t offset, unsigned size);
typedef void bus_write_memory_function(void *chip, uint64_t now, uint32_t offset, unsigned size,
                                       uint32_t value);

struct bus_memory_range {
	uint32_t first, last;
	uint8_t widest;
	const char *name;
	bus_read_memory_function *read;
	bus_write_memory_function *write;
	void *chip;
	uint64_t reads, writes;
};

/* What the port that was read last goes on saying: whoever runs the guest may answer in the chip's
 * place. */
struct bus_answer {
	bool holds;
	uint8_t value;
	uint16_t port;
	uint32_t number; /* another one with each change */
};

struct bus_unknown {
	uint32_t port;
	unsigned size;
	bool write;
	uint32_t value; /* what was written */
};

struct bus {
	struct bus_range ranges[BUS_RANGES]; /* in the order of their ports */
	unsigned range_count;
	struct bus_memory_range memory[BUS_MEMORY_RANGES];
	unsigned memory_count;
	uint64_t unknown_reads, unknown_writes;
	uint32_t stirred; /* accesses to ports after which some chip may be due at another time */
	struct bus_answer answer;
	uint8_t reported[(BUS_PORTS + 7) / 8];

	/* Wiring. */
	void (*report)(void *owner, const struct bus_unknown *access);
	void *owner;
};

/* Takes every chip off and forgets what was counted; the wiring stays. */
void bus_reset(struct bus *bus);

/* Adds a range. Attaching a range of the same ports again replaces the wiring and keeps the
 * counters, which is how a copied machine is wired anew. False: it overlaps another one, or the bus
 * is full. */
bool bus_attach(struct bus *bus, const struct bus_range *range);

/* Takes the range that begins at a port off. */
void bus_detach(struct bus *bus, uint16_t first);

/* The same for memory. */
bool bus_attach_memory(struct bus *bus, const struct bus_memory_range *range);

/* size is 1, 2 or 4. */
uint32_t bus_read(struct bus *bus, uint64_t now, uint16_t port, unsigned size);
void bus_write(struct bus *bus, uint64_t now, uint16_t port, unsigned size, uint32_t value);

/* Something came near a chip by another way than the bus. */
void bus_forget_answer(struct bus *bus);

/* False, and nothing was done, when no chip has any of these bytes; ones for those it has not. */
bool bus_read_memory(struct bus *bus, uint64_t now, uint64_t at, unsigned size, uint32_t *value);
bool bus_write_memory(struct bus *bus, uint64_t now, uint64_t at, unsigned size, uint32_t value);

#endif
