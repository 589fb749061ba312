#include "kernel/interrupts.h"

#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/traps.h"
#include "kernel/x86.h"

#define MASTER 0x20
#define SLAVE  0xA0

#define ICW1_START_WITH_ICW4 0x11
#define ICW4_8086            0x01
#define OCW2_END             0x20
#define OCW3_READ_IN_SERVICE 0x0B
#define CASCADE_LINE         2

static interrupt_handler handlers[INTERRUPT_LINES];
static uint16_t mask = 0xFFFF;

static void apply_mask(void)
{
	x86_out8(MASTER + 1, (uint8_t)mask);
	x86_out8(SLAVE + 1, (uint8_t)(mask >> 8));
}

static bool in_service(uint8_t line)
{
	uint16_t chip = line < 8 ? MASTER : SLAVE;

	x86_out8(chip, OCW3_READ_IN_SERVICE);
	return x86_in8(chip) & (1 << (line & 7));
}

static void end(uint8_t line)
{
	if (line >= 8)
		x86_out8(SLAVE, OCW2_END);
	x86_out8(MASTER, OCW2_END);
}

static bool is_spurious(uint8_t line)
{
	if ((line != 7 && line != 15) || in_service(line))
		return false;
	if (line == 15)
		x86_out8(MASTER, OCW2_END); /* for the master the cascade line was real */
	return true;
}

volatile uint32_t interrupts_seen_now;

/* Nobody has opened it, and nobody would ever make it silent. */
static void close_unclaimed(uint8_t line)
{
	statistics_count(interrupts_unclaimed);
	mask |= (uint16_t)(1u << line);
	apply_mask();
}

static bool on_interrupt(struct trap_frame *frame)
{
	uint8_t line = (uint8_t)(frame->vector - INTERRUPT_VECTOR_BASE);

	interrupts_seen_now++;
	statistics_count(interrupts);
	trace_add(TRACE_interrupt, line, frame->eip, 0);
	if (is_spurious(line)) {
		statistics_count(interrupts_spurious);
		return true;
	}
	if (handlers[line])
		handlers[line]();
	else
		close_unclaimed(line);
	end(line);
	return true;
}

static void start_chip(uint16_t chip, uint8_t vector, uint8_t cascade)
{
	x86_out8(chip, ICW1_START_WITH_ICW4);
	x86_out8((uint16_t)(chip + 1), vector);
	x86_out8((uint16_t)(chip + 1), cascade);
	x86_out8((uint16_t)(chip + 1), ICW4_8086);
}

void interrupts_start(void)
{
	start_chip(MASTER, INTERRUPT_VECTOR_BASE, 1 << CASCADE_LINE);
	start_chip(SLAVE, INTERRUPT_VECTOR_BASE + 8, CASCADE_LINE);
	mask = (uint16_t) ~(1u << CASCADE_LINE);
	apply_mask();
	for (uint8_t line = 0; line < INTERRUPT_LINES; line++)
		traps_connect((uint8_t)(INTERRUPT_VECTOR_BASE + line), on_interrupt);
}

void interrupts_connect(uint8_t line, interrupt_handler handler)
{
	handlers[line] = handler;
	mask &= (uint16_t) ~(1u << line);
	apply_mask();
}
