/* The local APIC: priorities, the timer, the pins, messages to itself. */
#include "monitor/devices/local_apic.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

enum {
	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	PPR = 0xA0,
	EOI = 0xB0,
	LDR = 0xD0,
	DFR = 0xE0,
	SVR = 0xF0,
	ISR = 0x100,
	TMR = 0x180,
	IRR = 0x200,
	ESR = 0x280,
	ICR = 0x300,
	ICR_HIGH = 0x310,
	TIMER = 0x320,
	LINT0 = 0x350,
	LINT1 = 0x360,
	ERROR = 0x370,
	INITIAL = 0x380,
	CURRENT = 0x390,
	DIVIDE = 0x3E0,
};

static struct local_apic apic;
static bool output;
static unsigned nmis, ended;
static uint64_t now;

static void see_output(void *owner, unsigned input, bool level)
{
	(void)owner;
	CHECK_EQ(input, 0);
	output = level;
}

static void see_nmi(void *owner, unsigned input, bool level)
{
	(void)owner;
	(void)input;
	nmis += level;
}

static void see_end(void *owner, uint8_t vector)
{
	(void)owner;
	ended = ended << 8 | vector;
}

static void put(uint32_t offset, uint32_t value)
{
	local_apic_write(&apic, now, offset, 4, value);
}

static uint32_t get(uint32_t offset)
{
	return local_apic_read(&apic, now, offset, 4);
}

static void set_up(void)
{
	memset(&apic, 0, sizeof(apic));
	apic.processor = (struct line){see_output, NULL, 0};
	apic.nmi = (struct line){see_nmi, NULL, 0};
	apic.end = see_end;
	output = false;
	nmis = ended = 0;
	now = 1000;
	local_apic_reset(&apic);
}

static void set_up_on(void)
{
	set_up();
	put(SVR, 0x1FF);
}

static bool message(uint8_t vector, bool level)
{
	const struct local_apic_message sent = {.vector = vector, .is_level = level};

	return local_apic_accept(&apic, &sent);
}

static int acknowledge(void)
{
	uint8_t vector;

	return local_apic_acknowledge(&apic, &vector) ? vector : -1;
}

TEST(registers_at_reset)
{
	static const uint32_t offsets[] = {TIMER, 0x330, 0x340, LINT0, LINT1, ERROR};

	set_up();
	CHECK_EQ(get(ID), 0);
	CHECK_EQ(get(VERSION), 0x50014);
	CHECK_EQ(get(SVR), 0xFF);
	CHECK_EQ(get(DFR), 0xFFFFFFFF);
	for (unsigned i = 0; i < 6; i++) {
		CHECK_EQ(get(offsets[i]), 0x10000);
		put(offsets[i], 0x30);
		CHECK_EQ(get(offsets[i]), 0x10030); /* switched off: masked whatever is written */
	}
	CHECK_EQ(apic.base, 0xFEE00900);
	CHECK_EQ(local_apic_next_due(&apic), VIRTUAL_TIME_NEVER);
	CHECK(!message(0x30, false));
	put(LDR, UINT32_MAX);
	CHECK_EQ(get(LDR), 0xFF000000);
	put(DFR, 0);
	CHECK_EQ(get(DFR), 0x0FFFFFFF);
	CHECK_EQ(local_apic_read(&apic, now, VERSION + 2, 2), 5);
	CHECK_EQ(get(VERSION + 4), 0);
}

TEST(the_highest_request_wins_and_blocks_its_class)
{
	set_up_on();
	CHECK(message(0x31, false));
	CHECK(message(0x52, false));
	CHECK(message(0x5F, false));
	CHECK(output);
	CHECK_EQ(get(IRR + 0x20), 0x80040000);
	CHECK_EQ(acknowledge(), 0x5F);
	CHECK_EQ(get(ISR + 0x20), 0x80000000);
	CHECK_EQ(get(PPR), 0x50);
	CHECK(!output); /* 0x52 is of the same class */
	CHECK_EQ(acknowledge(), -1);
	CHECK(message(0x60, false));
	CHECK(output);
	CHECK_EQ(acknowledge(), 0x60);
	put(EOI, 0);
	CHECK(!output);
	put(EOI, 0);
	CHECK_EQ(acknowledge(), 0x52);
	put(EOI, 0);
	CHECK_EQ(acknowledge(), 0x31);
	put(EOI, 0);
	CHECK_EQ(get(PPR), 0);
	put(EOI, 0); /* nothing is in service: no effect */
	CHECK_EQ(ended, 0);
}

TEST(the_task_priority_holds_back)
{
	set_up_on();
	put(TPR, 0x41);
	CHECK_EQ(get(PPR), 0x41);
	CHECK(message(0x4F, false));
	CHECK(!output);
	put(TPR, 0x3F);
	CHECK(output);
	put(TPR, 0x4F);
	CHECK(!output);
	put(TPR, 0);
	CHECK_EQ(acknowledge(), 0x4F);
	put(TPR, 0x20);
	CHECK_EQ(get(PPR), 0x40);
}

TEST(levels_are_told_to_the_io_apic_and_edges_are_not)
{
	set_up_on();
	CHECK(message(0x40, true));
	CHECK(message(0x50, false));
	CHECK_EQ(get(TMR + 0x20), 1);
	CHECK_EQ(acknowledge(), 0x50);
	put(EOI, 0);
	CHECK_EQ(ended, 0);
	CHECK_EQ(acknowledge(), 0x40);
	put(EOI, 0);
	CHECK_EQ(ended, 0x40);
	CHECK(message(0x40, false));
	CHECK_EQ(get(TMR + 0x20), 0);
}

TEST(one_shot_timer)
{
	set_up_on();
	put(TIMER, 0x20);
	put(DIVIDE, 3); /* by 16 */
	put(INITIAL, 100);
	CHECK_EQ(get(CURRENT), 100);
	CHECK_EQ(local_apic_next_due(&apic), 1000 + 1600);
	now += 15;
	CHECK_EQ(get(CURRENT), 100);
	now++;
	CHECK_EQ(get(CURRENT), 99);
	now = 2599;
	local_apic_advance(&apic, now);
	CHECK(!output);
	CHECK_EQ(get(CURRENT), 1);
	local_apic_advance(&apic, ++now);
	CHECK_EQ(acknowledge(), 0x20);
	CHECK_EQ(get(CURRENT), 0);
	CHECK_EQ(get(INITIAL), 100);
	CHECK_EQ(local_apic_next_due(&apic), VIRTUAL_TIME_NEVER);
	now += 100000;
	local_apic_advance(&apic, now);
	CHECK(!output);
}

TEST(periodic_timer_stays_in_step)
{
	set_up_on();
	put(TIMER, 0x20020);
	put(DIVIDE, 0xB); /* by 1 */
	put(INITIAL, 1000);
	for (unsigned i = 1; i < 5; i++) {
		CHECK_EQ(local_apic_next_due(&apic), 1000 + i * 1000);
		now = 1000 + i * 1000 + 7;
		local_apic_advance(&apic, now);
		CHECK_EQ(acknowledge(), 0x20);
		put(EOI, 0);
		CHECK_EQ(get(CURRENT), 993);
	}
	now = 9500; /* late by several rounds: at 6000, 7000, 8000 and 9000 */
	CHECK_EQ(get(CURRENT), 500);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(acknowledge(), 0x20);
		CHECK_EQ(acknowledge(), -1);
		put(EOI, 0);
	}
	CHECK_EQ(acknowledge(), -1);
	CHECK_EQ(local_apic_next_due(&apic), 10000);
	CHECK_EQ(apic.late.made_up, 3);
	put(INITIAL, 0);
	CHECK_EQ(local_apic_next_due(&apic), VIRTUAL_TIME_NEVER);
	CHECK_EQ(get(CURRENT), 0);
}

TEST(rounds_that_nobody_took_come_late_unless_the_timer_is_set_anew)
{
	set_up_on();
	put(TIMER, 0x20020);
	put(DIVIDE, 0xB);
	put(INITIAL, 1000000);
	now = 0;
	for (unsigned i = 1; i <= 3; i++)
		local_apic_advance(&apic, now = 1000 + i * 1000000);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(acknowledge(), 0x20);
		put(EOI, 0);
	}
	CHECK_EQ(acknowledge(), -1);
	for (unsigned i = 4; i <= 6; i++)
		local_apic_advance(&apic, now = 1000 + i * 1000000);
	put(INITIAL, 1000000);
	CHECK_EQ(acknowledge(), 0x20);
	put(EOI, 0);
	CHECK_EQ(acknowledge(), -1);
	/* Masked it has nobody to be late for. */
	put(TIMER, 0x30020);
	local_apic_advance(&apic, now += 5000000);
	put(TIMER, 0x20020);
	CHECK_EQ(acknowledge(), -1);
}

TEST(timer_divides_by_each_power)
{
	static const uint8_t settings[] = {0xB, 0, 1, 2, 3, 8, 9, 10};

	for (unsigned i = 0; i < 8; i++) {
		set_up_on();
		put(TIMER, 0x20);
		put(DIVIDE, settings[i]);
		CHECK_EQ(get(DIVIDE), settings[i]);
		put(INITIAL, 10);
		CHECK_EQ(local_apic_next_due(&apic), 1000 + (10u << i));
	}
	put(INITIAL, UINT32_MAX); /* the slowest of all */
	CHECK_EQ(local_apic_next_due(&apic), 1000 + (0xFFFFFFFFull << 7));
	now += 128 * 50;
	put(DIVIDE, 0xB);
	CHECK_EQ(get(CURRENT), UINT32_MAX - 50);
}

TEST(a_masked_timer_counts_and_says_nothing)
{
	set_up_on();
	put(TIMER, 0x10020);
	put(DIVIDE, 0xB);
	put(INITIAL, 100);
	CHECK_EQ(local_apic_next_due(&apic), VIRTUAL_TIME_NEVER);
	now += 40;
	CHECK_EQ(get(CURRENT), 60);
	now += 100;
	put(TIMER, 0x20); /* too late: it has run out before */
	CHECK(!output);
	CHECK_EQ(get(CURRENT), 0);
}

TEST(virtual_wire)
{
	set_up();
	local_apic_set_pin(&apic, 0, true);
	CHECK(!output); /* masked at reset */
	local_apic_start(&apic);
	CHECK(output);
	CHECK_EQ(acknowledge(), -1);
	local_apic_set_pin(&apic, 0, false);
	CHECK(!output);
	local_apic_set_pin(&apic, 1, true);
	CHECK_EQ(nmis, 1);
	local_apic_set_pin(&apic, 1, true);
	CHECK_EQ(nmis, 1);
	local_apic_set_pin(&apic, 0, true);
	CHECK(message(0x20, false));
	CHECK_EQ(acknowledge(), 0x20);
	CHECK(output); /* the 8259's request is not held back by what is in service */
	put(LINT0, 0x10700);
	CHECK(!output);
	put(LINT0, 0x700);
	CHECK(output);
	put(SVR, 0xFF); /* switching off masks */
	CHECK_EQ(get(LINT0), 0x10700);
	CHECK(!output);
}

TEST(switched_off_by_its_base_register)
{
	set_up_on();
	CHECK(message(0x40, false));
	CHECK(local_apic_set_base(&apic, now, 0xFEE00100));
	CHECK(!output);
	CHECK_EQ(get(VERSION), UINT32_MAX);
	CHECK(!message(0x40, false));
	local_apic_set_pin(&apic, 0, true);
	CHECK(output);
	local_apic_set_pin(&apic, 0, false);
	local_apic_set_pin(&apic, 1, true);
	CHECK_EQ(nmis, 1);
	CHECK(local_apic_set_base(&apic, now, 0xFEE00900));
	CHECK_EQ(get(SVR), 0xFF);
	CHECK_EQ(get(IRR + 0x20), 0);
	CHECK(!local_apic_set_base(&apic, now, 0xFED00900));
	CHECK(!local_apic_set_base(&apic, now, 0xFEE00D00)); /* there is no x2APIC */
	CHECK(!local_apic_set_base(&apic, now, 0xFEE00800));
}

TEST(pins_with_fixed_vectors)
{
	set_up_on();
	put(LINT0, 0x30);
	put(LINT1, 0x8040); /* level */
	local_apic_set_pin(&apic, 0, true);
	local_apic_set_pin(&apic, 0, true);
	CHECK_EQ(acknowledge(), 0x30);
	put(EOI, 0);
	CHECK(!output);
	local_apic_set_pin(&apic, 1, true);
	CHECK_EQ(get(LINT1), 0xC040);
	CHECK_EQ(acknowledge(), 0x40);
	CHECK(!output);
	put(EOI, 0);
	CHECK(output); /* still there */
	CHECK_EQ(acknowledge(), 0x40);
	local_apic_set_pin(&apic, 1, false);
	put(EOI, 0);
	CHECK(!output);
	CHECK_EQ(get(LINT1), 0x8040);
	put(LINT1, 0x200); /* SMI */
	local_apic_set_pin(&apic, 1, true);
	CHECK_EQ(apic.not_modelled, 1);
}

TEST(commands)
{
	set_up_on();
	put(ICR, 0x40041); /* to itself */
	CHECK_EQ(acknowledge(), 0x41);
	put(EOI, 0);
	put(ICR, 0x80042); /* to all */
	CHECK_EQ(acknowledge(), 0x42);
	put(EOI, 0);
	put(ICR, 0xC0043); /* to the others, of whom there are none */
	CHECK_EQ(acknowledge(), -1);
	put(ICR_HIGH, 0);
	put(ICR, 0x44);
	CHECK_EQ(acknowledge(), 0x44);
	put(EOI, 0);
	put(ICR_HIGH, 0x01000000);
	put(ICR, 0x45);
	CHECK_EQ(acknowledge(), -1);
	CHECK_EQ(get(ICR), 0x45);
	CHECK_EQ(get(ICR_HIGH), 0x01000000);
	put(LDR, 0x01000000);
	put(ICR, 0x846);
	CHECK_EQ(acknowledge(), 0x46);
	put(EOI, 0);
	put(DFR, 0x0FFFFFFF);
	put(LDR, 0x21000000);
	put(ICR_HIGH, 0x23000000);
	put(ICR, 0x947);
	CHECK_EQ(acknowledge(), 0x47);
	put(EOI, 0);
	put(ICR_HIGH, 0x13000000);
	put(ICR, 0x948);
	CHECK_EQ(acknowledge(), -1);
	put(ICR_HIGH, 0xFF000000);
	put(ICR, 0x400);
	CHECK_EQ(nmis, 1);
	put(ICR, 0x8500); /* INIT that is taken back */
	CHECK_EQ(apic.not_modelled, 0);
	put(ICR, 0x4500);
	CHECK_EQ(apic.not_modelled, 1);
}

TEST(errors_are_shown_after_a_write)
{
	set_up_on();
	put(ERROR, 0x50);
	put(ICR, 0x4000F);
	CHECK_EQ(get(ESR), 0);
	CHECK_EQ(acknowledge(), 0x50);
	put(EOI, 0);
	put(ESR, 0);
	CHECK_EQ(get(ESR), 0x20);
	put(ESR, 0);
	CHECK_EQ(get(ESR), 0);
	CHECK(message(0x0F, false));
	put(0x400, 0);
	CHECK_EQ(get(0x40), 0);
	put(ESR, 0);
	CHECK_EQ(get(ESR), 0xC0);
	put(ERROR, 0x0E); /* an error whose own vector is one: no end of errors */
	CHECK(message(0x0F, false));
	put(ESR, 0);
	CHECK_EQ(get(ESR), 0x40);
}

TEST(writes_of_less_than_a_word_do_nothing)
{
	set_up_on();
	local_apic_write(&apic, now, TPR, 1, 0x40);
	local_apic_write(&apic, now, TPR + 4, 4, 0x40);
	CHECK_EQ(get(TPR), 0);
}

UNIT_MAIN
