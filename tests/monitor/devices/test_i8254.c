/* The interval timer: each mode's wave form, tick by tick, as the data sheet draws it, and the port
 * side. */
#include "monitor/devices/i8254.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

enum { CONTROL = 0x43, LOW = 0x10, HIGH = 0x20, BOTH = 0x30, BCD = 1, STATUS_0 = 0xE2 };

static struct i8254 timer;
static uint64_t tick;
static unsigned rises;

static void count_rises(void *owner, unsigned input, bool level)
{
	CHECK(owner == &timer);
	CHECK_EQ(input, 5);
	rises += level;
}

static void out(uint16_t port, uint8_t value)
{
	i8254_write(&timer, i8254_time_of(tick), port, 1, value);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)i8254_read(&timer, i8254_time_of(tick), port, 1);
}

static void gate(bool level)
{
	i8254_set_gate(&timer, i8254_time_of(tick), 2, level);
}

static void set_up(void)
{
	memset(&timer, 0, sizeof(timer));
	timer.channel[0].line = (struct line){count_rises, &timer, 5};
	tick = 1000;
	rises = 0;
	i8254_reset(&timer, i8254_time_of(tick));
	gate(true);
}

static void program(unsigned channel, unsigned mode, uint8_t count)
{
	out(CONTROL, (uint8_t)(channel << 6 | LOW | mode << 1));
	out((uint16_t)(0x40 + channel), count);
}

/* Output and count of channel 2 for so many ticks, like "H3 H2 L1"; the access must be low byte. */
static const char *wave(unsigned ticks)
{
	static char text[512];

	text[0] = 0;
	for (unsigned i = 0; i < ticks; i++, tick++) {
		bool level = i8254_output(&timer, i8254_time_of(tick), 2);
		size_t length = strlen(text);
		snprintf(text + length, sizeof(text) - length, "%s%c%x", i ? " " : "",
		         level ? 'H' : 'L', in(0x42));
	}
	return text;
}

TEST(i8254_ticks_are_exact_for_hours)
{
	CHECK_EQ(i8254_tick_at(0), 0);
	CHECK_EQ(i8254_tick_at(838), 0);
	CHECK_EQ(i8254_tick_at(839), 1);
	CHECK_EQ(i8254_time_of(1), 839);
	CHECK_EQ(i8254_tick_at(88000000ULL * 1000), 105000000);
	/* Ten hours, and ten years. */
	CHECK_EQ(i8254_tick_at(36000ULL * 1000000000), 42954545454);
	CHECK_EQ(i8254_tick_at(10ULL * 365 * 86400 * 1000000000), 376281818181818);
	for (uint64_t i = 0; i < 100000; i += 7) {
		CHECK_EQ(i8254_tick_at(i8254_time_of(i)), i);
		CHECK(i == 0 || i8254_tick_at(i8254_time_of(i) - 1) == i - 1);
	}
	CHECK_EQ(i8254_time_of(VIRTUAL_TIME_NEVER), VIRTUAL_TIME_NEVER);
}

TEST(i8254_mode_0_interrupts_on_terminal_count)
{
	set_up();
	program(2, 0, 4);
	CHECK_STR(wave(8), "L0 L4 L3 L2 L1 H0 Hff Hfe");
	/* A new count lowers the output at once and starts anew. */
	out(0x42, 2);
	CHECK_STR(wave(5), "Lfd L2 L1 H0 Hff");
}

TEST(i8254_mode_0_counts_only_while_the_gate_is_high)
{
	set_up();
	program(2, 0, 3);
	CHECK_STR(wave(2), "L0 L3");
	gate(false);
	CHECK_STR(wave(3), "L2 L2 L2");
	gate(true);
	CHECK_STR(wave(4), "L2 L1 H0 Hff");
	gate(false);
	CHECK_STR(wave(2), "Hfe Hfe");
	/* Loaded behind a closed gate: N pulses after it opens, without one for the load. */
	out(0x42, 2);
	CHECK_STR(wave(3), "Lfe L2 L2");
	gate(true);
	CHECK_STR(wave(3), "L2 L1 H0");
}

TEST(i8254_mode_0_the_first_of_two_bytes_stops_the_count)
{
	set_up();
	out(CONTROL, 0x80 | BOTH);
	out(0x42, 3);
	out(0x42, 0);
	tick += 2;
	out(0x42, 2);
	uint8_t stopped_low = in(0x42);
	tick += 5;
	CHECK_EQ(in(0x42), 0);
	CHECK_EQ(stopped_low, 2);
	CHECK_EQ(in(0x42), 2);
	CHECK_EQ(in(0x42), 0);
	CHECK(!i8254_output(&timer, i8254_time_of(tick), 2));
	gate(false);
	gate(true);
	tick += 5;
	CHECK_EQ(in(0x42), 2);
	CHECK_EQ(in(0x42), 0);
	out(0x42, 0);
	tick += 3;
	CHECK(i8254_output(&timer, i8254_time_of(tick), 2));
	CHECK_EQ(in(0x42), 0);
}

TEST(i8254_mode_1_is_a_retriggerable_one_shot)
{
	set_up();
	program(2, 1, 3);
	CHECK_STR(wave(3), "H0 H0 H0");
	gate(false);
	gate(true);
	CHECK_STR(wave(7), "H0 L3 L2 L1 H0 Hff Hfe");
	gate(false);
	CHECK_STR(wave(2), "Hfd Hfc");
	gate(true);
	CHECK_STR(wave(3), "Hfb L3 L2");
	gate(false);
	gate(true);
	CHECK_STR(wave(5), "L1 L3 L2 L1 H0");
	/* A new count waits for the next trigger. */
	gate(false);
	gate(true);
	CHECK_STR(wave(2), "Hff L3");
	out(0x42, 2);
	CHECK_STR(wave(3), "L2 L1 H0");
	gate(false);
	gate(true);
	CHECK_STR(wave(4), "Hff L2 L1 H0");
}

TEST(i8254_mode_2_divides_by_the_count)
{
	set_up();
	program(2, 2, 3);
	CHECK_STR(wave(8), "H0 H3 H2 L1 H3 H2 L1 H3");
	/* A new count waits for the end of the cycle. */
	out(0x42, 4);
	CHECK_STR(wave(7), "H2 L1 H4 H3 H2 L1 H4");
}

TEST(i8254_mode_2_the_gate_stops_raises_and_restarts)
{
	set_up();
	program(2, 2, 3);
	CHECK_STR(wave(3), "H0 H3 H2");
	gate(false);
	CHECK_STR(wave(3), "H1 H1 H1");
	gate(true);
	CHECK_STR(wave(5), "H1 H3 H2 L1 H3");
	/* With the trigger comes the new count. */
	gate(false);
	out(0x42, 2);
	CHECK_STR(wave(2), "H2 H2");
	gate(true);
	CHECK_STR(wave(4), "H2 H2 L1 H2");
	/* A pulse of the gate between two clock pulses is a trigger, too; the level decides after
	 * it. */
	gate(false);
	gate(true);
	gate(false);
	CHECK_STR(wave(3), "H1 H2 H2");
}

TEST(i8254_mode_2_with_a_count_of_one_goes_all_the_way_round)
{
	set_up();
	program(2, 2, 1);
	CHECK_STR(wave(4), "H0 H1 H0 Hff");
	tick = 1001 + 65535;
	CHECK_STR(wave(4), "H2 L1 H1 H0");
}

TEST(i8254_mode_3_is_a_square_wave)
{
	set_up();
	program(2, 3, 4);
	CHECK_STR(wave(9), "H0 H4 H2 L4 L2 H4 H2 L4 L2");
	set_up();
	program(2, 3, 5);
	CHECK_STR(wave(12), "H0 H4 H2 H0 L4 L2 H4 H2 H0 L4 L2 H4");
	set_up();
	program(2, 3, 2);
	CHECK_STR(wave(6), "H0 H2 L2 H2 L2 H2");
	set_up();
	program(2, 3, 3);
	CHECK_STR(wave(8), "H0 H2 H0 L2 H2 H0 L2 H2");
}

TEST(i8254_mode_3_a_new_count_begins_with_the_next_half_wave)
{
	set_up();
	program(2, 3, 6);
	CHECK_STR(wave(3), "H0 H6 H4");
	out(0x42, 4);
	CHECK_STR(wave(7), "H2 L4 L2 H4 H2 L4 L2");
	out(0x42, 3);
	CHECK_STR(wave(8), "H4 H2 L2 H2 H0 L2 H2 H0");
}

TEST(i8254_mode_3_the_gate_raises_the_output_and_restarts)
{
	set_up();
	program(2, 3, 4);
	CHECK_STR(wave(4), "H0 H4 H2 L4");
	gate(false);
	CHECK_STR(wave(3), "H2 H2 H2");
	gate(true);
	CHECK_STR(wave(6), "H2 H4 H2 L4 L2 H4");
}

TEST(i8254_mode_4_strobes_once_after_the_count)
{
	set_up();
	program(2, 4, 3);
	CHECK_STR(wave(7), "H0 H3 H2 H1 L0 Hff Hfe");
	gate(false);
	CHECK_STR(wave(2), "Hfd Hfd");
	out(0x42, 2);
	CHECK_STR(wave(2), "Hfd H2");
	gate(true);
	CHECK_STR(wave(4), "H2 H1 L0 Hff");
	/* The strobe ends with the next clock pulse, whatever the gate does meanwhile. */
	out(0x42, 1);
	CHECK_STR(wave(2), "Hfe H1");
	gate(false);
	CHECK_STR(wave(1), "L0");
	CHECK_STR(wave(2), "H0 H0");
	gate(true);
	uint64_t opened = tick;
	CHECK_STR(wave(3), "H0 Hff Hfe");
	/* Going round to zero again is not a strobe. */
	tick = opened + 65536;
	CHECK_STR(wave(2), "H0 Hff");
}

TEST(i8254_mode_5_strobes_after_a_trigger)
{
	set_up();
	program(2, 5, 2);
	CHECK_STR(wave(3), "H0 H0 H0");
	gate(false);
	gate(true);
	CHECK_STR(wave(3), "H0 H2 H1");
	gate(false);
	CHECK_STR(wave(2), "L0 Hff");
	gate(true);
	CHECK_STR(wave(2), "Hfe H2");
	gate(false);
	gate(true);
	CHECK_STR(wave(4), "H1 H2 H1 L0");
}

TEST(i8254_modes_6_and_7_are_modes_2_and_3)
{
	set_up();
	program(2, 6, 2);
	CHECK_STR(wave(5), "H0 H2 L1 H2 L1");
	out(CONTROL, 0xE8);
	CHECK_EQ(in(0x42), 0x80 | LOW | 6 << 1);
	set_up();
	program(2, 7, 2);
	CHECK_STR(wave(4), "H0 H2 L2 H2");
}

TEST(i8254_a_trigger_without_a_count_does_nothing)
{
	set_up();
	out(CONTROL, 0x80 | LOW | 1 << 1);
	gate(false);
	gate(true);
	CHECK_STR(wave(3), "H0 H0 H0");
	out(0x42, 1);
	CHECK_STR(wave(3), "H0 H0 H0");
}

TEST(i8254_a_count_of_zero_is_the_longest)
{
	set_up();
	program(0, 2, 0);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1001 + 65536));
	tick = 1001;
	CHECK_EQ(in(0x40), 0);
	tick++;
	CHECK_EQ(in(0x40), 0xFF);
	out(CONTROL, BOTH | BCD | 2 << 1);
	out(0x40, 0);
	out(0x40, 0);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1003 + 10000));
	tick = 1004;
	CHECK_EQ(in(0x40), 0x99);
	CHECK_EQ(in(0x40), 0x99);
}

TEST(i8254_counts_in_decimal)
{
	set_up();
	out(CONTROL, 0x80 | BOTH | BCD);
	out(0x42, 0x01);
	out(0x42, 0x10);
	tick += 3;
	CHECK_EQ(in(0x42), 0x99);
	CHECK_EQ(in(0x42), 0x09);
	tick += 999;
	CHECK_EQ(in(0x42), 0x00);
	CHECK_EQ(in(0x42), 0x00);
	CHECK(i8254_output(&timer, i8254_time_of(tick), 2));
	tick += 1;
	CHECK_EQ(in(0x42), 0x99);
	CHECK_EQ(in(0x42), 0x99);
}

TEST(i8254_latched_counts_wait_to_be_read)
{
	set_up();
	out(CONTROL, BOTH | 2 << 1);
	out(0x40, 0x34);
	out(0x40, 0x12);
	tick += 1;
	out(CONTROL, 0x00);
	tick += 5;
	out(CONTROL, 0x00);
	CHECK_EQ(in(0x40), 0x34);
	out(0x40, 0x78);
	CHECK_EQ(in(0x40), 0x12);
	out(0x40, 0x56);
	CHECK_EQ(in(0x40), 0x2F);
	tick += 0x2F;
	CHECK_EQ(in(0x40), 0x12);
	CHECK_EQ(in(0x40), 0x00);
	/* Latched in the midst of a read, the count begins with its low byte. */
	out(CONTROL, 0x00);
	CHECK_EQ(in(0x40), 0x00);
	CHECK_EQ(in(0x40), 0x12);
}

TEST(i8254_a_control_word_drops_what_was_latched)
{
	set_up();
	program(0, 2, 9);
	tick += 1;
	out(CONTROL, 0xC2);
	out(CONTROL, BOTH | 2 << 1);
	out(0x40, 0x00);
	out(0x40, 0x30);
	tick += 2;
	CHECK_EQ(in(0x40), 0xFF);
	CHECK_EQ(in(0x40), 0x2F);
}

TEST(i8254_high_byte_access)
{
	set_up();
	out(CONTROL, HIGH | 2 << 1);
	out(0x40, 0x02);
	tick += 1;
	CHECK_EQ(in(0x40), 0x02);
	tick += 1;
	CHECK_EQ(in(0x40), 0x01);
	out(CONTROL, 0x00);
	tick += 0x100;
	CHECK_EQ(in(0x40), 0x01);
	CHECK_EQ(in(0x40), 0x00);
}

TEST(i8254_read_back_gives_status_before_count)
{
	set_up();
	out(CONTROL, BOTH | 2 << 1);
	out(CONTROL, STATUS_0);
	CHECK_EQ(in(0x40), 0x80 | 0x40 | BOTH | 2 << 1);
	out(0x40, 4);
	out(0x40, 0);
	out(CONTROL, STATUS_0);
	tick += 1;
	out(CONTROL, STATUS_0);
	/* The first status stays until it is read. */
	CHECK_EQ(in(0x40), 0x80 | 0x40 | BOTH | 2 << 1);
	out(CONTROL, 0xC2);
	tick += 3;
	out(CONTROL, 0xC2);
	CHECK_EQ(in(0x40), 0x80 | BOTH | 2 << 1);
	CHECK_EQ(in(0x40), 4);
	CHECK_EQ(in(0x40), 0);
	out(CONTROL, STATUS_0);
	CHECK_EQ(in(0x40), BOTH | 2 << 1);
}

TEST(i8254_null_count_lasts_until_the_new_count_is_loaded)
{
	set_up();
	program(0, 2, 8);
	tick += 3;
	out(0x40, 5);
	out(CONTROL, STATUS_0);
	CHECK_EQ(in(0x40) & 0x40, 0x40);
	tick = 1008;
	out(CONTROL, STATUS_0);
	CHECK_EQ(in(0x40) & 0x40, 0x40);
	tick = 1009;
	out(CONTROL, STATUS_0);
	CHECK_EQ(in(0x40) & 0x40, 0);
	CHECK_EQ(in(0x40), 5);
}

TEST(i8254_read_back_latches_several_counters_at_once)
{
	set_up();
	program(0, 2, 100);
	program(1, 2, 50);
	program(2, 2, 25);
	tick += 11;
	out(CONTROL, 0xDA);
	tick += 3;
	CHECK_EQ(in(0x40), 90);
	CHECK_EQ(in(0x41), 37);
	CHECK_EQ(in(0x42), 15);
	CHECK_EQ(in(0x43), 0xFF);
}

TEST(i8254_tells_its_line_when_the_output_rises)
{
	set_up();
	CHECK_EQ(i8254_next_due(&timer), VIRTUAL_TIME_NEVER);
	program(0, 2, 100);
	rises = 0;
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1101));
	i8254_advance(&timer, i8254_time_of(1101) - 1);
	CHECK_EQ(rises, 0);
	i8254_advance(&timer, i8254_time_of(1101));
	CHECK_EQ(rises, 1);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1201));
	/* A host that comes late sees one edge, and the next is where it belongs. */
	i8254_advance(&timer, i8254_time_of(1733));
	CHECK_EQ(rises, 2);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1801));
	/* Time that seems to run backwards changes nothing. */
	i8254_advance(&timer, 0);
	CHECK_EQ(rises, 2);
}

static bool is_taken;

static bool waits(void *owner)
{
	(void)owner;
	return !is_taken;
}

TEST(i8254_ticks_that_were_not_taken_come_late)
{
	set_up();
	timer.channel[0].is_waiting = waits;
	program(0, 2, 100);
	rises = 0;
	is_taken = false;
	i8254_advance(&timer, i8254_time_of(1300)); /* at 1101 and 1201 */
	i8254_advance(&timer,
	              i8254_time_of(1450)); /* at 1301 and 1401, with one that still waits */
	CHECK_EQ(rises, 2);
	i8254_catch_up(&timer);
	CHECK_EQ(rises, 2);
	is_taken = true;
	for (unsigned i = 0; i < 9; i++)
		i8254_catch_up(&timer);
	CHECK_EQ(timer.channel[0].late.made_up, 4);
	CHECK_EQ(rises, 6);
	/* A line on which nothing waits is one that nobody listens to: masked. */
	i8254_advance(&timer, i8254_time_of(2450));
	CHECK_EQ(rises, 7);
	CHECK_EQ(timer.channel[0].late.count, 0);
}

TEST(i8254_in_mode_3_late_ticks_come_while_the_output_is_high)
{
	set_up();
	timer.channel[0].is_waiting = waits;
	program(0, 3, 100);
	is_taken = false;
	i8254_advance(&timer, i8254_time_of(1290));
	is_taken = true;
	rises = 0;
	i8254_catch_up(&timer);
	CHECK_EQ(rises, 0);
	i8254_advance(&timer, i8254_time_of(1310));
	CHECK_EQ(rises, 2);
}

TEST(i8254_programmed_anew_it_is_not_late)
{
	set_up();
	timer.channel[0].is_waiting = waits;
	program(0, 2, 100);
	is_taken = false;
	i8254_advance(&timer, i8254_time_of(1450));
	program(0, 2, 100);
	is_taken = true;
	rises = 0;
	i8254_catch_up(&timer);
	CHECK_EQ(rises, 0);
	CHECK(timer.channel[0].late.lost > 0);
}

TEST(i8254_next_due_sees_through_a_load)
{
	set_up();
	program(0, 0, 10);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1011));
	program(0, 2, 5);
	tick += 2;
	out(0x40, 200);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1006));
	i8254_advance(&timer, i8254_time_of(1006));
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1206));
	program(0, 4, 7);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1002 + 4 + 1 + 7 + 1));
}

TEST(i8254_runs_for_a_year_without_drift)
{
	set_up();
	out(CONTROL, BOTH | 2 << 1);
	out(0x40, 0x9C);
	out(0x40, 0x2E);
	uint64_t period = 0x2E9C, periods = 3155760000;
	tick = 1001 + periods * period + 5;
	CHECK_EQ(in(0x40), 0x97);
	CHECK_EQ(in(0x40), 0x2E);
	CHECK_EQ(i8254_next_due(&timer), i8254_time_of(1001 + (periods + 1) * period));
}

UNIT_MAIN
