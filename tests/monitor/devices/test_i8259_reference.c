/* The interrupt controllers against a slow reference, written from the priority rules of the data
 * sheet: random programs of line changes, commands, initialisations, reads and acknowledges. */
#include "monitor/devices/i8259.h"
#include "tests/unit.h"

enum { MASTER = 0x20, SLAVE = 0xA0 };

static struct i8259_pair pic;

static void out(uint16_t port, uint8_t value)
{
	i8259_write(&pic, 0, port, 1, value);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)i8259_read(&pic, 0, port, 1);
}

static void initialise(uint16_t chip, uint8_t icw2, uint8_t icw3)
{
	out(chip, 0x11);
	out(chip + 1, icw2);
	out(chip + 1, icw3);
	out(chip + 1, 0x01);
}

static void set_up(void)
{
	memset(&pic, 0, sizeof(pic));
	i8259_reset(&pic);
	initialise(MASTER, 0x20, 0x04);
	initialise(SLAVE, 0x28, 0x02);
}

/* The reference: eight separate inputs, and a list of them in the order of priority. */
struct slow_input {
	bool line, edge, level, serving, masked;
};

struct slow_chip {
	struct slow_input input[8];
	int order[8], awaited;
	uint8_t icw1, icw2, icw3, icw4;
	bool rotating, special, show_serving, poll;
};

static struct slow_chip slow[2];

static void slow_lowest(struct slow_chip *chip, int level)
{
	for (int i = 0; i < 8; i++)
		chip->order[i] = (level + 1 + i) % 8;
}

static bool slow_asks(const struct slow_chip *chip, int i)
{
	const struct slow_input *input = &chip->input[i];

	return input->line && (input->edge || input->level || (chip->icw1 & 8));
}

static int slow_winner(const struct slow_chip *chip)
{
	if (chip->awaited)
		return -1;
	for (int i = 0; i < 8; i++) {
		int level = chip->order[i];
		const struct slow_input *input = &chip->input[level];
		bool nested_slave = chip == &slow[0] && (chip->icw4 & 0x10) && !(chip->icw1 & 2) &&
		                    (chip->icw3 >> level & 1);
		bool stops = input->serving && !(chip->special && input->masked);
		if (stops && !nested_slave)
			return -1;
		if (slow_asks(chip, level) && !input->masked)
			return level;
		if (stops)
			return -1;
	}
	return -1;
}

static void slow_line(struct slow_chip *chip, int i, bool level)
{
	if (level && !chip->input[i].line)
		chip->input[i].edge = true;
	if (!level)
		chip->input[i].edge = false;
	chip->input[i].line = level;
}

static void slow_cascade(void)
{
	slow_line(&slow[0], 2, slow_winner(&slow[1]) >= 0);
}

static int slow_take(struct slow_chip *chip)
{
	int level = slow_winner(chip);

	if (level < 0)
		return level;
	chip->input[level].edge = false;
	chip->input[level].serving = !(chip->icw4 & 2);
	if ((chip->icw4 & 2) && chip->rotating)
		slow_lowest(chip, level);
	if (chip == &slow[1])
		slow_line(&slow[0], 2, false);
	return level;
}

static uint8_t slow_vector(const struct slow_chip *chip, int level)
{
	level = level < 0 ? 7 : level;
	if (chip->icw4 & 1)
		return (uint8_t)(chip->icw2 / 8 * 8 + level);
	return (uint8_t)(chip->icw1 & 4 ? chip->icw1 / 32 * 32 + level * 4
	                                : chip->icw1 / 64 * 64 + level * 8);
}

static uint8_t slow_acknowledge(void)
{
	int level = slow_take(&slow[0]);

	if (level < 0 || (slow[0].icw1 & 2) || !(slow[0].icw3 >> level & 1))
		return slow_vector(&slow[0], level);
	if (slow[1].awaited || slow[1].icw3 % 8 != level)
		return 0xFF;
	return slow_vector(&slow[1], slow_take(&slow[1]));
}

static void slow_end(struct slow_chip *chip, int value)
{
	int level = -1;

	for (int i = 7; i >= 0; i--) {
		struct slow_input *input = &chip->input[chip->order[i]];
		if (input->serving && !(chip->special && input->masked))
			level = chip->order[i];
	}
	if (value & 0x40)
		level = value & 7;
	if (value & 0x20 && level >= 0)
		chip->input[level].serving = false;
	if ((value & 0x60) == 0)
		chip->rotating = value & 0x80;
	else if ((value & 0x80) && level >= 0)
		slow_lowest(chip, level);
}

static void slow_write(struct slow_chip *chip, int upper, uint8_t value)
{
	if (!upper && (value & 0x10)) {
		for (int i = 0; i < 8; i++)
			chip->input[i].edge = chip->input[i].serving = chip->input[i].masked =
			        false;
		chip->icw1 = value;
		chip->icw2 = chip->icw4 = 0;
		chip->icw3 = 7;
		chip->rotating = chip->special = chip->show_serving = chip->poll = false;
		chip->awaited = 2;
		slow_lowest(chip, 7);
	} else if (!upper && (value & 8)) {
		if (value & 0x40)
			chip->special = value & 0x20;
		if (value & 2)
			chip->show_serving = value & 1;
		chip->poll = value & 4;
	} else if (!upper) {
		slow_end(chip, value);
	} else if (chip->awaited == 2) {
		chip->icw2 = value;
		chip->awaited = !(chip->icw1 & 2) ? 3 : chip->icw1 & 1 ? 4 : 0;
	} else if (chip->awaited == 3) {
		chip->icw3 = value;
		chip->awaited = chip->icw1 & 1 ? 4 : 0;
	} else if (chip->awaited == 4) {
		chip->icw4 = value;
		chip->awaited = 0;
	} else {
		for (int i = 0; i < 8; i++)
			chip->input[i].masked = value >> i & 1;
	}
}

static uint8_t slow_read(struct slow_chip *chip, int upper)
{
	uint8_t value = 0;

	if (chip->poll) {
		chip->poll = false;
		int level = slow_take(chip);
		return (uint8_t)(level < 0 ? 0 : 0x80 + level);
	}
	for (int i = 0; i < 8; i++) {
		bool bit = upper                ? chip->input[i].masked
		           : chip->show_serving ? chip->input[i].serving
		                                : slow_asks(chip, i);
		value |= (uint8_t)(bit << i);
	}
	return value;
}

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static void random_step(void)
{
	static const uint8_t icw1[] = {0x11, 0x11, 0x11, 0x13, 0x19, 0x10, 0x15};
	static const uint8_t icw4[] = {0x01, 0x01, 0x03, 0x11, 0x13, 0x00, 0x0D};
	int which = (int)random_below(2);
	uint16_t port = which ? SLAVE : MASTER;
	uint32_t action = random_below(100);
	uint8_t value = (uint8_t)random_below(256);

	if (action < 40) {
		unsigned line = random_below(16);
		i8259_set_line(&pic, line, value & 1);
		if (line != 2)
			slow_line(&slow[line / 8], (int)line % 8, value & 1);
	} else if (action < 60) {
		if (pic.output || value < 16)
			CHECK_EQ(i8259_acknowledge(&pic), slow_acknowledge());
	} else if (action < 75) {
		value &= 0xE7;
		out(port, value);
		slow_write(&slow[which], 0, value);
	} else if (action < 82) {
		value = (value & 0x67) | 8;
		out(port, value);
		slow_write(&slow[which], 0, value);
	} else if (action < 89) {
		value &= (uint8_t)random_below(256);
		out(port + 1, value);
		slow_write(&slow[which], 1, value);
	} else if (action < 97) {
		CHECK_EQ(in(port + value % 2), slow_read(&slow[which], value % 2));
	} else if (action < 99) {
		out(0x4D0 + (uint16_t)which, value);
		for (int i = 0; i < 8; i++)
			slow[which].input[i].level = (value & (which ? 0xDE : 0xF8)) >> i & 1;
	} else {
		uint8_t words[] = {icw1[random_below(7)], value, which ? 2 : 4,
		                   icw4[random_below(7)]};
		if (random_below(10) == 0)
			words[2] = (uint8_t)random_below(256);
		for (int i = 0; i < 4 && (i == 0 || slow[which].awaited); i++) {
			int word = i ? slow[which].awaited - 1 : 0;
			out(port + (i != 0), words[word]);
			slow_write(&slow[which], i != 0, words[word]);
			slow_cascade();
		}
	}
	slow_cascade();
}

TEST(i8259_agrees_with_the_slow_reference)
{
	for (uint32_t program = 1; program <= 300 && !unit_failed; program++) {
		seed = program;
		set_up();
		memset(slow, 0, sizeof(slow));
		for (int i = 0; i < 2; i++) {
			slow[i] = (struct slow_chip){.icw1 = 0x11,
			                             .icw2 = (uint8_t)(0x20 + 8 * i),
			                             .icw3 = i ? 2 : 4,
			                             .icw4 = 1};
			slow_lowest(&slow[i], 7);
		}
		for (int step = 0; step < 2000 && !unit_failed; step++) {
			random_step();
			CHECK_EQ(pic.output, slow_winner(&slow[0]) >= 0);
			if (unit_failed)
				printf("program %u, step %d\n", program, step);
		}
	}
}

UNIT_MAIN
