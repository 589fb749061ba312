#include "boot/self_test.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/divide.h"
#include "kernel/exception_table.h"
#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/page_tables.h"
#include "kernel/print.h"
#include "kernel/probes.h"
#include "kernel/stacks.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "kernel/traps.h"
#include "kernel/windows.h"
#include "kernel/x86.h"

static char why[120];

#define EXPECT(condition)                                                              \
	do {                                                                           \
		if (!(condition)) {                                                    \
			print_to_buffer(why, sizeof(why), "not true: %s", #condition); \
			return false;                                                  \
		}                                                                      \
	} while (0)

static bool faults_on_read(uint32_t address)
{
	uint8_t value;

	return !recoverable_read8((const void *)address, &value);
}

static bool null_faults(void)
{
	EXPECT(faults_on_read(0));
	EXPECT(faults_on_read(DIRECT_MAP_START - 1));
	EXPECT(!faults_on_read(DIRECT_MAP_START));
	return true;
}

static bool code_is_read_only(void)
{
	EXPECT(!faults_on_read(layout_address(layout_image)));
	EXPECT(!recoverable_write8(layout_image, 0));
	EXPECT(!recoverable_write8(image_code_end, 0));
	EXPECT(faults_on_read(layout_image_machine(layout_image)));
	return true;
}

static bool guard_pages_fault(void)
{
	for (uint32_t stack = 0; stack < STACKS; stack++) {
		uint32_t top = stacks_top((enum stack)stack);
		EXPECT(!faults_on_read(top - 1));
		uint32_t at = top - 1;
		while (!stacks_guard_owner(at))
			at -= PAGE_SIZE;
		EXPECT(faults_on_read(at));
	}
	EXPECT(faults_on_read(layout_address(layout_end)));
	return true;
}

static uint32_t data_fetch_faulted;

/* The fetch that failed was a call: its return address is on top of the stack. */
static bool on_data_fetch(struct trap_frame *frame)
{
	if (frame->eip != x86_read_cr2())
		return false;
	data_fetch_faulted = 1;
	frame->eip = *(const uint32_t *)traps_stack_pointer(frame);
	return true;
}

static bool data_is_not_executable(void)
{
	static uint8_t ret_instruction = 0xC3;

	data_fetch_faulted = 0;
	traps_connect(TRAP_PAGE_FAULT, on_data_fetch);
	__asm__ volatile("push %%ebp\n\t"
	                 "mov %%esp, %%ebp\n\t"
	                 "call *%0\n\t"
	                 "mov %%ebp, %%esp\n\t"
	                 "pop %%ebp"
	                 :
	                 : "r"(&ret_instruction)
	                 : "memory");
	traps_connect(TRAP_PAGE_FAULT, NULL);
	EXPECT(data_fetch_faulted == probes.nx);
	return true;
}

static bool bad_msr_recovers(void)
{
	uint64_t value, before = statistics[STATISTIC_accesses_recovered];
	bool read = recoverable_read_msr(MSR_EFER, &value);

	EXPECT(read == (statistics[STATISTIC_accesses_recovered] == before));
	return true;
}

static bool frames_are_accounted_for(void)
{
	uint32_t free_before = frames_count(FRAME_free);
	mpa_t one = frames_allocate(FRAME_test);
	mpa_t run = frames_allocate_run(1024, 1024, FRAME_test);

	EXPECT(!frames_is_none(one) && !frames_is_none(run));
	EXPECT(run.value % (4u << 20) == 0);
	EXPECT(frames_count(FRAME_test) == 1025);
	memset(page_tables_direct(run), 0x5A, 4u << 20);
	EXPECT(frames_check());
	EXPECT(!frames_free_run(run, 1025, FRAME_test));
	EXPECT(frames_free_run(one, 1, FRAME_test));
	EXPECT(frames_free_run(run, 1024, FRAME_test));
	EXPECT(frames_count(FRAME_free) == free_before);
	EXPECT(frames_check());
	return true;
}

static bool memory_runs_out_politely(void)
{
	EXPECT(frames_is_none(frames_allocate_run(frames_total(), 1, FRAME_test)));

	uint32_t free_before = frames_count(FRAME_free);
	while (!frames_is_none(frames_allocate(FRAME_test)))
		;
	EXPECT(frames_count(FRAME_free) == 0);
	frames_change_range(0, DIRECT_MAP_END, FRAME_test, FRAME_free);
	EXPECT(frames_count(FRAME_free) == free_before);
	return true;
}

static bool windows_show_memory(void)
{
	mpa_t frame = frames_allocate(FRAME_test);
	uint32_t *direct = page_tables_direct(frame);
	uint32_t *window = windows_open(mpa(frame.value + 8));

	direct[2] = 0x12345678;
	EXPECT(*window == 0x12345678);
	EXPECT(windows_in_use() == 1);
	windows_close(window);
	EXPECT(windows_in_use() == 0);
	EXPECT(faults_on_read((uint32_t)window));
	EXPECT(frames_free_run(frame, 1, FRAME_test));
	return true;
}

static bool division_agrees(void)
{
	volatile uint64_t a = 0xFEDCBA9876543210ull, b = 0x123456789ull;

	EXPECT(a / b * b + a % b == a && a % b < b);
	EXPECT((int64_t)a / (int64_t)b * (int64_t)b + (int64_t)a % (int64_t)b == (int64_t)a);
	EXPECT(divide_scaled(a, 1000, 1000) == a);
	return true;
}

static bool memory_functions_work(void)
{
	char text[] = "0123456789";

	memmove(text + 2, text, 8);
	EXPECT(memcmp(text, "0101234567", 10) == 0);
	memmove(text, text + 2, 8);
	EXPECT(memcmp(text, "0123456767", 10) == 0);
	memset(text, 'x', 3);
	EXPECT(memcmp(text, "xxx", 3) == 0 && text[3] == '3');
	EXPECT(memcmp("a", "b", 1) < 0 && memcmp("b", "a", 1) > 0);
	return true;
}

#define MILLISECOND 1000000ull

static uint64_t expired_at[3];
static uint32_t expired_count;

static void note_expiry(struct timer *timer)
{
	(void)timer;
	expired_at[expired_count++] = clock_now();
}

static bool timers_expire_in_order(void)
{
	static struct timer timers[3];
	uint64_t start = clock_now();
	static const uint32_t after_ms[3] = {30, 10, 70}; /* 70: longer than the 8254 can count */

	expired_count = 0;
	for (int i = 0; i < 3; i++) {
		timers[i].expired = note_expiry;
		clock_set_timer(&timers[i], start + after_ms[i] * MILLISECOND);
	}
	clock_wait(100 * MILLISECOND);
	EXPECT(expired_count == 3);
	EXPECT(expired_at[0] >= start + 10 * MILLISECOND);
	EXPECT(expired_at[1] >= start + 30 * MILLISECOND);
	EXPECT(expired_at[2] >= start + 70 * MILLISECOND);
	return true;
}

static bool cancelled_timer_is_silent(void)
{
	static struct timer timer = {.expired = note_expiry};

	expired_count = 0;
	clock_set_timer(&timer, clock_now() + 5 * MILLISECOND);
	clock_cancel_timer(&timer);
	clock_wait(10 * MILLISECOND);
	EXPECT(expired_count == 0);
	return true;
}

/* The vector of line 7, raised by nobody: the 8259 does not have it in service. */
static bool spurious_interrupt_is_counted(void)
{
	uint64_t before = statistics[STATISTIC_interrupts_spurious];

	__asm__ volatile("int $0x27");
	__asm__ volatile("int $0x2F");
	EXPECT(statistics[STATISTIC_interrupts_spurious] == before + 2);
	clock_wait(MILLISECOND); /* and the chips still deliver */
	return true;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
        {"null pointers fault", null_faults},
        {"code is read-only and has no second name", code_is_read_only},
        {"guard pages fault", guard_pages_fault},
        {"data is not executable where the processor has NX", data_is_not_executable},
        {"a missing MSR is recovered from", bad_msr_recovers},
        {"frames are accounted for", frames_are_accounted_for},
        {"memory runs out politely", memory_runs_out_politely},
        {"windows show memory", windows_show_memory},
        {"64-bit division agrees with itself", division_agrees},
        {"memory functions work", memory_functions_work},
        {"timers expire in order", timers_expire_in_order},
        {"a cancelled timer is silent", cancelled_timer_is_silent},
        {"a spurious interrupt is counted", spurious_interrupt_is_counted},
};

void self_test_run(void)
{
	uint32_t failed = 0;

	console_print("\nself-test\n");
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bool good = tests[i].run();
		failed += !good;
		console_print("  %s %s%s%s\n", good ? "ok  " : "FAIL", tests[i].name,
		              good ? "" : ": ", good ? "" : why);
		log_info("self-test", "%s result=%s", tests[i].name, good ? "ok" : "FAIL");
	}
	console_print(failed ? "self-test: %u FAILED\n" : "self-test: all passed\n", failed);
	machine_end("self-test-ended", failed ? 1 : STATUS_GOOD);
}
