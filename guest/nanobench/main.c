#include "guest/library/console.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/stop.h"
#include "guest/library/test.h"
#include "guest/nanobench/loops.h"
#include "guest/nanobench/setting.h"

/*
 * How many ticks of the time-stamp counter each operation of operations.def takes. Where a tick is
 * an instruction, these are instructions. Options:
 *   only=NAME   one operation and no other
 *   times=N     turns in a batch, an even number
 *   part=WHICH  nothing is timed: one batch of the `operation` or of its `baseline` runs, so that
 *               somebody else can count what happens meanwhile
 */
#define TIMES_DEFAULT 1000u
#define TIMES_MOST    1000000u
#define BATCHES       5

struct operation {
	const char *name;
	unsigned ring;
	catch_function *loop, *baseline;
	const char *what;
};

static uint32_t loop_interrupt_open(uint32_t times)
{
	interrupt_unmask(IRQ_COM1);
	loop_interrupt(times);
	interrupt_mask(IRQ_COM1);
	return 0;
}

static const struct operation operations[] = {
#define OPERATION(name, ring, loop, baseline, what) {#name, ring, loop, baseline, what},
#include "guest/nanobench/operations.def"
#undef OPERATION
};
#define OPERATIONS (sizeof(operations) / sizeof(*operations))

static const struct boot_info *boot;

static _Noreturn void bench_fail(const char *sentence, const char *value)
{
	print("nanobench: %s%s\n", sentence, value);
	stop_with_value(TEST_ERROR);
}

/* Whether an option has this value; it ends at a blank. */
static bool bench_option_is(const char *value, const char *text)
{
	uint32_t length = strlen(text);
	return !strncmp(value, text, length) && (!value[length] || value[length] == ' ');
}

static uint32_t bench_times(void)
{
	const char *text = boot_find_option(boot, "times"), *at = text;
	uint32_t times = 0;
	if (!text)
		return TIMES_DEFAULT;
	while (*at >= '0' && *at <= '9' && times <= TIMES_MOST)
		times = times * 10 + (uint32_t)(*at++ - '0');
	if ((*at && *at != ' ') || !times || times % 2 || times > TIMES_MOST)
		bench_fail("times must be an even number up to a million, and not ", text);
	return times;
}

/* One batch. In ring 3 interrupts are on, as kernels have it there. */
static uint32_t bench_run(const struct operation *operation, catch_function *loop, uint32_t times)
{
	uint32_t flags = operation->ring ? EFLAGS_IF : 0;
	uint64_t before = cpu_read_tsc();
	struct outcome outcome = call_in_ring_with_flags(operation->ring, flags, loop, times);
	uint32_t ticks = (uint32_t)(cpu_read_tsc() - before);
	if (outcome.trapped)
		bench_fail("an unexpected trap in ", operation->name);
	return ticks;
}

/* Not inlined, and called from one place: all batches go the same way, only the turns differ. */
__attribute__((noinline)) static uint32_t bench_least(const struct operation *operation,
                                                      catch_function *loop, uint32_t times)
{
	uint32_t least = UINT32_MAX;
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		uint32_t ticks = bench_run(operation, loop, times);
		least = ticks < least ? ticks : least;
	}
	return least;
}

/* What so many turns cost beyond their baseline; going into the ring and back is in each batch. */
static int32_t bench_ticks(const struct operation *operation, uint32_t times)
{
	catch_function *const loops[] = {operation->baseline, operation->loop};
	uint32_t least[4];
	for (unsigned i = 0; i < 4; i++)
		least[i] = bench_least(operation, loops[i / 2], times << i % 2);
	return (int32_t)((least[3] - least[2]) - (least[1] - least[0]));
}

static void bench_measure(const struct operation *operation, uint32_t times)
{
	int32_t turns = (int32_t)times, ticks = bench_ticks(operation, times);
	const char *sign = ticks < 0 ? "-" : "";
	ticks = ticks < 0 ? -ticks : ticks;
	const char *baseline = operation->baseline == loop_empty ? "empty" : "own";
	print("operation %s ticks=%s%d.%02d times=%u baseline=%s: %s\n", operation->name, sign,
	      ticks / turns, ticks % turns * 100 / turns, times, baseline, operation->what);
}

static void bench_do(const struct operation *operation, uint32_t times)
{
	const char *part = boot_find_option(boot, "part");
	/* COM1 is one of the operations: it must have nothing left to send. */
	console_drain();
	if (!part)
		bench_measure(operation, times);
	else if (bench_option_is(part, "operation"))
		bench_run(operation, operation->loop, times);
	else if (bench_option_is(part, "baseline"))
		bench_run(operation, operation->baseline, times);
	else
		bench_fail("part is operation or baseline, and not ", part);
}

void guest_main(const struct boot_info *from_loader)
{
	boot = from_loader;
	const char *only = boot_find_option(boot, "only");
	uint32_t times = bench_times();
	bool found = false;
	setting_prepare();
	for (unsigned i = 0; i < OPERATIONS; i++) {
		if (only && !bench_option_is(only, operations[i].name))
			continue;
		bench_do(&operations[i], times);
		found = true;
	}
	if (!found)
		bench_fail("there is no operation of the name ", only);
	print("nanobench: done\n");
}
