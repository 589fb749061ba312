#include "guest/mini_kernel/programs/prime.h"

#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/programs/user.h"

#define LARGEST 50000u

/* Not inlined and not clever: docs show this function's instructions beside their translation. */
__attribute__((noinline)) int is_prime(int a)
{
	if (a < 2)
		return 0;
	for (int i = 2; i < a; i++)
		if (a % i == 0)
			return 0;
	return 1;
}

void program_prime(const char *argument)
{
	const char *end;
	uint32_t n = user_number(argument, &end), smaller = 0;
	if (end == argument || *end || n > LARGEST) {
		say("prime: give a number up to %u\n", LARGEST);
		user_exit(1);
	}
	for (uint32_t i = 2; i < n; i++)
		smaller += (uint32_t)is_prime((int)i);
	say("%u is %s; %u primes are smaller\n", n, is_prime((int)n) ? "a prime" : "not a prime",
	    smaller);
	user_exit(0);
}
