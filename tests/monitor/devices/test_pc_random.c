/* A guest that does anything to any chip, at any time: nothing may go out of bounds, and time goes
 * on. The sanitizers are the judges. */
#include "monitor/devices/pc.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

#define ACCESSES 2000000
#define ROUND    2000 /* accesses until all is as at the start again */
#define MEMORY   0x10000u
#define SECTORS  300

static struct pc pc;
static uint8_t memory[MEMORY], disk[SECTORS * ATA_SECTOR];
static uint64_t state = 88172645463325252ull;
static unsigned interrupts, quiet_reads, answers_checked;
static uint64_t sectors_read, sectors_written;

static uint32_t random_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void see_interrupt(void *owner, unsigned input, bool level)
{
	(void)owner;
	(void)input;
	interrupts += level;
}

/* As guest memory does it: what is not there reads as ones. */
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

static const struct pc_outside outside = {.processor = {see_interrupt, NULL, 0},
                                          .nmi = {see_interrupt, NULL, 0},
                                          .read_memory = read_memory,
                                          .write_memory = write_memory,
                                          .disk = disk,
                                          .disk_sectors = SECTORS};

static void set_up(uint64_t now)
{
	sectors_read += pc.ide.disk.sectors_read;
	sectors_written += pc.ide.disk.sectors_written;
	memset(&pc, 0, sizeof(pc));
	pc_wire(&pc, &outside);
	pc_reset(&pc, now);
	pc_start(&pc, now, MEMORY);
	for (unsigned i = 0; i < MEMORY; i++)
		memory[i] = (uint8_t)random_number();
}

/* Mostly where chips are, and around them; the disk is the one with the most to go wrong. */
static uint16_t random_port(void)
{
	const struct bus_range *range = &pc.bus.ranges[random_number() % pc.bus.range_count];

	switch (random_number() % 8) {
	case 0:
		return (uint16_t)random_number();
	case 1:
	case 2:
		return (uint16_t)(IDE_PORT + random_number() % IDE_PORTS);
	case 3:
		return (uint16_t)(pc.ide_master_port + random_number() % IDE_MASTER_PORTS);
	default:
		return (uint16_t)(range->first +
		                  random_number() % (range->last - range->first + 2));
	}
}

/* Mostly what makes sense to the disk, which would be deaf or elsewhere otherwise. */
static uint32_t random_value(uint16_t port)
{
	static const uint8_t commands[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35,
	                                   0x39, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xEC};

	if (random_number() % 8 == 0)
		return random_number();
	switch (port) {
	case IDE_PORT + ATA_STATUS:
		return commands[random_number() % sizeof(commands)];
	case IDE_PORT + ATA_DEVICE:
		return ATA_DEVICE_LBA;
	case IDE_PORT + ATA_MIDDLE:
	case IDE_PORT + ATA_HIGH:
	case IDE_CONTROL_PORT:
		return 0;
	default:
		break;
	}
	return random_number() >> (random_number() % 4 * 8);
}

/* After a quiet one nobody asks when the next chip is due: it must not be earlier. */
static void read_port(uint64_t now, uint16_t port, unsigned size)
{
	uint64_t due = pc_next_due(&pc);
	uint32_t stirred = pc.bus.stirred;

	pc_read(&pc, now, port, size);
	if (pc.bus.stirred != stirred)
		return;
	quiet_reads++;
	if (pc_next_due(&pc) < due)
		CHECK_EQ(port, 0u);
}

static void access_port(uint64_t now)
{
	uint16_t port = random_port();
	unsigned size = 1u << random_number() % 3;

	if (random_number() & 1)
		read_port(now, port, size);
	else
		pc_write(&pc, now, port, size, random_value(port));
}

/* What stands in the place of a read is what a read gives, also later, and nobody asks for that
 * when the next chip is due. */
static void check_answer(uint64_t now)
{
	static struct pc copy;
	const struct bus_answer answer = pc.bus.answer;
	uint64_t due = pc_next_due(&pc);

	if (!answer.holds)
		return;
	answers_checked++;
	copy = pc;
	pc_wire(&copy, &outside);
	CHECK_EQ(pc_read(&copy, now, answer.port, 1), answer.value);
	CHECK(pc_next_due(&copy) >= due);
	now += random_number();
	pc_advance(&copy, now);
	CHECK_EQ(pc_read(&copy, now, answer.port, 1), answer.value);
}

/* What a drive has to say or wants to be told, as far as it goes. */
static void move_data(uint64_t now)
{
	for (unsigned i = random_number() % 4096; i > 0; i--) {
		unsigned size = 2u << random_number() % 2;
		if (pc.ide.disk.transfer == ATA_PIO_IN)
			pc_read(&pc, now, IDE_PORT, size);
		else
			pc_write(&pc, now, IDE_PORT, size, i);
	}
}

static void access_memory(uint64_t now)
{
	const struct bus_memory_range *range =
	        &pc.bus.memory[random_number() % pc.bus.memory_count];
	uint32_t at = range->first + random_number() % 0x1002, value;
	unsigned size = 1u << random_number() % 3;

	if (random_number() % 4)
		at &= ~0xFu;
	if (random_number() & 1)
		bus_read_memory(&pc.bus, now, at, size, &value);
	else
		bus_write_memory(&pc.bus, now, at, size, random_value(0));
}

TEST(nothing_goes_out_of_bounds)
{
	uint64_t now = 0;
	uint8_t vector;

	for (unsigned i = 0; i < ACCESSES; i++) {
		if (i % ROUND == 0)
			set_up(now);
		if (random_number() % 64 == 0)
			move_data(now);
		now += random_number() % 4096 << random_number() % 12;
		if (random_number() % 4)
			access_port(now);
		else
			access_memory(now);
		if (random_number() % 16 == 0)
			check_answer(now);
		if (random_number() % 16 == 0)
			pc_acknowledge(&pc, now, &vector);
		/* What was due has been done, or will be; it does not stay due for ever. */
		if (random_number() % 64 == 0) {
			pc_advance(&pc, now);
			uint64_t due = pc_next_due(&pc);
			CHECK(due == VIRTUAL_TIME_NEVER || due > now || now - due < 1000000000);
		}
	}
	CHECK(interrupts > 1000);
	CHECK(quiet_reads > 1000);
	CHECK(answers_checked > 1000);
	CHECK(sectors_read > 1000);
	CHECK(sectors_written > 1000);
}

UNIT_MAIN
