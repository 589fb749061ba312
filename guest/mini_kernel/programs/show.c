#include "guest/mini_kernel/programs/show.h"

#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/programs/prime.h"
#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/programs/user.h"

#define PAGES        16
#define CHILDREN     3
#define CHILD_LINES  3
#define CHILD_PRIMES 200
#define CHILD_TICKS  4

void program_help(const char *argument)
{
	static const char *const lines[][3] = {
#define PROGRAM(name, argument_text, text) {#name, argument_text, text},
#include "guest/mini_kernel/programs/programs.def"
#undef PROGRAM
	};
	(void)argument;
	for (uint32_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		if (*lines[i][2])
			say("  %-6s %-8s %s\n", lines[i][0], lines[i][1], lines[i][2]);
	user_exit(0);
}

void program_ps(const char *argument)
{
	(void)argument;
	user_print_tasks();
	user_exit(0);
}

void program_mem(const char *argument)
{
	struct counters c;
	(void)argument;
	user_counters(&c);
	say("  page frames   %u free of %u\n", c.frames_free, c.frames_total);
	say("  page faults   %u: %u pages of zeros, %u copied, %u kept by their last owner\n",
	    c.page_faults, c.zero_pages, c.pages_copied, c.pages_kept);
	say("  tasks         %u started, %u crashed, %u upcalls\n", c.tasks_started,
	    c.tasks_crashed, c.upcalls);
	say("  processor     %u ticks, %u switches, %u of them preemptions, %u system calls\n",
	    c.ticks, c.switches, c.preemptions, c.system_calls);
	user_exit(0);
}

/* What the kernel has counted while something was done. */
static void show_difference(const char *what, const struct counters *before)
{
	struct counters now;
	user_counters(&now);
	say("  %-44s %2u of zeros, %2u copied, %2u kept\n", what,
	    now.zero_pages - before->zero_pages, now.pages_copied - before->pages_copied,
	    now.pages_kept - before->pages_kept);
}

static void show_touch(volatile uint32_t *pages, uint32_t count, uint32_t value)
{
	for (uint32_t i = 0; i < count; i++)
		pages[i * PAGE_SIZE / sizeof(*pages)] = value;
}

void program_fault(const char *argument)
{
	volatile uint32_t *pages = (volatile uint32_t *)MAP_BASE;
	struct counters before;
	uint32_t status;
	(void)argument;
	/* Everything that the measured lines use is touched before. */
	user_counters(&before);
	show_difference("page faults that nothing caused:", &before);

	user_counters(&before);
	user_map((void *)(uintptr_t)MAP_BASE, PAGES * PAGE_SIZE);
	show_difference("16 pages mapped, none touched:", &before);
	user_counters(&before);
	show_touch(pages, PAGES, 1);
	show_difference("16 pages written for the first time:", &before);

	if (user_fork() == 0) {
		/* The first write parts the child's stack; only then it counts. */
		user_counters(&before);
		show_touch(pages, 4, 2);
		show_difference("4 pages written in a child of fork:", &before);
		user_exit(pages[0]);
	}
	user_wait(&status);
	user_counters(&before);
	show_touch(pages, PAGES, 3);
	show_difference("16 pages written again in the parent:", &before);
	user_exit(0);
}

/* Long enough for the timer to come several times, however fast the processor is. */
static void show_work(void)
{
	struct counters start, now;
	user_counters(&start);
	do {
		for (int i = 0; i < CHILD_PRIMES; i++)
			is_prime(i);
		user_counters(&now);
	} while (now.ticks - start.ticks < CHILD_TICKS);
}

static _Noreturn void show_child(uint32_t number)
{
	for (uint32_t line = 1; line <= CHILD_LINES; line++) {
		show_work();
		say("  child %u: part %u of %u is done\n", number, line, CHILD_LINES);
	}
	user_exit(number);
}

void program_fork(const char *argument)
{
	struct counters before, after;
	uint32_t status, sum = 0;
	(void)argument;
	user_counters(&before);
	for (uint32_t i = 1; i <= CHILDREN; i++)
		if (user_fork() == 0)
			show_child(i);
	for (uint32_t i = 0; i < CHILDREN; i++) {
		user_wait(&status);
		sum += status;
	}
	user_counters(&after);
	say("  all %u have ended, the sum of their statuses is %u; %u switches, %u preemptions\n",
	    CHILDREN, sum, after.switches - before.switches,
	    after.preemptions - before.preemptions);
	user_exit(0);
}

static void crash_read_null(void)
{
	__asm__ volatile("movl 0, %%eax" : : : "eax");
}

static void crash_write_kernel(void)
{
	__asm__ volatile("movl $0, (%0)" : : "r"(KERNEL_BASE + 0x100000) : "memory");
}

static void crash_write_code(void)
{
	__asm__ volatile("movl $0, (%0)" : : "r"(PROGRAM_BASE) : "memory");
}

static void crash_disable_interrupts(void)
{
	__asm__ volatile("cli");
}

static void crash_divide(void)
{
	__asm__ volatile("xorl %%edx, %%edx; xorl %%ecx, %%ecx; divl %%ecx"
	                 :
	                 :
	                 : "eax", "ecx", "edx");
}

static void crash_undefined(void)
{
	__asm__ volatile("ud2");
}

void program_crash(const char *argument)
{
	static const struct {
		const char *what;
		void (*function)(void);
	} crashes[] = {
	        {"reads address 0", crash_read_null},
	        {"writes into the kernel", crash_write_kernel},
	        {"writes into its own code", crash_write_code},
	        {"disables interrupts", crash_disable_interrupts},
	        {"divides by zero", crash_divide},
	        {"uses an undefined instruction", crash_undefined},
	};
	uint32_t status;
	(void)argument;
	for (uint32_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++) {
		say("  a task %s\n  ", crashes[i].what);
		if (user_fork() == 0) {
			crashes[i].function();
			say("and nothing stopped it\n");
			user_exit(0);
		}
		user_wait(&status);
	}
	say("  the kernel and the other tasks go on\n");
	user_exit(0);
}

void program_off(const char *argument)
{
	(void)argument;
	user_power_off();
}
