/* The chips of the virtual PC, by their ports, their memory, the passing of time and what comes
 * from outside. The first byte chooses the range that is meant when an access does not say
 * otherwise, so that one input can stay with one chip.
 *
 * Nothing goes out of bounds; what is due goes off; and what a chip is asked for does not reach
 * guest memory where there is none. */
#include "monitor/devices/pc.h"
#include "monitor/devices/virtual_time.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY       0x4000u
#define SECTORS      300u
#define LONGEST_STEP 24 /* a time step is below 2 to the power of this, in nanoseconds */
#define LATE         1000000000u

static struct pc pc;
static uint8_t memory[MEMORY], disk[SECTORS * ATA_SECTOR];
static uint64_t now;

static void set_line(void *owner, unsigned input, bool level)
{
	(void)owner;
	(void)input;
	(void)level;
}

static void read_memory(void *owner, uint32_t address, void *to, uint32_t size)
{
	(void)owner;
	memset(to, 0xFF, size);
	if (address < MEMORY && size <= MEMORY - address)
		memcpy(to, memory + address, size);
}

static void write_memory(void *owner, uint32_t address, const void *from, uint32_t size)
{
	(void)owner;
	if (address < MEMORY && size <= MEMORY - address)
		memcpy(memory + address, from, size);
}

static void set_up(void)
{
	static const struct pc_outside outside = {.processor = {set_line, NULL, 0},
	                                          .nmi = {set_line, NULL, 0},
	                                          .read_memory = read_memory,
	                                          .write_memory = write_memory,
	                                          .disk = disk,
	                                          .disk_sectors = SECTORS};

	memset(&pc, 0, sizeof(pc));
	memset(memory, 0, sizeof(memory));
	now = 0;
	pc_wire(&pc, &outside);
	pc_reset(&pc, now);
	pc_start(&pc, now, MEMORY);
}

static void access_port(struct fuzz_input *input, uint8_t how, uint8_t range_number)
{
	const struct bus_range *range = &pc.bus.ranges[range_number % pc.bus.range_count];
	unsigned size = 1u << (how >> 4) % 3;
	/* One port past the end too, which is where an off-by-one shows. */
	uint16_t port =
	        (uint16_t)(range->first + fuzz_take8(input) % (range->last - range->first + 2u));

	if (how & 8)
		pc_write(&pc, now, port, size, (uint32_t)fuzz_take(input, size));
	else
		pc_read(&pc, now, port, size);
}

static void access_memory(struct fuzz_input *input, uint8_t how)
{
	const struct bus_memory_range *range =
	        &pc.bus.memory[fuzz_take8(input) % pc.bus.memory_count];
	uint32_t value, at = range->first + fuzz_take16(input) % (range->last - range->first + 2u);
	unsigned size = 1u << (how >> 4) % 3;

	if (how & 8)
		bus_write_memory(&pc.bus, now, at, size, (uint32_t)fuzz_take(input, size));
	else
		bus_read_memory(&pc.bus, now, at, size, &value);
}

/* What a drive has to say or wants to be told, as far as it goes. */
static void move_data(struct fuzz_input *input, uint8_t how)
{
	unsigned size = how & 8 ? 4 : 2;

	for (unsigned i = fuzz_take16(input) % 1024; i > 0; i--) {
		if (pc.ide.disk.transfer == ATA_PIO_IN)
			pc_read(&pc, now, IDE_PORT, size);
		else
			pc_write(&pc, now, IDE_PORT, size, i);
	}
}

static void let_time_pass(struct fuzz_input *input)
{
	uint8_t step = fuzz_take8(input);

	now += (uint64_t)(step | 1) << step % (LONGEST_STEP - 7);
	pc_advance(&pc, now);
	uint64_t due = pc_next_due(&pc);
	MUST(due == VIRTUAL_TIME_NEVER || due > now || now - due < LATE);
}

static void come_from_outside(struct fuzz_input *input, uint8_t how)
{
	uint8_t vector;

	if (how & 0x10)
		pc_acknowledge(&pc, now, &vector);
	else if (how & 8)
		i8042_press(&pc.keyboard, fuzz_take16(input), how & 0x20);
	else
		ns16550_receive(how & 0x20 ? &pc.com1 : &pc.com2, now, fuzz_take8(input),
		                fuzz_take8(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};

	set_up();
	uint8_t chosen = fuzz_take8(&input);
	while (input.left) {
		uint8_t how = fuzz_take8(&input);
		switch (how & 7) {
		case 0:
			access_port(&input, how, fuzz_take8(&input));
			break;
		case 1:
			access_memory(&input, how);
			break;
		case 2:
			move_data(&input, how);
			break;
		case 3:
			let_time_pass(&input);
			break;
		case 4:
			come_from_outside(&input, how);
			break;
		default:
			access_port(&input, how, chosen);
		}
	}
	return 0;
}
