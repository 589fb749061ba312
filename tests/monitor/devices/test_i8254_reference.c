/* The interval timer against a counter that really ticks, written from the data sheet pulse by
 * pulse: random programs of control words, counts, gate changes, latches and reads, on one counter.
 */
#include "monitor/devices/i8254.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

static struct i8254 timer;
static uint64_t tick;
static uint32_t seed;

struct slow {
	int access, mode, count, element, modulus;
	uint8_t control, low;
	bool bcd, gate, out, count_written, loaded, null, load, trigger, armed, second_byte, odd;
	bool second_read;
	uint8_t queue[3]; /* latched bytes, the next one first */
	int queued, latched, status;
	bool rose;
};

static struct slow slow;

static void slow_out(bool level)
{
	slow.rose |= level && !slow.out;
	slow.out = level;
}

static void slow_take_count(void)
{
	slow.element = slow.count;
	slow.null = slow.load = slow.trigger = false;
	slow.loaded = slow.armed = true;
}

static void slow_decrement(int by)
{
	slow.element -= by;
	if (slow.element < 0)
		slow.element += slow.modulus;
}

static void slow_count_down(bool out_at_zero)
{
	slow_decrement(1);
	if (slow.element == 0 && slow.armed) {
		slow_out(out_at_zero);
		slow.armed = false;
	}
}

static void slow_rate(void)
{
	bool now_low = !slow.out;

	if (slow.load || slow.trigger || (slow.loaded && slow.gate && now_low)) {
		slow_take_count();
		slow_out(true);
	} else if (slow.loaded && slow.gate) {
		slow_decrement(1);
		if (slow.element == 1)
			slow_out(false);
	}
}

static void slow_square(void)
{
	bool start = slow.load || slow.trigger;
	bool last = slow.odd && slow.out ? slow.element == 0 : slow.element == 2;

	if (!start && !(slow.loaded && slow.gate))
		return;
	if (!start && !last) {
		slow_decrement(2);
		return;
	}
	slow_take_count();
	slow.odd = slow.count & 1;
	slow.element -= slow.odd;
	slow_out(start || !slow.out);
}

/* One clock pulse. */
static void slow_pulse(void)
{
	bool counts = slow.loaded && slow.gate;

	switch (slow.mode) {
	case 0:
		if (slow.load)
			slow_take_count();
		else if (counts && !slow.second_byte)
			slow_count_down(true);
		break;
	case 1:
		if (slow.trigger) {
			slow_take_count();
			slow_out(false);
		} else if (slow.loaded) {
			slow_count_down(true);
		}
		break;
	case 2:
		slow_rate();
		break;
	case 3:
		slow_square();
		break;
	case 4:
		slow_out(true);
		if (slow.load)
			slow_take_count();
		else if (counts)
			slow_count_down(false);
		break;
	case 5:
		slow_out(true);
		if (slow.trigger)
			slow_take_count();
		else if (slow.loaded)
			slow_count_down(false);
		break;
	}
}

static void slow_program(uint8_t control)
{
	slow.control = control & 0x3F;
	slow.access = control >> 4 & 3;
	slow.mode = control >> 1 & 7;
	slow.mode = slow.mode >= 6 ? slow.mode - 4 : slow.mode;
	slow.bcd = control & 1;
	slow.modulus = slow.bcd ? 10000 : 65536;
	slow.count_written = slow.loaded = slow.load = slow.trigger = slow.second_byte = false;
	slow.second_read = false;
	slow.null = true;
	slow.element = 0;
	slow.queued = slow.latched = slow.status = 0;
	slow_out(slow.mode != 0);
}

static void slow_set_count(int raw)
{
	slow.count = raw;
	if (slow.bcd)
		slow.count = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 +
		             raw % 16;
	if (slow.count == 0)
		slow.count = slow.modulus;
	slow.count_written = slow.null = true;
	if (slow.mode == 0)
		slow_out(false);
	if (slow.mode == 0 || slow.mode == 4 || ((slow.mode & 2) && !slow.loaded))
		slow.load = true;
}

static void slow_write(uint8_t value)
{
	if (slow.access == 1) {
		slow_set_count(value);
	} else if (slow.access == 2) {
		slow_set_count(value << 8);
	} else if (slow.second_byte) {
		slow.second_byte = false;
		slow_set_count(value << 8 | slow.low);
	} else {
		slow.second_byte = true;
		slow.low = value;
		if (slow.mode == 0)
			slow_out(false);
	}
}

static void slow_gate(bool level)
{
	bool periodic = slow.mode == 2 || slow.mode == 3;

	if (level && !slow.gate && slow.count_written && slow.mode != 0 && slow.mode != 4)
		slow.trigger = true;
	if (!level && periodic)
		slow_out(true);
	slow.gate = level;
}

static int slow_raw(void)
{
	int count = slow.element % slow.modulus;

	if (!slow.bcd)
		return count;
	return count / 1000 << 12 | count / 100 % 10 << 8 | count / 10 % 10 << 4 | count % 10;
}

static void slow_read_back(bool count, bool status)
{
	if (count && !slow.latched) {
		int raw = slow_raw();
		if (slow.access != 2)
			slow.queue[slow.latched++] = (uint8_t)raw;
		if (slow.access != 1)
			slow.queue[slow.latched++] = (uint8_t)(raw >> 8);
		slow.queued = slow.latched;
		slow.second_read = false;
	}
	if (status && !slow.status)
		slow.status = 0x100 | slow.out << 7 | slow.null << 6 | slow.control;
}

static uint8_t slow_read(void)
{
	if (slow.status) {
		int status = slow.status;
		slow.status = 0;
		return (uint8_t)status;
	}
	if (slow.latched)
		return slow.queue[slow.queued - slow.latched--];
	bool high = slow.access == 2 || (slow.access == 3 && slow.second_read);
	slow.second_read = slow.access == 3 && !slow.second_read;
	return (uint8_t)(high ? slow_raw() >> 8 : slow_raw());
}

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static uint64_t now(void)
{
	return i8254_time_of(tick);
}

static uint8_t random_count_byte(void)
{
	uint8_t value = (uint8_t)(random_below(4) ? random_below(12) : random_below(256));

	if (slow.bcd)
		value = (uint8_t)(random_below(10) | (random_below(8) ? 0 : random_below(10) << 4));
	/* A square wave of count one is forbidden by the data sheet and undefined. */
	if (slow.mode == 3 && value == 1)
		value = 3;
	return value;
}

/* Writes a whole count, so that a forbidden one is not put together by accident; sometimes half of
 * it. */
static void random_count(void)
{
	for (int bytes = slow.access == 3 ? 2 : 1; bytes; bytes--) {
		uint8_t value = random_count_byte();
		if (slow.second_byte && random_below(4))
			value = 0;
		i8254_write(&timer, now(), 0x42, 1, value);
		slow_write(value);
		if (random_below(16) == 0)
			return;
	}
}

static void random_action(void)
{
	uint32_t action = random_below(20);

	if (action == 0) {
		uint8_t control = (uint8_t)(0x80 | (1 + random_below(3)) << 4 |
		                            random_below(8) << 1 | (random_below(3) == 0));
		i8254_write(&timer, now(), 0x43, 1, control);
		slow_program(control);
		random_count();
	} else if (action < 4) {
		random_count();
	} else if (action < 9) {
		bool level = random_below(2);
		i8254_set_gate(&timer, now(), 2, level);
		slow_gate(level);
	} else if (action < 13) {
		bool count = random_below(2), status = random_below(2);
		uint32_t value = 0xC8U | (count ? 0 : 0x20) | (status ? 0 : 0x10);
		if (count && !status && random_below(2))
			value = 0x80;
		i8254_write(&timer, now(), 0x43, 1, value);
		slow_read_back(count, status);
	} else {
		CHECK_EQ(i8254_read(&timer, now(), 0x42, 1), slow_read());
	}
}

static bool rose;

static void hear(void *owner, unsigned input, bool level)
{
	(void)owner, (void)input;
	rose |= level;
}

/* Lets some ticks pass on the slow one and jumps there with the other one. */
static void pass(uint32_t ticks)
{
	uint64_t due = i8254_next_due(&timer), first = VIRTUAL_TIME_NEVER;

	rose = slow.rose = false;
	for (uint32_t i = 1; i <= ticks; i++) {
		slow_pulse();
		if (slow.rose && first == VIRTUAL_TIME_NEVER)
			first = i8254_time_of(tick + i);
	}
	if (first != VIRTUAL_TIME_NEVER)
		CHECK_EQ(due, first);
	tick += ticks;
	CHECK(first != VIRTUAL_TIME_NEVER || due > now());
	i8254_advance(&timer, now());
	CHECK_EQ(rose, slow.rose);
	CHECK_EQ(timer.channel[2].output, slow.out);
}

TEST(i8254_agrees_with_the_slow_reference)
{
	for (uint32_t program = 1; program <= 400 && !unit_failed; program++) {
		seed = program;
		tick = program;
		memset(&timer, 0, sizeof(timer));
		memset(&slow, 0, sizeof(slow));
		timer.channel[2].line.set = hear;
		i8254_reset(&timer, now());
		slow_program(0x30);
		for (int step = 0; step < 600 && !unit_failed; step++) {
			random_action();
			CHECK_EQ(timer.channel[2].output, slow.out);
			pass(random_below(300) ? random_below(14) : random_below(140000));
			if (unit_failed)
				printf("program %u, step %d, mode %d\n", program, step, slow.mode);
		}
	}
}

UNIT_MAIN
