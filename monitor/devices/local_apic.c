#include "monitor/devices/local_apic.h"

#include "kernel/divide.h"
#include "monitor/devices/virtual_time.h"

/* Registers by their number, one every 16 bytes. */
enum {
	REGISTER_ID = 0x02,
	REGISTER_VERSION = 0x03,
	REGISTER_TASK_PRIORITY = 0x08,
	REGISTER_PROCESSOR_PRIORITY = 0x0A,
	REGISTER_END = 0x0B,
	REGISTER_LOGICAL_DESTINATION = 0x0D,
	REGISTER_DESTINATION_FORMAT = 0x0E,
	REGISTER_SPURIOUS = 0x0F,
	REGISTER_IN_SERVICE = 0x10,
	REGISTER_IS_LEVEL = 0x18,
	REGISTER_REQUESTS = 0x20,
	REGISTER_ERRORS = 0x28,
	REGISTER_COMMAND = 0x30,
	REGISTER_COMMAND_HIGH = 0x31,
	REGISTER_ENTRIES = 0x32,
	REGISTER_TIMER_INITIAL = 0x38,
	REGISTER_TIMER_CURRENT = 0x39,
	REGISTER_TIMER_DIVIDE = 0x3E,
};

enum {
	SPURIOUS_ENABLED = 1 << 8,
	SPURIOUS_WRITABLE = 0x3FF,
	SPURIOUS_AT_RESET = 0xFF,
	FORMAT_CLUSTER = 0,
	FORMAT_FIXED_BITS = 0x0FFFFFFF,
	ENTRY_MODE_SHIFT = 8,
	ENTRY_REMOTE_REQUEST = 1 << 14,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
	ENTRY_PERIODIC = 1 << 17,
	COMMAND_LOGICAL = 1 << 11,
	COMMAND_ASSERT = 1 << 14,
	COMMAND_WRITABLE = 0x000CCFFF,
	COMMAND_SHORTHAND_SHIFT = 18,
	DIVIDE_WRITABLE = 0x0B,
	BROADCAST = 0xFF,
	FIRST_VECTOR = 16,
	NO_VECTOR = -1,
};

/* The timer's bus is one of 1 GHz. */
#define SECOND 1000000000u

enum { TO_NAMED, TO_SELF, TO_ALL, TO_OTHERS };

enum { ERROR_SEND_VECTOR = 1 << 5, ERROR_RECEIVE_VECTOR = 1 << 6, ERROR_REGISTER = 1 << 7 };

static const uint32_t entry_writable[LOCAL_APIC_ENTRIES] = {
        [LOCAL_APIC_TIMER] = 0x000300FF,       [LOCAL_APIC_THERMAL] = 0x000107FF,
        [LOCAL_APIC_PERFORMANCE] = 0x000107FF, [LOCAL_APIC_LINT0] = 0x0001A7FF,
        [LOCAL_APIC_LINT1] = 0x0001A7FF,       [LOCAL_APIC_ERROR] = 0x000100FF,
};

static bool is_on(const struct local_apic *apic)
{
	return apic->base & LOCAL_APIC_ENABLED;
}

static bool is_software_on(const struct local_apic *apic)
{
	return is_on(apic) && apic->spurious & SPURIOUS_ENABLED;
}

static void set_bit(uint32_t bits[8], uint8_t vector, bool value)
{
	uint32_t bit = 1u << vector % 32;

	bits[vector / 32] = value ? bits[vector / 32] | bit : bits[vector / 32] & ~bit;
}

static bool get_bit(const uint32_t bits[8], uint8_t vector)
{
	return bits[vector / 32] >> vector % 32 & 1;
}

static int highest(const uint32_t bits[8])
{
	for (int i = 7; i >= 0; i--)
		if (bits[i])
			return i * 32 + 31 - __builtin_clz(bits[i]);
	return NO_VECTOR;
}

static uint8_t processor_priority(const struct local_apic *apic)
{
	int served = highest(apic->in_service);
	uint8_t class = served == NO_VECTOR ? 0 : (uint8_t)served & 0xF0;

	return (apic->task_priority & 0xF0) >= class ? apic->task_priority : class;
}

/* The vector that may interrupt the processor, or NO_VECTOR. */
static int winner(const struct local_apic *apic)
{
	int vector = highest(apic->requests);

	if (!is_software_on(apic) || vector == NO_VECTOR ||
	    (vector & 0xF0) <= (processor_priority(apic) & 0xF0))
		return NO_VECTOR;
	return vector;
}

static unsigned entry_mode(uint32_t entry)
{
	return entry >> ENTRY_MODE_SHIFT & 7;
}

/* Whether the 8259's request passes. */
static bool passes_ext_int(const struct local_apic *apic)
{
	uint32_t entry = apic->entries[LOCAL_APIC_LINT0];

	if (!apic->pins[0])
		return false;
	return !is_on(apic) || (!(entry & ENTRY_MASKED) && entry_mode(entry) == LOCAL_APIC_EXT_INT);
}

static void update(struct local_apic *apic)
{
	bool output = winner(apic) != NO_VECTOR || passes_ext_int(apic);

	if (output == apic->output)
		return;
	apic->output = output;
	line_set(&apic->processor, output);
}

static void request(struct local_apic *apic, uint8_t vector, bool level);

static void note_error(struct local_apic *apic, uint32_t error)
{
	uint32_t entry = apic->entries[LOCAL_APIC_ERROR];

	apic->errors |= error;
	if (!(entry & ENTRY_MASKED) && (uint8_t)entry >= FIRST_VECTOR)
		request(apic, (uint8_t)entry, false);
}

static void request(struct local_apic *apic, uint8_t vector, bool level)
{
	if (vector < FIRST_VECTOR) {
		note_error(apic, ERROR_RECEIVE_VECTOR);
		return;
	}
	set_bit(apic->requests, vector, true);
	set_bit(apic->is_level, vector, level);
	update(apic);
}

static void pulse_nmi(const struct local_apic *apic)
{
	line_set(&apic->nmi, true);
	line_set(&apic->nmi, false);
}

/* A level stays requested until it is served; a served one that is still there asks again. */
static void request_by_pin(struct local_apic *apic, unsigned pin, bool has_risen)
{
	uint32_t *entry = &apic->entries[LOCAL_APIC_LINT0 + pin];

	if (*entry & ENTRY_MASKED || !apic->pins[pin])
		return;
	switch (entry_mode(*entry)) {
	case LOCAL_APIC_FIXED:
		if (*entry & ENTRY_LEVEL && *entry & ENTRY_REMOTE_REQUEST)
			break;
		if (*entry & ENTRY_LEVEL)
			*entry |= ENTRY_REMOTE_REQUEST;
		if (*entry & ENTRY_LEVEL || has_risen)
			request(apic, (uint8_t)*entry, *entry & ENTRY_LEVEL);
		break;
	case LOCAL_APIC_NMI:
		if (has_risen)
			pulse_nmi(apic);
		break;
	case LOCAL_APIC_EXT_INT:
		break;
	default:
		apic->not_modelled += has_risen;
	}
}

void local_apic_set_pin(void *chip, unsigned pin, bool level)
{
	struct local_apic *apic = chip;
	bool has_risen = level && !apic->pins[pin];

	apic->pins[pin] = level;
	if (is_on(apic))
		request_by_pin(apic, pin, has_risen);
	else if (pin == 1 && has_risen)
		pulse_nmi(apic); /* the pins are INTR and NMI then */
	update(apic);
}

/* With one processor every cluster and every bit of it is this one's or nobody's. */
static bool is_for_me(const struct local_apic *apic, uint8_t destination, bool is_logical)
{
	uint8_t logical = (uint8_t)(apic->logical_destination >> 24);

	if (destination == BROADCAST)
		return true;
	if (!is_logical)
		return destination == 0;
	if (apic->destination_format >> 28 != FORMAT_CLUSTER)
		return destination & logical;
	return destination >> 4 == logical >> 4 && destination & logical & 0xF;
}

static bool take(struct local_apic *apic, const struct local_apic_message *message)
{
	switch (message->mode) {
	case LOCAL_APIC_FIXED:
	case LOCAL_APIC_LOWEST_PRIORITY:
		if (!is_software_on(apic))
			return false;
		request(apic, message->vector, message->is_level);
		return true;
	case LOCAL_APIC_NMI:
		pulse_nmi(apic);
		return true;
	case LOCAL_APIC_START_UP:
		return true; /* means something only to a processor that waits for it */
	default:
		apic->not_modelled++;
		return true;
	}
}

bool local_apic_accept(struct local_apic *apic, const struct local_apic_message *message)
{
	return is_on(apic) && is_for_me(apic, message->destination, message->is_logical) &&
	       take(apic, message);
}

bool local_apic_requests(const struct local_apic *apic, uint8_t vector)
{
	return get_bit(apic->requests, vector);
}

bool local_apic_acknowledge(struct local_apic *apic, uint8_t *vector)
{
	int won = winner(apic);

	if (won == NO_VECTOR)
		return false;
	*vector = (uint8_t)won;
	set_bit(apic->requests, *vector, false);
	set_bit(apic->in_service, *vector, true);
	if (*vector == (uint8_t)apic->entries[LOCAL_APIC_TIMER] && late_ticks_take(&apic->late))
		set_bit(apic->requests, *vector, true);
	update(apic);
	return true;
}

static void end(struct local_apic *apic)
{
	int vector = highest(apic->in_service);

	if (vector == NO_VECTOR)
		return;
	set_bit(apic->in_service, (uint8_t)vector, false);
	if (get_bit(apic->is_level, (uint8_t)vector)) {
		for (unsigned pin = 0; pin < 2; pin++) {
			if ((uint8_t)apic->entries[LOCAL_APIC_LINT0 + pin] != vector)
				continue;
			apic->entries[LOCAL_APIC_LINT0 + pin] &= ~(uint32_t)ENTRY_REMOTE_REQUEST;
			request_by_pin(apic, pin, false);
		}
		if (apic->end)
			apic->end(apic->owner, (uint8_t)vector);
	}
	update(apic);
}

/* A level that is taken back, as INIT has it, means nothing to APICs since the Pentium 4. */
static void send(struct local_apic *apic, uint32_t command)
{
	unsigned to = command >> COMMAND_SHORTHAND_SHIFT & 3;
	const struct local_apic_message message = {
	        .vector = (uint8_t)command,
	        .mode = entry_mode(command),
	        .destination = (uint8_t)(apic->command[1] >> 24),
	        .is_logical = command & COMMAND_LOGICAL,
	};
	bool mine = to == TO_SELF || to == TO_ALL ||
	            (to == TO_NAMED && is_for_me(apic, message.destination, message.is_logical));

	if (message.mode <= LOCAL_APIC_LOWEST_PRIORITY && message.vector < FIRST_VECTOR) {
		note_error(apic, ERROR_SEND_VECTOR);
		return;
	}
	if (message.mode == LOCAL_APIC_INIT && !(command & COMMAND_ASSERT))
		return;
	if (mine)
		take(apic, &message);
}

static unsigned timer_shift(const struct local_apic *apic)
{
	return ((apic->timer_divide & 3) + (apic->timer_divide >> 1 & 4) + 1) & 7;
}

static uint32_t timer_current(const struct local_apic *apic, uint64_t now)
{
	if (!apic->timer_runs)
		return 0;
	return apic->timer_count - (uint32_t)((now - apic->timer_start) >> timer_shift(apic));
}

static uint64_t timer_end(const struct local_apic *apic)
{
	return apic->timer_start + ((uint64_t)apic->timer_count << timer_shift(apic));
}

static void timer_begin(struct local_apic *apic, uint64_t now, uint32_t count)
{
	apic->timer_count = count;
	apic->timer_start = now;
	apic->timer_runs = count != 0;
}

/* The interrupt for one of the rounds that have ended; the others are late, and so is this one if
 * the last has not been taken yet. */
static void timer_request(struct local_apic *apic, uint64_t now, uint64_t rounds)
{
	uint32_t entry = apic->entries[LOCAL_APIC_TIMER];
	uint64_t late = rounds - 1 + get_bit(apic->requests, (uint8_t)entry);

	if (entry & ENTRY_MASKED)
		return;
	if (late)
		late_ticks_add(&apic->late, now, late,
		               (uint64_t)apic->timer_initial << timer_shift(apic), SECOND);
	request(apic, (uint8_t)entry, false);
}

/* The present round begins where the last whole one ended. */
static void timer_go_round(struct local_apic *apic, uint64_t now)
{
	uint64_t end = timer_end(apic), rounds;
	uint32_t rest;

	rounds = divide_by_word((now - end) >> timer_shift(apic), apic->timer_initial, &rest);
	timer_begin(apic, end + ((rounds * apic->timer_initial) << timer_shift(apic)),
	            apic->timer_initial);
	timer_request(apic, now, rounds + 1);
}

void local_apic_advance(struct local_apic *apic, uint64_t now)
{
	uint32_t entry = apic->entries[LOCAL_APIC_TIMER];

	late_ticks_limit(&apic->late, now, SECOND);
	if (!apic->timer_runs || now < timer_end(apic))
		return;
	if (entry & ENTRY_PERIODIC && apic->timer_initial) {
		timer_go_round(apic, now);
		return;
	}
	apic->timer_runs = false;
	if (!(entry & ENTRY_MASKED))
		request(apic, (uint8_t)entry, false);
}

uint64_t local_apic_next_due(const struct local_apic *apic)
{
	if (!apic->timer_runs || apic->entries[LOCAL_APIC_TIMER] & ENTRY_MASKED)
		return VIRTUAL_TIME_NEVER;
	return timer_end(apic);
}

/* Everything but the base register and what the pins say. */
static void clear(struct local_apic *apic)
{
	late_ticks_forget(&apic->late);
	*apic = (struct local_apic){
	        .base = apic->base,
	        .pins = {apic->pins[0], apic->pins[1]},
	        .output = apic->output,
	        .destination_format = UINT32_MAX,
	        .spurious = SPURIOUS_AT_RESET,
	        .not_modelled = apic->not_modelled,
	        .late = apic->late,
	        .processor = apic->processor,
	        .nmi = apic->nmi,
	        .end = apic->end,
	        .owner = apic->owner,
	};
	for (unsigned i = 0; i < LOCAL_APIC_ENTRIES; i++)
		apic->entries[i] = ENTRY_MASKED;
	update(apic);
}

void local_apic_reset(struct local_apic *apic)
{
	apic->base = LOCAL_APIC_ADDRESS | LOCAL_APIC_ENABLED | LOCAL_APIC_BOOT_PROCESSOR;
	apic->not_modelled = 0;
	clear(apic);
}

void local_apic_start(struct local_apic *apic)
{
	apic->spurious = SPURIOUS_ENABLED | SPURIOUS_AT_RESET;
	apic->entries[LOCAL_APIC_LINT0] = LOCAL_APIC_EXT_INT << ENTRY_MODE_SHIFT;
	apic->entries[LOCAL_APIC_LINT1] = LOCAL_APIC_NMI << ENTRY_MODE_SHIFT;
	update(apic);
}

bool local_apic_set_base(struct local_apic *apic, uint64_t now, uint64_t value)
{
	local_apic_advance(apic, now);
	if ((value & ~(uint64_t)LOCAL_APIC_ENABLED) !=
	    (LOCAL_APIC_ADDRESS | LOCAL_APIC_BOOT_PROCESSOR))
		return false;
	apic->base = value;
	if (!is_on(apic))
		clear(apic);
	return true;
}

static uint32_t read_register(struct local_apic *apic, uint64_t now, unsigned number)
{
	if (number >= REGISTER_IN_SERVICE && number < REGISTER_IS_LEVEL)
		return apic->in_service[number - REGISTER_IN_SERVICE];
	if (number >= REGISTER_IS_LEVEL && number < REGISTER_REQUESTS)
		return apic->is_level[number - REGISTER_IS_LEVEL];
	if (number >= REGISTER_REQUESTS && number < REGISTER_ERRORS)
		return apic->requests[number - REGISTER_REQUESTS];
	if (number >= REGISTER_ENTRIES && number < REGISTER_ENTRIES + LOCAL_APIC_ENTRIES)
		return apic->entries[number - REGISTER_ENTRIES];
	switch (number) {
	case REGISTER_ID:
	case REGISTER_END:
		return 0;
	case REGISTER_VERSION:
		return (LOCAL_APIC_ENTRIES - 1) << 16 | LOCAL_APIC_VERSION;
	case REGISTER_TASK_PRIORITY:
		return apic->task_priority;
	case REGISTER_PROCESSOR_PRIORITY:
		return processor_priority(apic);
	case REGISTER_LOGICAL_DESTINATION:
		return apic->logical_destination;
	case REGISTER_DESTINATION_FORMAT:
		return apic->destination_format;
	case REGISTER_SPURIOUS:
		return apic->spurious;
	case REGISTER_ERRORS:
		return apic->errors_shown;
	case REGISTER_COMMAND:
	case REGISTER_COMMAND_HIGH:
		return apic->command[number - REGISTER_COMMAND];
	case REGISTER_TIMER_INITIAL:
		return apic->timer_initial;
	case REGISTER_TIMER_CURRENT:
		return timer_current(apic, now);
	case REGISTER_TIMER_DIVIDE:
		return apic->timer_divide;
	default:
		note_error(apic, ERROR_REGISTER);
		return 0;
	}
}

uint32_t local_apic_read(void *chip, uint64_t now, uint32_t offset, unsigned size)
{
	struct local_apic *apic = chip;

	if (!is_on(apic))
		return UINT32_MAX >> (32 - 8 * size);
	local_apic_advance(apic, now);
	if (offset % 16 >= 4)
		return 0;
	return read_register(apic, now, offset / 16) >> 8 * (offset % 16);
}

static void write_entry(struct local_apic *apic, unsigned number, uint32_t value)
{
	uint32_t *entry = &apic->entries[number];
	uint32_t forced = apic->spurious & SPURIOUS_ENABLED ? 0 : ENTRY_MASKED;

	*entry = (value & entry_writable[number]) | (*entry & ENTRY_REMOTE_REQUEST) | forced;
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~(uint32_t)ENTRY_REMOTE_REQUEST;
	if (number == LOCAL_APIC_TIMER)
		late_ticks_forget(&apic->late);
	if (number == LOCAL_APIC_LINT0 || number == LOCAL_APIC_LINT1)
		request_by_pin(apic, number - LOCAL_APIC_LINT0, false);
}

static void write_spurious(struct local_apic *apic, uint32_t value)
{
	apic->spurious = value & SPURIOUS_WRITABLE;
	if (value & SPURIOUS_ENABLED)
		return;
	for (unsigned i = 0; i < LOCAL_APIC_ENTRIES; i++)
		apic->entries[i] |= ENTRY_MASKED;
	late_ticks_forget(&apic->late);
}

/* The counter goes on from where it is, at its new speed. */
static void write_divide(struct local_apic *apic, uint64_t now, uint32_t value)
{
	uint32_t current = timer_current(apic, now);

	apic->timer_divide = value & DIVIDE_WRITABLE;
	late_ticks_forget(&apic->late);
	timer_begin(apic, now, current);
}

/* long because it is one table of registers */
static void write_register(struct local_apic *apic, uint64_t now, unsigned number, uint32_t value)
{
	if (number >= REGISTER_ENTRIES && number < REGISTER_ENTRIES + LOCAL_APIC_ENTRIES) {
		write_entry(apic, number - REGISTER_ENTRIES, value);
		return;
	}
	switch (number) {
	case REGISTER_TASK_PRIORITY:
		apic->task_priority = (uint8_t)value;
		break;
	case REGISTER_END:
		end(apic);
		break;
	case REGISTER_LOGICAL_DESTINATION:
		apic->logical_destination = value & 0xFF000000;
		break;
	case REGISTER_DESTINATION_FORMAT:
		apic->destination_format = value | FORMAT_FIXED_BITS;
		break;
	case REGISTER_SPURIOUS:
		write_spurious(apic, value);
		break;
	case REGISTER_ERRORS:
		apic->errors_shown = apic->errors;
		apic->errors = 0;
		break;
	case REGISTER_COMMAND:
		apic->command[0] = value & COMMAND_WRITABLE;
		send(apic, value);
		break;
	case REGISTER_COMMAND_HIGH:
		apic->command[1] = value & 0xFF000000;
		break;
	case REGISTER_TIMER_INITIAL:
		apic->timer_initial = value;
		late_ticks_forget(&apic->late);
		timer_begin(apic, now, value);
		break;
	case REGISTER_TIMER_DIVIDE:
		write_divide(apic, now, value);
		break;
	case REGISTER_ID:
	case REGISTER_VERSION:
	case REGISTER_PROCESSOR_PRIORITY:
	case REGISTER_TIMER_CURRENT:
		break; /* can only be read */
	default:
		if (number < REGISTER_IN_SERVICE || number >= REGISTER_ERRORS)
			note_error(apic, ERROR_REGISTER);
	}
}

/* The manuals define 32-bit accesses only; a write of less has no effect here. */
void local_apic_write(void *chip, uint64_t now, uint32_t offset, unsigned size, uint32_t value)
{
	struct local_apic *apic = chip;

	if (!is_on(apic) || size != 4 || offset % 16)
		return;
	local_apic_advance(apic, now);
	write_register(apic, now, offset / 16, value);
	update(apic);
}
