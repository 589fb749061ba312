#include "monitor/devices/i8259.h"

enum {
	ICW1_NEEDS_ICW4 = 0x01,
	ICW1_SINGLE = 0x02,
	ICW1_INTERVAL_4 = 0x04,
	ICW1_LEVEL = 0x08,
	ICW1 = 0x10,
	ICW4_8086 = 0x01,
	ICW4_AUTO_END = 0x02,
	ICW4_SPECIAL_FULLY_NESTED = 0x10,
	OCW2_END = 0x20,
	OCW2_SPECIFIC = 0x40,
	OCW2_ROTATE = 0x80,
	OCW3 = 0x08,
	OCW3_SELECT_IN_SERVICE = 0x01,
	OCW3_SELECT = 0x02,
	OCW3_POLL = 0x04,
	OCW3_SPECIAL_MASK = 0x20,
	OCW3_SET_SPECIAL_MASK = 0x40,
	POLL_REQUEST = 0x80,
	NO_LEVEL = 8,
	SPURIOUS_LEVEL = 7,
	FLOATING_BUS = 0xFF,
};

/* Timer, keyboard and cascade, clock and coprocessor are edge-triggered for ever. */
enum { MASTER_MAY_BE_LEVEL = 0xF8, SLAVE_MAY_BE_LEVEL = 0xDE };

static uint8_t rotate_right(uint8_t bits, unsigned count)
{
	return (uint8_t)(bits >> count | bits << (8 - count));
}

static uint8_t chip_requests(const struct i8259 *chip)
{
	uint8_t level = chip->icw[1] & ICW1_LEVEL ? 0xFF : chip->level;

	return chip->lines & (chip->edges | level);
}

/* The bit with the highest priority among `bits`, which are not zero, as a level. */
static unsigned chip_first(const struct i8259 *chip, uint8_t bits)
{
	unsigned highest = (chip->lowest + 1U) & 7;

	return ((unsigned)__builtin_ctz(rotate_right(bits, highest)) + highest) & 7;
}

/* Levels in service that hold others back. */
static uint8_t chip_blockers(const struct i8259 *chip)
{
	return chip->special_mask ? chip->in_service & (uint8_t)~chip->mask : chip->in_service;
}

static bool chip_has_slave(const struct i8259 *chip, unsigned level)
{
	return !(chip->icw[1] & ICW1_SINGLE) && chip->icw[3] >> level & 1;
}

/* The level that the chip asks the processor to serve, or NO_LEVEL. */
static unsigned chip_winner(const struct i8259 *chip, bool is_master)
{
	uint8_t pending = chip_requests(chip) & (uint8_t)~chip->mask;
	uint8_t blockers = chip_blockers(chip);

	if (chip->next_icw != 0 || pending == 0)
		return NO_LEVEL;
	unsigned level = chip_first(chip, pending);
	/* A slave that is in service may ask again: its own priorities decide. */
	if (is_master && chip->icw[4] & ICW4_SPECIAL_FULLY_NESTED && chip_has_slave(chip, level))
		blockers &= (uint8_t) ~(1U << level);
	if (blockers == 0)
		return level;
	unsigned highest = (chip->lowest + 1U) & 7;
	unsigned blocked_from = (chip_first(chip, blockers) - highest) & 7;
	return ((level - highest) & 7) < blocked_from ? level : NO_LEVEL;
}

static void chip_set_line(struct i8259 *chip, unsigned level, bool high)
{
	uint8_t bit = (uint8_t)(1U << level);

	if (!high) {
		chip->lines &= (uint8_t)~bit;
		chip->edges &= (uint8_t)~bit;
		return;
	}
	if (!(chip->lines & bit))
		chip->edges |= bit;
	chip->lines |= bit;
}

static void pair_update(struct i8259_pair *pair)
{
	chip_set_line(&pair->master, I8259_CASCADE_LINE,
	              chip_winner(&pair->slave, false) != NO_LEVEL);
	bool output = chip_winner(&pair->master, true) != NO_LEVEL;
	if (output == pair->output)
		return;
	pair->output = output;
	line_set(&pair->processor, output);
}

void i8259_reset(struct i8259_pair *pair)
{
	struct i8259 *chips[] = {&pair->master, &pair->slave};

	for (unsigned i = 0; i < 2; i++)
		*chips[i] = (struct i8259){.lines = chips[i]->lines, .next_icw = 1, .lowest = 7};
	pair->acknowledged = pair->spurious = 0;
	pair_update(pair);
}

void i8259_set_line(struct i8259_pair *pair, unsigned input, bool level)
{
	if (input == I8259_CASCADE_LINE)
		return;
	chip_set_line(input < 8 ? &pair->master : &pair->slave, input & 7, level);
	pair_update(pair);
}

bool i8259_is_waiting(const struct i8259_pair *pair, unsigned input)
{
	const struct i8259 *chip = input < 8 ? &pair->master : &pair->slave;

	return chip->edges & ~chip->mask & 1U << (input & 7);
}

static void chip_end(struct i8259 *chip, unsigned level, bool rotate)
{
	chip->in_service &= (uint8_t) ~(1U << level);
	if (rotate)
		chip->lowest = (uint8_t)level;
}

/* Takes the winner into service and gives its level, or NO_LEVEL. */
static unsigned chip_take(struct i8259 *chip, bool is_master)
{
	unsigned level = chip_winner(chip, is_master);

	if (level == NO_LEVEL)
		return NO_LEVEL;
	chip->edges &= (uint8_t) ~(1U << level);
	chip->in_service |= (uint8_t)(1U << level);
	if (chip->icw[4] & ICW4_AUTO_END)
		chip_end(chip, level, chip->rotate_on_auto_end);
	return level;
}

/* What the chip puts on the bus in the second acknowledge cycle. In the mode for the 8080 that is
 * the low half of a call address; the processor of a PC takes it as a vector all the same. */
static uint8_t chip_vector(const struct i8259 *chip, unsigned level)
{
	if (level == NO_LEVEL)
		level = SPURIOUS_LEVEL;
	if (chip->icw[4] & ICW4_8086)
		return (uint8_t)((chip->icw[2] & 0xF8) | level);
	if (chip->icw[1] & ICW1_INTERVAL_4)
		return (uint8_t)((chip->icw[1] & 0xE0) | level << 2);
	return (uint8_t)((chip->icw[1] & 0xC0) | level << 3);
}

/* The slave answers when the number on the cascade lines is its own, asked for or not. */
static uint8_t slave_acknowledge(struct i8259_pair *pair, unsigned number)
{
	struct i8259 *slave = &pair->slave;

	if (slave->next_icw != 0 || (slave->icw[3] & 7) != number)
		return FLOATING_BUS;
	unsigned level = chip_take(slave, false);
	pair->spurious += level == NO_LEVEL;
	/* Its output falls during the cycle, so a request that waits behind is a new edge. */
	chip_set_line(&pair->master, I8259_CASCADE_LINE, false);
	return chip_vector(slave, level);
}

uint8_t i8259_acknowledge(struct i8259_pair *pair)
{
	unsigned level = chip_take(&pair->master, true);
	uint8_t vector;

	pair->acknowledged++;
	if (level != NO_LEVEL && chip_has_slave(&pair->master, level)) {
		vector = slave_acknowledge(pair, level);
	} else {
		pair->spurious += level == NO_LEVEL;
		vector = chip_vector(&pair->master, level);
	}
	pair_update(pair);
	return vector;
}

static uint8_t chip_read(struct i8259 *chip, bool is_master, bool upper)
{
	if (chip->poll) {
		chip->poll = false;
		unsigned level = chip_take(chip, is_master);
		return level == NO_LEVEL ? 0 : (uint8_t)(POLL_REQUEST | level);
	}
	if (upper)
		return chip->mask;
	return chip->read_in_service ? chip->in_service : chip_requests(chip);
}

static void chip_begin(struct i8259 *chip, uint8_t value)
{
	/* Only what rises from here on is an edge. */
	*chip = (struct i8259){
	        .lines = chip->lines, .level = chip->level, .next_icw = 2, .lowest = 7};
	chip->icw[1] = value;
	chip->icw[3] = 7;
}

static void chip_initialise(struct i8259 *chip, uint8_t value)
{
	bool single = chip->icw[1] & ICW1_SINGLE, wants_icw4 = chip->icw[1] & ICW1_NEEDS_ICW4;

	chip->icw[chip->next_icw] = value;
	if (chip->next_icw == 2 && !single)
		chip->next_icw = 3;
	else if (chip->next_icw != 4 && wants_icw4)
		chip->next_icw = 4;
	else
		chip->next_icw = 0;
}

static void chip_end_command(struct i8259 *chip, uint8_t value)
{
	bool rotate = value & OCW2_ROTATE;
	unsigned level = value & 7;

	switch (value & (OCW2_END | OCW2_SPECIFIC)) {
	case OCW2_END | OCW2_SPECIFIC:
		chip_end(chip, level, rotate);
		break;
	case OCW2_END:
		/* In special mask mode the unspecific end cannot see what is masked. */
		if (chip_blockers(chip))
			chip_end(chip, chip_first(chip, chip_blockers(chip)), rotate);
		break;
	case OCW2_SPECIFIC:
		if (rotate)
			chip->lowest = (uint8_t)level;
		break;
	default:
		chip->rotate_on_auto_end = rotate;
	}
}

static void chip_control(struct i8259 *chip, uint8_t value)
{
	if (value & OCW3_SET_SPECIAL_MASK)
		chip->special_mask = value & OCW3_SPECIAL_MASK;
	if (value & OCW3_SELECT)
		chip->read_in_service = value & OCW3_SELECT_IN_SERVICE;
	chip->poll = value & OCW3_POLL;
}

static void chip_write(struct i8259 *chip, bool upper, uint8_t value)
{
	if (!upper && value & ICW1)
		chip_begin(chip, value);
	else if (!upper && value & OCW3)
		chip_control(chip, value);
	else if (!upper)
		chip_end_command(chip, value);
	else if (chip->next_icw >= 2)
		chip_initialise(chip, value);
	else
		chip->mask = value;
}

static bool port_is_level(uint16_t port)
{
	return (port & 0xFFFE) == I8259_LEVEL_PORT;
}

static struct i8259 *port_chip(struct i8259_pair *pair, uint16_t port)
{
	bool slave = port_is_level(port) ? port & 1 : port >= I8259_SLAVE_PORT;

	return slave ? &pair->slave : &pair->master;
}

uint32_t i8259_read(void *controllers, uint64_t now, uint16_t port, unsigned size)
{
	struct i8259_pair *pair = controllers;
	struct i8259 *chip = port_chip(pair, port);

	(void)now, (void)size;
	if (port_is_level(port))
		return chip->level;
	bool polled = chip->poll;
	uint8_t value = chip_read(chip, chip == &pair->master, port & 1);
	/* As in the acknowledge cycle, the output falls before the next request raises it. */
	if (polled && chip == &pair->slave)
		chip_set_line(&pair->master, I8259_CASCADE_LINE, false);
	pair_update(pair);
	return value;
}

void i8259_write(void *controllers, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct i8259_pair *pair = controllers;
	struct i8259 *chip = port_chip(pair, port);

	(void)now, (void)size;
	if (!port_is_level(port))
		chip_write(chip, port & 1, (uint8_t)value);
	else
		chip->level =
		        (uint8_t)value & (port & 1 ? SLAVE_MAY_BE_LEVEL : MASTER_MAY_BE_LEVEL);
	pair_update(pair);
}
