#include "guest/mini_kernel/programs/stress.h"

#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/programs/prime.h"
#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/programs/user.h"

#define TICKS_A_SECOND 100
#define PAGES          24
#define UPCALLS        10
#define WORDS          (4 * PAGE_SIZE / 4)
#define FNV_PRIME      16777619u
#define FNV_START      2166136261u

/* Lies in the programs' data, so that every writer gets its own copy. */
static volatile uint32_t shared[WORDS];
static volatile uint32_t upcalls_seen;

static uint32_t stress_mix(uint32_t sum, uint32_t value)
{
	return (sum ^ value) * FNV_PRIME;
}

static uint32_t stress_compute(uint32_t round)
{
	uint32_t sum = FNV_START;
	for (uint32_t i = 0; i < 400; i++)
		sum = stress_mix(sum, (uint32_t)is_prime((int)(i + round % 64)));
	return sum;
}

/* Pages that come with zeros, keep what is written, and come with zeros again. */
static uint32_t stress_map(uint32_t round)
{
	volatile uint32_t *words = (volatile uint32_t *)MAP_BASE;
	uint32_t sum = FNV_START;
	for (uint32_t pass = 0; pass < 3; pass++) {
		if (!user_map((void *)(uintptr_t)MAP_BASE, PAGES * PAGE_SIZE))
			return 0;
		for (uint32_t page = 0; page < PAGES; page++) {
			volatile uint32_t *word = &words[page * PAGE_SIZE / 4 + round % 1024];
			sum = stress_mix(sum, *word);
			*word = round + page;
		}
		for (uint32_t page = 0; page < PAGES; page++)
			sum = stress_mix(sum, words[page * PAGE_SIZE / 4 + round % 1024]);
		if (!user_unmap((void *)(uintptr_t)MAP_BASE, PAGES * PAGE_SIZE))
			return 0;
	}
	return sum;
}

static uint32_t stress_sum_shared(void)
{
	uint32_t sum = FNV_START;
	for (uint32_t i = 0; i < WORDS; i += 64)
		sum = stress_mix(sum, shared[i]);
	return sum;
}

static void stress_fill_shared(uint32_t value)
{
	for (uint32_t i = 0; i < WORDS; i += 64)
		shared[i] = value + i;
}

/* A child and its child write the same pages; neither may see the other's. */
static uint32_t stress_copy(uint32_t round)
{
	uint32_t status;
	stress_fill_shared(round);
	if (user_fork() == 0) {
		stress_fill_shared(~round);
		user_yield();
		user_exit(stress_sum_shared());
	}
	user_yield();
	uint32_t mine = stress_sum_shared();
	user_wait(&status);
	return stress_mix(mine, status) ^ stress_sum_shared();
}

static void stress_on_upcall(void)
{
	upcalls_seen++;
}

/* Upcalls from itself and from a child, and registers that must survive them. */
static uint32_t stress_upcalls(uint32_t round)
{
	uint32_t status, sum = FNV_START, me = user_identity();
	upcalls_seen = 0;
	user_on_upcall(stress_on_upcall);
	if (user_fork() == 0) {
		for (uint32_t i = 0; i < UPCALLS; i++)
			user_raise(me);
		user_exit(0);
	}
	for (uint32_t i = 0; i < UPCALLS; i++) {
		user_raise(me);
		sum = stress_mix(sum, round + i);
	}
	user_wait(&status);
	/* An upcall that is due ends the sleep at once. */
	while (upcalls_seen < 2 * UPCALLS)
		user_sleep(1);
	return stress_mix(sum, upcalls_seen);
}

static uint32_t stress_round(uint32_t round)
{
	static uint32_t (*const parts[])(uint32_t) = {stress_compute, stress_map, stress_copy,
	                                              stress_upcalls};
	uint32_t status, sum = 0, count = sizeof(parts) / sizeof(*parts);
	for (uint32_t i = 0; i < count; i++)
		if (user_fork() == 0)
			user_exit(stress_mix(parts[i](round), i));
	/* A sum, because they end in any order. */
	for (uint32_t i = 0; i < count; i++) {
		user_wait(&status);
		sum += status;
	}
	return sum;
}

void program_stress(const char *argument)
{
	struct counters before, now;
	const char *end;
	uint32_t limit = user_number(argument, &end), round = 0, sum = FNV_START;
	bool seconds = *end == 's';
	if (end == argument) {
		say("stress: give a number of rounds, or of seconds as in 10s\n");
		user_exit(1);
	}
	/* The first round brings the pages that this task itself needs. */
	stress_round(0);
	user_counters(&before);
	do {
		sum = stress_mix(sum, stress_round(++round));
		user_counters(&now);
	} while (seconds ? now.ticks - before.ticks < limit * TICKS_A_SECOND : round < limit);
	say("stress: %u rounds, checksum 0x%08x, %u page frames lost\n", round, sum,
	    before.frames_free - now.frames_free);
	user_exit(before.frames_free != now.frames_free);
}
