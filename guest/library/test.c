#include "guest/library/test.h"

#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/print.h"
#include "guest/library/console.h"
#include "guest/library/stop.h"

static unsigned failures;

static void test_sink(void *context, char c)
{
	(void)context;
	console_put(c);
}

void test_begin(const char *name, const char *sentence)
{
	/* No test wants to meet an interrupt that it did not ask for, at a vector of an exception.
	 */
	interrupts_init();
	print("%s: exists to show that %s\n", name, sentence);
}

bool test_check(bool holds, const char *format, ...)
{
	va_list arguments;
	print(holds ? "ok   " : "FAIL ");
	va_start(arguments, format);
	print_to(test_sink, NULL, format, arguments);
	va_end(arguments);
	print("\n");
	failures += !holds;
	return holds;
}

void test_note(const char *format, ...)
{
	va_list arguments;
	print("note ");
	va_start(arguments, format);
	print_to(test_sink, NULL, format, arguments);
	va_end(arguments);
	print("\n");
}

bool test_either(const char *what, bool first, const char *first_text, bool second,
                 const char *second_text)
{
	if (first || second)
		test_note("%s: %s", what, first ? first_text : second_text);
	return test_check(first || second, "%s: one of the documented behaviours", what);
}

static void test_explain(const struct outcome *outcome)
{
	const struct trap_frame *f = &outcome->frame;
	if (outcome->trapped)
		print("     got %s (%u) error code %x at %x:%08x, cr2 %08x, eflags %08x\n",
		      trap_name((uint8_t)f->vector), f->vector, f->error_code, f->cs, f->eip,
		      outcome->cr2, f->eflags);
	else
		print("     got no trap; value %08x\n", outcome->value);
}

static bool test_outcome(bool holds, const struct outcome *outcome, const char *what,
                         const char *expected)
{
	test_check(holds, "%s: %s", what, expected);
	if (!holds)
		test_explain(outcome);
	return holds;
}

bool test_returns(struct outcome outcome, const char *what)
{
	return test_outcome(!outcome.trapped, &outcome, what, "no trap");
}

bool test_value(struct outcome outcome, uint32_t value, const char *what)
{
	bool holds = !outcome.trapped && outcome.value == value;
	test_check(holds, "%s: gives %x", what, value);
	if (!holds)
		test_explain(&outcome);
	return holds;
}

bool test_traps(struct outcome outcome, uint8_t vector, uint32_t error_code, const char *what)
{
	bool holds = outcome.trapped && outcome.frame.vector == vector &&
	             outcome.frame.error_code == error_code;
	test_check(holds, "%s: %s(%x)", what, trap_name(vector), error_code);
	if (!holds)
		test_explain(&outcome);
	return holds;
}

bool test_traps_at(struct outcome outcome, uint8_t vector, uint32_t error_code, uint32_t eip,
                   const char *what)
{
	if (!test_traps(outcome, vector, error_code, what))
		return false;
	return test_outcome(outcome.frame.eip == eip, &outcome, what, "at that instruction");
}

bool test_page_fault(struct outcome outcome, uint32_t error_code, uint32_t address,
                     const char *what)
{
	if (!test_traps(outcome, VECTOR_PF, error_code, what))
		return false;
	return test_outcome(outcome.cr2 == address, &outcome, what, "CR2 is the address");
}

void test_end(void)
{
	if (failures)
		print("FAILURE %u\n", failures);
	else
		print("SUCCESS\n");
	stop_with_value(failures ? TEST_FAILURE : TEST_SUCCESS);
}

void test_skip(const char *reason)
{
	print("SKIP %s\n", reason);
	stop_with_value(TEST_SKIP);
}

void test_error(const char *reason)
{
	print("ERROR %s\n", reason);
	stop_with_value(TEST_ERROR);
}

void test_crash(const struct trap_frame *f)
{
	print("     eax %08x ebx %08x ecx %08x edx %08x\n", f->eax, f->ebx, f->ecx, f->edx);
	print("     esi %08x edi %08x ebp %08x cr2 %08x\n", f->esi, f->edi, f->ebp, cpu_read_cr2());
	print("CRASH %s (vector %u) error code %x at %x:%08x, eflags %08x\n",
	      trap_name((uint8_t)f->vector), f->vector, f->error_code, f->cs, f->eip, f->eflags);
	stop_with_value(TEST_CRASH);
}
