#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/prime/is_prime.h"

/*
 * The classic example of a translator at work: docs/translation.md shows what becomes of
 * is_prime(49), block by block, and that the way for a prime is never looked at.
 */
void guest_main(const struct boot_info *boot)
{
	(void)boot;
	print("prime: 49 is %s\n", is_prime(49) ? "a prime" : "not a prime");
}
