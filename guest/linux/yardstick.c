/* The yardstick inside Linux (docs/benchmarks.md): does each piece of work once and says on port
 * 0xE9, through /dev/port, when it begins and how many ticks of the time-stamp counter it took:
 *
 *     begin NAME
 *     end NAME TICKS
 *
 * The name comes before the first tick and the ticks before the last line, so that what telling
 * costs is not among them; the row "nothing" shows what it costs in everything else that is
 * counted. It is the first program that the shell of the initial ramdisk runs, and ends the
 * machine. */
#include <stdbool.h>
#include <stdint.h>

#include "guest/linux/calls.h"
#include "guest/linux/tell.h"

#define BUSYBOX     "/bin/busybox"
#define EXIT_F4     0xF4 /* the machine ends with status (V << 1) | 1 */
#define DONE        0x10
#define FAILED      0x11
#define FORKS       200
#define ROUNDS      5000
#define CALLS       50000
#define DEVICE_MODE 020600 /* a character device */

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void tell_number(uint64_t number)
{
	char digits[21], *at = digits + sizeof(digits) - 1;

	*at = 0;
	/* Without the compiler's division of 64 bits, which lives in a library. */
	do {
		uint32_t high = (uint32_t)(number >> 32), low = (uint32_t)number, rest = high % 10;

		high /= 10;
		__asm__("divl %2" : "+a"(low), "+d"(rest) : "r"(10));
		*--at = (char)('0' + rest);
		number = (uint64_t)high << 32 | low;
	} while (number);
	tell(at);
}

static void __attribute__((noreturn)) end(char status)
{
	tell_port(EXIT_F4, status);
	CALL(exit, 1, 0, 0);
	__builtin_unreachable();
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	tell("failed ");
	tell(what);
	tell("\n");
	end(FAILED);
}

static void run(const char *const *words)
{
	static const char *const environment[] = {0};
	int32_t status = -1, child = CALL(fork, 0, 0, 0);

	if (!child) {
		CALL(execve, BUSYBOX, words, environment);
		CALL(exit, 127, 0, 0);
	}
	must(child > 0, "fork");
	must(CALL(waitpid, child, &status, 0) == child, "waitpid");
	must(!status, words[0]);
}

static void nothing(void)
{
}

static void fork_exec(void)
{
	static const char *const words[] = {"true", 0};

	for (int i = 0; i < FORKS; i++)
		run(words);
}

static void dd(void)
{
	static const char *const words[] = {"dd",    "if=/dev/zero", "of=/dev/null",
	                                    "bs=4k", "count=20000",  0};

	run(words);
}

static void sha256(void)
{
	static const char *const words[] = {"sha256sum", "/zeros", 0};

	run(words);
}

static void answer(int32_t from, int32_t to)
{
	char byte;

	while (CALL(read, from, &byte, 1) == 1)
		CALL(write, to, &byte, 1);
	CALL(exit, 0, 0, 0);
}

static void pingpong(void)
{
	int32_t there[2], back[2], child;
	char byte = 0;

	must(!CALL(pipe, there, 0, 0) && !CALL(pipe, back, 0, 0), "pipe");
	child = CALL(fork, 0, 0, 0);
	if (!child) {
		CALL(close, there[1], 0, 0);
		answer(there[0], back[1]);
	}
	for (int i = 0; i < ROUNDS; i++) {
		CALL(write, there[1], &byte, 1);
		must(CALL(read, back[0], &byte, 1) == 1, "read");
	}
	CALL(close, there[1], 0, 0);
	must(CALL(waitpid, child, 0, 0) == child, "waitpid");
}

static void getppid(void)
{
	for (int i = 0; i < CALLS; i++)
		CALL(getppid, 0, 0, 0);
}

static void row(const char *name, void (*work)(void))
{
	uint64_t began, took;

	tell("begin ");
	tell(name);
	tell("\n");
	began = ticks();
	work();
	took = ticks() - began;
	tell("end ");
	tell(name);
	tell(" ");
	tell_number(took);
	tell("\n");
}

static void make_device(const char *name, int32_t major, int32_t minor)
{
	CALL(mknod, name, DEVICE_MODE, major << 8 | minor);
}

/* Everything that the rows need is there before the first one; busybox says its results to nobody.
 */
static void prepare(void)
{
	static const char *const words[] = {"dd",    "if=/dev/zero", "of=/zeros",
	                                    "bs=1M", "count=32",     0};
	int32_t quiet;

	make_device("/dev/zero", 1, 5);
	quiet = CALL(open, "/dev/null", WRITE_ONLY, 0);
	CALL(dup2, quiet, 1, 0);
	CALL(dup2, quiet, 2, 0);
	run(words);
}

__attribute__((noreturn)) void _start(void);

__attribute__((force_align_arg_pointer)) void _start(void)
{
	uint64_t now = ticks();

	make_device("/dev/port", 1, 4);
	tell_begin();
	tell("end boot ");
	tell_number(now);
	tell("\n");
	prepare();
	row("nothing", nothing);
	row("fork", fork_exec);
	row("dd", dd);
	row("sha256", sha256);
	row("pingpong", pingpong);
	row("getppid", getppid);
	end(DONE);
}
