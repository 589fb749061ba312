/* Stands between the yardstick in a machine of KVM or of QEMU's own and port 0xE9 of the machine in
 * which all that runs (docs/benchmarks.md): passes on each line that comes through the pipe /lines,
 * and says after it how many exits KVM has counted:
 *
 *     guest: begin NAME
 *     account: counter name=exits count=N
 *
 * It runs before all others that want to, so at once while the yardstick's `out` waits for its end:
 * what it costs is in no row. */
#include <stdbool.h>

#include "guest/linux/calls.h"
#include "guest/linux/tell.h"

#define LINES "/lines"
#define EXITS "/sys/kernel/debug/kvm/exits" /* without KVM it is not there */

enum { FIRST_IN_FIRST_OUT = 1 };

static void tell_exits(void)
{
	char digits[24];
	int32_t file = CALL(open, EXITS, READ_ONLY, 0), count;

	if (file < 0)
		return;
	count = CALL(read, file, digits, sizeof(digits) - 1);
	CALL(close, file, 0, 0);
	digits[count > 0 ? count : 0] = 0;
	tell("account: counter name=exits count=");
	tell(digits); /* ends in a line feed */
}

static void pass_on(int32_t from)
{
	bool at_start = true;
	char byte;

	while (CALL(read, from, &byte, 1) == 1) {
		if (at_start)
			tell("guest: ");
		/* The call has written it. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
		tell_port(PORT_E9, byte);
		at_start = byte == '\n';
		if (at_start)
			tell_exits();
	}
}

__attribute__((noreturn)) void _start(void);

__attribute__((force_align_arg_pointer)) void _start(void)
{
	int32_t priority = 1;

	CALL(sched_setscheduler, 0, FIRST_IN_FIRST_OUT, &priority);
	tell_begin();
	/* Open for writing, too, so that there is no end when one who writes goes. */
	pass_on(CALL(open, LINES, READ_AND_WRITE, 0));
	CALL(exit, 1, 0, 0);
	__builtin_unreachable();
}
