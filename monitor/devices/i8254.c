#include "monitor/devices/i8254.h"

#include "kernel/divide.h"
#include "monitor/devices/virtual_time.h"

#define NEVER VIRTUAL_TIME_NEVER

enum {
	CONTROL_BCD = 0x01,
	CONTROL_MODE_SHIFT = 1,
	CONTROL_ACCESS_SHIFT = 4,
	CONTROL_KEPT = 0x3F,
	CONTROL_CHANNEL_SHIFT = 6,
	ACCESS_LATCH = 0,
	ACCESS_LOW = 1,
	ACCESS_HIGH = 2,
	ACCESS_BOTH = 3,
	READ_BACK = 3,
	READ_BACK_NO_STATUS = 0x10,
	READ_BACK_NO_COUNT = 0x20,
	READ_BACK_CHANNEL_0 = 0x02,
	STATUS_OUTPUT = 0x80,
	STATUS_NULL_COUNT = 0x40,
};

/* A tick lasts 17600/21 ns: 105/88 MHz is 21 ticks in 17600 ns, so the arithmetic has no remainder
 * to lose. 64 bits of nanoseconds times 21 last for 27 years. */
enum { TICKS = 21, TICKS_NANOSECONDS = 17600, SECOND = 1193182 };

uint64_t i8254_tick_at(uint64_t now)
{
	uint32_t rest;

	return divide_by_word(now * TICKS, TICKS_NANOSECONDS, &rest);
}

uint64_t i8254_time_of(uint64_t tick)
{
	uint32_t rest;

	if (tick == NEVER)
		return NEVER;
	return divide_by_word(tick * TICKS_NANOSECONDS + TICKS - 1, TICKS, &rest);
}

/* Modes 2 and 3 are also known as 6 and 7. */
static unsigned channel_mode(const struct i8254_channel *channel)
{
	unsigned mode = channel->control >> CONTROL_MODE_SHIFT & 7;

	return mode > 5 ? mode - 4 : mode;
}

static unsigned channel_access(const struct i8254_channel *channel)
{
	return channel->control >> CONTROL_ACCESS_SHIFT & 3;
}

static uint32_t channel_modulus(const struct i8254_channel *channel)
{
	return channel->control & CONTROL_BCD ? 10000 : 65536;
}

static bool channel_is_periodic(const struct i8254_channel *channel)
{
	return channel_mode(channel) == 2 || channel_mode(channel) == 3;
}

static bool channel_needs_trigger(const struct i8254_channel *channel)
{
	return channel_mode(channel) == 1 || channel_mode(channel) == 5;
}

/* How many clock pulses the count register stands for. */
static uint32_t channel_count(const struct i8254_channel *channel)
{
	uint32_t raw = channel->count_register, modulus = channel_modulus(channel);

	if (channel->control & CONTROL_BCD)
		raw = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 +
		      (raw & 15);
	if (raw == 0)
		return modulus;
	/* The output of mode 2 falls when the count goes down to one. A count that begins at one
	 * gets there only after it has gone round. */
	return raw == 1 && channel_mode(channel) == 2 ? modulus + 1 : raw;
}

/* The position in the period at which the counter stands; *periods gets the whole ones before. */
static uint32_t channel_position(const struct i8254_channel *channel, uint64_t tick,
                                 uint64_t *periods)
{
	uint64_t elapsed = tick - channel->start;
	uint32_t position;

	if (channel->starts_low)
		elapsed += (channel->period + 1) / 2;
	*periods = divide_by_word(elapsed, channel->period, &position);
	return position;
}

static uint32_t channel_rate(const struct i8254_channel *channel, uint32_t position)
{
	uint32_t count = channel->period - position;

	return count == channel_modulus(channel) + 1 ? 1 : count;
}

static uint32_t channel_square_wave(const struct i8254_channel *channel, uint32_t position)
{
	uint32_t high_half = (channel->period + 1) / 2;

	if (position >= high_half)
		position -= high_half;
	return (channel->period & ~1U) - 2 * position;
}

/* The counting element as a number of pulses. */
static uint32_t channel_element(const struct i8254_channel *channel, uint64_t tick)
{
	uint64_t elapsed = tick - channel->start, periods;
	uint32_t modulus = channel_modulus(channel), rest;

	if (!channel->running)
		return channel->initial;
	if (channel_mode(channel) == 2)
		return channel_rate(channel, channel_position(channel, tick, &periods));
	if (channel_mode(channel) == 3)
		return channel_square_wave(channel, channel_position(channel, tick, &periods));
	if (elapsed <= channel->initial)
		return channel->initial - (uint32_t)elapsed;
	divide_by_word(elapsed - channel->initial, modulus, &rest);
	return rest ? modulus - rest : 0;
}

static uint16_t channel_read_count(const struct i8254_channel *channel, uint64_t tick)
{
	uint32_t count = channel_element(channel, tick);

	if (!(channel->control & CONTROL_BCD))
		return (uint16_t)count;
	count %= 10000;
	return (uint16_t)(count / 1000 << 12 | count / 100 % 10 << 8 | count / 10 % 10 << 4 |
	                  count % 10);
}

static bool channel_level(const struct i8254_channel *channel, uint64_t tick)
{
	uint64_t periods;

	switch (channel_mode(channel)) {
	case 0:
	case 1:
		return tick >= channel->zero;
	case 2:
		return !channel->running ||
		       channel_position(channel, tick, &periods) != channel->period - 1;
	case 3:
		return !channel->running ||
		       channel_position(channel, tick, &periods) < (channel->period + 1) / 2;
	default:
		return tick != channel->zero;
	}
}

/* The first tick after `tick` at which the output rises by counting alone, without any load. */
static uint64_t channel_rise(const struct i8254_channel *channel, uint64_t tick)
{
	uint64_t periods, offset;

	switch (channel_mode(channel)) {
	case 0:
	case 1:
		return channel->zero > tick ? channel->zero : NEVER;
	case 2:
	case 3:
		if (!channel->running || channel->period == 1)
			return NEVER;
		channel_position(channel, tick, &periods);
		offset = channel->starts_low ? (channel->period + 1) / 2 : 0;
		return channel->start + (periods + 1) * channel->period - offset;
	default:
		return channel->zero != NEVER && channel->zero >= tick ? channel->zero + 1 : NEVER;
	}
}

/* The first tick after `tick` at which a new count may take over in the periodic modes. */
static uint64_t channel_cycle_end(const struct i8254_channel *channel, uint64_t tick)
{
	uint64_t periods;
	uint32_t position = channel_position(channel, tick, &periods);
	uint32_t high_half = (channel->period + 1) / 2;

	if (channel_mode(channel) == 3 && position < high_half)
		return tick + (high_half - position);
	return tick + (channel->period - position);
}

static bool channel_may_count(const struct i8254_channel *channel)
{
	if (channel_needs_trigger(channel))
		return true;
	/* In mode 0 the first of two bytes stops the counter until the second one comes. */
	return channel->gate && !(channel_mode(channel) == 0 && channel->write_high_next);
}

static void channel_load(struct i8254_channel *channel)
{
	bool was_high = channel_level(channel, channel->load - 1);

	channel->starts_low = channel->load_ends_cycle && channel_mode(channel) == 3 && was_high;
	channel->start = channel->load;
	channel->period = channel_count(channel);
	channel->initial = channel_mode(channel) == 3 ? channel->period & ~1U : channel->period;
	channel->running = channel_may_count(channel);
	channel->zero = channel->running ? channel->start + channel->period : NEVER;
	channel->loaded = true;
	channel->null_count = false;
	channel->load = NEVER;
	channel->load_ends_cycle = false;
}

static void channel_drive(struct i8254_channel *channel, bool level)
{
	if (channel->output == level)
		return;
	channel->output = level;
	line_set(&channel->line, level);
}

static void channel_pulse(struct i8254_channel *channel)
{
	channel_drive(channel, false);
	channel_drive(channel, true);
}

static bool channel_waits(const struct i8254_channel *channel)
{
	return channel->is_waiting && channel->is_waiting(channel->owner);
}

/* How often the output rose after `settled` up to the tick, the first time at `first`. */
static uint64_t channel_rises(const struct i8254_channel *channel, uint64_t first, uint64_t tick)
{
	uint32_t rest;

	if (first > tick)
		return 0;
	return channel_is_periodic(channel)
	               ? 1 + divide_by_word(tick - first, channel->period, &rest)
	               : 1;
}

/* Tells the line what happened after `settled` up to the tick, with no load in between. However
 * many edges there were, the last one says it all, for a line cannot count; all but one of them are
 * late where somebody takes them, and so is the last if the one before it has not been taken. */
static void channel_tell(struct i8254_channel *channel, uint64_t tick)
{
	uint64_t rises = channel_rises(channel, channel_rise(channel, channel->settled), tick);

	if (rises) {
		bool was_waiting = channel_waits(channel);
		channel_pulse(channel);
		if (channel_is_periodic(channel) && channel_waits(channel))
			late_ticks_add(&channel->late, tick, rises - 1 + was_waiting,
			               channel->period, SECOND);
	}
	channel_drive(channel, channel_level(channel, tick));
	channel->settled = tick;
}

/* The last tick has been taken: the next one that is late comes while the output is high, as it
 * would have been. */
static void channel_catch_up(struct i8254_channel *channel)
{
	if (channel->output && !channel_waits(channel) && late_ticks_take(&channel->late))
		channel_pulse(channel);
}

static uint64_t channel_settle(struct i8254_channel *channel, uint64_t now)
{
	uint64_t tick = i8254_tick_at(now);

	if (tick < channel->settled)
		tick = channel->settled;
	late_ticks_limit(&channel->late, tick, SECOND);
	if (channel->load <= tick) {
		uint64_t load = channel->load;
		channel_tell(channel, load - 1);
		channel_load(channel);
		channel_drive(channel, channel_level(channel, load));
		channel->settled = load;
	}
	channel_tell(channel, tick);
	return tick;
}

static void channel_stop(struct i8254_channel *channel, uint64_t tick)
{
	channel->initial = channel_element(channel, tick);
	channel->start = tick;
	channel->running = false;
	channel->starts_low = false;
	if (channel->zero > tick)
		channel->zero = NEVER;
}

static void channel_resume(struct i8254_channel *channel, uint64_t tick)
{
	channel->start = tick;
	channel->running = true;
	if (channel->zero == NEVER)
		channel->zero = tick + channel->initial;
}

static void channel_program(struct i8254_channel *channel, uint64_t tick, uint8_t control)
{
	channel->control = control & CONTROL_KEPT;
	/* What it shows before a count is loaded is undefined; zero is as good as anything. */
	channel->initial = 0;
	channel->start = tick;
	channel->running = channel->starts_low = false;
	channel->read_high_next = channel->write_high_next = false;
	channel->latched_bytes = 0;
	channel->status_latched = false;
	channel->count_register = 0;
	channel->count_written = channel->loaded = false;
	channel->null_count = true;
	channel->load = NEVER;
	channel->load_ends_cycle = false;
	late_ticks_forget(&channel->late);
	/* Waiting for its count the output of a one-shot is high, as if it had run out long ago. */
	channel->zero = channel_mode(channel) == 1 ? 0 : NEVER;
}

static void channel_set_count(struct i8254_channel *channel, uint64_t tick, uint16_t count)
{
	channel->count_register = count;
	channel->count_written = true;
	channel->null_count = true;
	if (channel_mode(channel) == 0)
		channel->zero = NEVER;
	if (channel_needs_trigger(channel))
		return;
	if (!channel_is_periodic(channel) || !channel->loaded) {
		channel->load = tick + 1;
	} else if (channel->running && channel->load == NEVER) {
		channel->load = channel_cycle_end(channel, tick);
		channel->load_ends_cycle = true;
	}
}

static void channel_write_count(struct i8254_channel *channel, uint64_t tick, uint8_t value)
{
	switch (channel_access(channel)) {
	case ACCESS_LOW:
		channel_set_count(channel, tick, value);
		return;
	case ACCESS_HIGH:
		channel_set_count(channel, tick, (uint16_t)(value << 8));
		return;
	}
	if (channel->write_high_next) {
		channel->write_high_next = false;
		channel_set_count(channel, tick, (uint16_t)(value << 8 | channel->low_written));
		return;
	}
	channel->write_high_next = true;
	channel->low_written = value;
	if (channel_mode(channel) == 0) {
		channel_stop(channel, tick);
		channel->zero = NEVER;
	}
}

static void channel_latch_count(struct i8254_channel *channel, uint64_t tick)
{
	if (channel->latched_bytes)
		return;
	channel->latched_count = channel_read_count(channel, tick);
	channel->latched_bytes = channel_access(channel) == ACCESS_BOTH ? 2 : 1;
	channel->read_high_next = false;
}

static void channel_latch_status(struct i8254_channel *channel, uint64_t tick)
{
	if (channel->status_latched)
		return;
	channel->status_latched = true;
	channel->latched_status = channel->control;
	if (channel_level(channel, tick))
		channel->latched_status |= STATUS_OUTPUT;
	if (channel->null_count)
		channel->latched_status |= STATUS_NULL_COUNT;
}

static uint8_t channel_read(struct i8254_channel *channel, uint64_t tick)
{
	if (channel->status_latched) {
		channel->status_latched = false;
		return channel->latched_status;
	}
	uint16_t count = channel->latched_count;
	if (channel->latched_bytes)
		channel->latched_bytes--;
	else
		count = channel_read_count(channel, tick);
	bool high = channel_access(channel) == ACCESS_HIGH;
	if (channel_access(channel) == ACCESS_BOTH) {
		high = channel->read_high_next;
		channel->read_high_next = !high;
	}
	return (uint8_t)(high ? count >> 8 : count);
}

static void timer_read_back(struct i8254 *timer, uint64_t now, uint8_t value)
{
	for (unsigned i = 0; i < I8254_CHANNELS; i++) {
		if (!(value & READ_BACK_CHANNEL_0 << i))
			continue;
		uint64_t tick = channel_settle(&timer->channel[i], now);
		if (!(value & READ_BACK_NO_COUNT))
			channel_latch_count(&timer->channel[i], tick);
		if (!(value & READ_BACK_NO_STATUS))
			channel_latch_status(&timer->channel[i], tick);
	}
}

static void timer_control(struct i8254 *timer, uint64_t now, uint8_t value)
{
	unsigned number = value >> CONTROL_CHANNEL_SHIFT;

	if (number == READ_BACK) {
		timer_read_back(timer, now, value);
		return;
	}
	struct i8254_channel *channel = &timer->channel[number];
	uint64_t tick = channel_settle(channel, now);
	if ((value >> CONTROL_ACCESS_SHIFT & 3) == ACCESS_LATCH)
		channel_latch_count(channel, tick);
	else
		channel_program(channel, tick, value);
	channel_drive(channel, channel_level(channel, tick));
}

void i8254_reset(struct i8254 *timer, uint64_t now)
{
	for (unsigned i = 0; i < I8254_CHANNELS; i++) {
		struct i8254_channel *channel = &timer->channel[i];
		*channel = (struct i8254_channel){.settled = i8254_tick_at(now),
		                                  .line = channel->line,
		                                  .is_waiting = channel->is_waiting,
		                                  .owner = channel->owner,
		                                  .late = channel->late,
		                                  .gate = i != 2};
		channel_program(channel, channel->settled, ACCESS_BOTH << CONTROL_ACCESS_SHIFT);
		line_set(&channel->line, false);
	}
}

void i8254_advance(struct i8254 *timer, uint64_t now)
{
	for (unsigned i = 0; i < I8254_CHANNELS; i++)
		channel_settle(&timer->channel[i], now);
	i8254_catch_up(timer);
}

void i8254_catch_up(struct i8254 *timer)
{
	for (unsigned i = 0; i < I8254_CHANNELS; i++)
		if (timer->channel[i].late.count)
			channel_catch_up(&timer->channel[i]);
}

static uint64_t channel_next_rise(struct i8254_channel channel)
{
	uint64_t rise = channel_rise(&channel, channel.settled), load = channel.load;

	if (rise < load || load == NEVER)
		return rise;
	bool before = channel_level(&channel, load - 1);
	channel_load(&channel);
	if (!before && channel_level(&channel, load))
		return load;
	return channel_rise(&channel, load);
}

uint64_t i8254_next_due(const struct i8254 *timer)
{
	uint64_t due = NEVER;

	for (unsigned i = 0; i < I8254_CHANNELS; i++) {
		if (timer->channel[i].line.set)
			due = virtual_time_earlier(due, channel_next_rise(timer->channel[i]));
	}
	return i8254_time_of(due);
}

void i8254_set_gate(struct i8254 *timer, uint64_t now, unsigned number, bool level)
{
	struct i8254_channel *channel = &timer->channel[number];
	uint64_t tick = channel_settle(channel, now);

	if (channel->gate == level)
		return;
	channel->gate = level;
	if (!level && !channel_needs_trigger(channel)) {
		channel_stop(channel, tick);
		/* A new count that waited for the end of the cycle now waits for the trigger. */
		if (channel->load_ends_cycle)
			channel->load = NEVER;
		channel->load_ends_cycle = false;
	} else if (level && (channel_is_periodic(channel) || channel_needs_trigger(channel))) {
		if (channel->count_written)
			channel->load = tick + 1;
	} else if (level && channel->loaded && channel_may_count(channel)) {
		channel_resume(channel, tick);
	}
	channel_drive(channel, channel_level(channel, tick));
}

bool i8254_output(struct i8254 *timer, uint64_t now, unsigned number)
{
	channel_settle(&timer->channel[number], now);
	return timer->channel[number].output;
}

uint32_t i8254_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct i8254 *timer = chip;
	unsigned number = port & 3;

	(void)size;
	/* The control word cannot be read: nobody drives the bus. */
	if (number == I8254_CHANNELS)
		return 0xFF;
	return channel_read(&timer->channel[number], channel_settle(&timer->channel[number], now));
}

void i8254_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct i8254 *timer = chip;
	unsigned number = port & 3;

	(void)size;
	if (number == I8254_CHANNELS) {
		timer_control(timer, now, (uint8_t)value);
		return;
	}
	struct i8254_channel *channel = &timer->channel[number];
	uint64_t tick = channel_settle(channel, now);
	channel_write_count(channel, tick, (uint8_t)value);
	channel_drive(channel, channel_level(channel, tick));
}
