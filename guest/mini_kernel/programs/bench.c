#include "guest/mini_kernel/programs/bench.h"

#include "guest/library/cpu.h"
#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/programs/prime.h"
#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/programs/user.h"

#define PAGES  16
#define YIELDS 100

static void bench_prime(uint32_t turn)
{
	is_prime((int)turn);
}

static void bench_call(uint32_t turn)
{
	(void)turn;
	user_identity();
}

static void bench_fork(uint32_t turn)
{
	uint32_t status;
	if (user_fork() == 0)
		user_exit(turn);
	user_wait(&status);
}

/* Pages that come with zeros on first touch, and go again. */
static void bench_pages(uint32_t turn)
{
	volatile uint32_t *words = (volatile uint32_t *)MAP_BASE;
	user_map((void *)(uintptr_t)MAP_BASE, PAGES * PAGE_SIZE);
	for (uint32_t page = 0; page < PAGES; page++)
		words[page * PAGE_SIZE / sizeof(*words)] = turn;
	user_unmap((void *)(uintptr_t)MAP_BASE, PAGES * PAGE_SIZE);
}

/* Two tasks that hand the processor to each other. */
static void bench_switch(uint32_t turn)
{
	uint32_t status, child = user_fork();
	for (uint32_t i = 0; i < YIELDS; i++)
		user_yield();
	if (child == 0)
		user_exit(turn);
	user_wait(&status);
}

static void bench_stress(uint32_t turn)
{
	(void)turn;
	user_run("stress", "1");
}

static const struct workload {
	const char *name;
	uint32_t turns;
	void (*run)(uint32_t turn);
} workloads[] = {
        {"prime", 2000, bench_prime}, {"call", 2000, bench_call},  {"fork", 100, bench_fork},
        {"pages", 50, bench_pages},   {"switch", 5, bench_switch}, {"stress", 3, bench_stress},
};

static const struct workload *bench_find(const char *name)
{
	for (uint32_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (user_same(workloads[i].name, name))
			return &workloads[i];
	say("bench: one of prime, call, fork, pages, switch and stress can be measured\n");
	user_exit(1);
}

static void bench_run(const struct workload *workload)
{
	for (uint32_t turn = 0; turn < workload->turns; turn++)
		workload->run(turn);
}

/* Its first turns bring the pages that it needs, and whatever is underneath learns its code. */
void program_bench(const char *argument)
{
	const struct workload *workload = bench_find(argument);
	bench_run(workload);
	uint64_t before = cpu_read_tsc();
	bench_run(workload);
	say("bench: %s turns=%u ticks=%u\n", workload->name, workload->turns,
	    (uint32_t)(cpu_read_tsc() - before));
	user_exit(0);
}
