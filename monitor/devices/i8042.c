#include "monitor/devices/i8042.h"

/* Bits of the status register. */
enum {
	OUTPUT_FULL = 0x01,
	SYSTEM_FLAG = 0x04,
	WROTE_COMMAND = 0x08,
	NOT_LOCKED = 0x10,
	FROM_MOUSE = 0x20,
	TIMED_OUT = 0x40,
};

/* Bits of the command byte. */
enum {
	KEYBOARD_INTERRUPT = 0x01,
	MOUSE_INTERRUPT = 0x02,
	TESTED = 0x04,
	KEYBOARD_OFF = 0x10,
	MOUSE_OFF = 0x20,
	TRANSLATE = 0x40,
};

/* Bits of the output port. */
enum {
	NO_RESET = 0x01,
	ADDRESS_20 = 0x02,
	KEYBOARD_FULL = 0x10,
	MOUSE_FULL = 0x20,
	IDLE_LINES = 0xC0,
};

enum {
	READ_MEMORY = 0x20,
	WRITE_MEMORY = 0x60,
	MEMORY_COMMANDS = 0x20,
	MOUSE_DISABLE = 0xA7,
	MOUSE_ENABLE = 0xA8,
	MOUSE_TEST = 0xA9,
	SELF_TEST = 0xAA,
	KEYBOARD_TEST = 0xAB,
	KEYBOARD_DISABLE = 0xAD,
	KEYBOARD_ENABLE = 0xAE,
	READ_INPUT_PORT = 0xC0,
	READ_OUTPUT_PORT = 0xD0,
	WRITE_OUTPUT_PORT = 0xD1,
	FEIGN_KEYBOARD = 0xD2,
	FEIGN_MOUSE = 0xD3,
	TO_MOUSE = 0xD4,
	ADDRESS_20_OFF = 0xDD,
	ADDRESS_20_ON = 0xDF,
	READ_TEST_INPUTS = 0xE0,
	PULSE_LINES = 0xF0,
	TEST_PASSED = 0x55,
	LINE_GOOD = 0x00,
	NO_ANSWER = 0xFE,
	BREAK_PREFIX = 0xF0,
	SET_1_BREAK = 0x80,
	INPUT_PORT = 0x80, /* the keyboard is not locked */
};

static void drive(const struct line *line, bool *driven, bool level)
{
	if (*driven != level) {
		*driven = level;
		line_set(line, level);
	}
}

static void drive_lines(struct i8042 *controller)
{
	uint8_t status = controller->output_status, enabled = controller->memory[0];
	bool full = status & OUTPUT_FULL, mouse = status & FROM_MOUSE;

	drive(&controller->keyboard_line, &controller->keyboard_interrupt,
	      full && !mouse && (enabled & KEYBOARD_INTERRUPT));
	drive(&controller->mouse_line, &controller->mouse_interrupt,
	      full && mouse && (enabled & MOUSE_INTERRUPT));
}

/* The byte of set 1 for one from the keyboard. False: it was a prefix, and more must come. */
static bool translate(struct i8042 *controller, uint8_t *byte)
{
	uint8_t broken = controller->broken ? SET_1_BREAK : 0;

	if (!(controller->memory[0] & TRANSLATE))
		return true;
	controller->broken = *byte == BREAK_PREFIX;
	if (controller->broken)
		return false;
	*byte = ps2_keyboard_in_set_1(*byte) | broken;
	return true;
}

/* Puts the next byte into the output buffer, if it is empty: a reply of the controller's own comes
 * first. */
static void fill(struct i8042 *controller)
{
	uint8_t byte;

	if (controller->output_status & OUTPUT_FULL)
		return;
	if (controller->reply_status) {
		controller->output = controller->reply;
		controller->output_status = controller->reply_status;
		controller->reply_status = 0;
	}
	while (!(controller->output_status & OUTPUT_FULL) &&
	       !(controller->memory[0] & KEYBOARD_OFF) &&
	       ps2_keyboard_take(&controller->keyboard, &byte)) {
		if (!translate(controller, &byte))
			continue;
		controller->output = byte;
		controller->output_status = OUTPUT_FULL;
	}
	drive_lines(controller);
}

static void reply(struct i8042 *controller, uint8_t byte, uint8_t status)
{
	controller->reply = byte;
	controller->reply_status = OUTPUT_FULL | status;
	fill(controller);
}

static void write_output_port(struct i8042 *controller, uint8_t value)
{
	controller->output_port = value & (uint8_t) ~(KEYBOARD_FULL | MOUSE_FULL);
	if (!(value & NO_RESET))
		line_set(&controller->reset, true);
}

static uint8_t read_output_port(const struct i8042 *controller)
{
	uint8_t value = controller->output_port;

	if (controller->output_status & OUTPUT_FULL)
		value |= controller->output_status & FROM_MOUSE ? MOUSE_FULL : KEYBOARD_FULL;
	return value;
}

static void set_command_byte(struct i8042 *controller, uint8_t value)
{
	controller->memory[0] = value;
	drive_lines(controller);
	fill(controller);
}

static void pass_self_test(struct i8042 *controller)
{
	controller->memory[0] |= TESTED;
	reply(controller, TEST_PASSED, 0);
}

static void take_command(struct i8042 *controller, uint8_t command)
{
	uint8_t byte = controller->memory[0];

	switch (command) {
	case MOUSE_DISABLE:
		set_command_byte(controller, byte | MOUSE_OFF);
		break;
	case MOUSE_ENABLE:
		set_command_byte(controller, byte & (uint8_t)~MOUSE_OFF);
		break;
	case MOUSE_TEST:
	case KEYBOARD_TEST:
		reply(controller, LINE_GOOD, 0);
		break;
	case SELF_TEST:
		pass_self_test(controller);
		break;
	case KEYBOARD_DISABLE:
		set_command_byte(controller, byte | KEYBOARD_OFF);
		break;
	case KEYBOARD_ENABLE:
		set_command_byte(controller, byte & (uint8_t)~KEYBOARD_OFF);
		break;
	case READ_INPUT_PORT:
		reply(controller, INPUT_PORT, 0);
		break;
	case READ_OUTPUT_PORT:
		reply(controller, read_output_port(controller), 0);
		break;
	case READ_TEST_INPUTS:
		reply(controller, 0, 0);
		break;
	case WRITE_OUTPUT_PORT:
	case FEIGN_KEYBOARD:
	case FEIGN_MOUSE:
	case TO_MOUSE:
		controller->command = command;
		break;
	case ADDRESS_20_OFF:
		controller->output_port &= (uint8_t)~ADDRESS_20;
		break;
	case ADDRESS_20_ON:
		controller->output_port |= ADDRESS_20;
		break;
	default:
		break;
	}
}

static void write_command(struct i8042 *controller, uint8_t command)
{
	uint8_t group = command & (uint8_t) ~(MEMORY_COMMANDS - 1);

	controller->wrote_command = true;
	controller->command = 0;
	if (group == READ_MEMORY)
		reply(controller, controller->memory[command % I8042_MEMORY], 0);
	else if (group == WRITE_MEMORY)
		controller->command = command;
	else if (command >= PULSE_LINES) {
		if (!(command & NO_RESET))
			line_set(&controller->reset, true);
	} else {
		take_command(controller, command);
	}
}

static void take_data(struct i8042 *controller, uint8_t command, uint8_t value)
{
	switch (command) {
	case WRITE_MEMORY:
		set_command_byte(controller, value);
		break;
	case WRITE_OUTPUT_PORT:
		write_output_port(controller, value);
		break;
	case FEIGN_KEYBOARD:
		reply(controller, value, 0);
		break;
	case FEIGN_MOUSE:
		reply(controller, value, FROM_MOUSE);
		break;
	case TO_MOUSE:
		reply(controller, NO_ANSWER, FROM_MOUSE | TIMED_OUT);
		break;
	default:
		controller->memory[command % I8042_MEMORY] = value;
	}
}

/* To send to the keyboard, the controller lets its clock go. */
static void write_to_keyboard(struct i8042 *controller, uint8_t value)
{
	controller->memory[0] &= (uint8_t)~KEYBOARD_OFF;
	controller->broken = false;
	ps2_keyboard_write(&controller->keyboard, value);
	fill(controller);
}

static void write_data(struct i8042 *controller, uint8_t value)
{
	uint8_t command = controller->command;

	controller->wrote_command = false;
	controller->command = 0;
	if (command)
		take_data(controller, command, value);
	else
		write_to_keyboard(controller, value);
}

void i8042_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	(void)now, (void)size;
	if (port == I8042_COMMAND_PORT)
		write_command(chip, (uint8_t)value);
	else
		write_data(chip, (uint8_t)value);
}

static uint8_t read_status(const struct i8042 *controller)
{
	uint8_t status = NOT_LOCKED | controller->output_status;

	if (controller->memory[0] & TESTED)
		status |= SYSTEM_FLAG;
	if (controller->wrote_command)
		status |= WROTE_COMMAND;
	return status;
}

/* An empty buffer gives the byte that it last held. */
static uint8_t read_data(struct i8042 *controller)
{
	uint8_t byte = controller->output;

	controller->output_status = 0;
	drive_lines(controller);
	fill(controller);
	return byte;
}

uint32_t i8042_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	(void)now, (void)size;
	return port == I8042_COMMAND_PORT ? read_status(chip) : read_data(chip);
}

/* The status changes when a byte is read or written, or a key is pressed. */
bool i8042_steady(void *chip, uint64_t now, uint16_t port)
{
	(void)chip, (void)now;
	return port == I8042_COMMAND_PORT;
}

unsigned i8042_room(const struct i8042 *controller)
{
	return ps2_keyboard_room(&controller->keyboard);
}

bool i8042_press(struct i8042 *controller, uint16_t key, bool down)
{
	bool taken = ps2_keyboard_press(&controller->keyboard, key, down);

	fill(controller);
	return taken;
}

void i8042_reset(struct i8042 *controller)
{
	for (unsigned i = 0; i < I8042_MEMORY; i++)
		controller->memory[i] = 0;
	controller->memory[0] = KEYBOARD_OFF | MOUSE_OFF;
	controller->command = 0;
	controller->wrote_command = false;
	controller->output_port = NO_RESET | ADDRESS_20 | IDLE_LINES;
	controller->output = controller->output_status = controller->reply_status = 0;
	controller->broken = false;
	ps2_keyboard_reset(&controller->keyboard);
	drive_lines(controller);
}

void i8042_start(struct i8042 *controller)
{
	controller->memory[0] = KEYBOARD_INTERRUPT | TESTED | MOUSE_OFF | TRANSLATE;
}
