#include "guest/prime/is_prime.h"

int is_prime(int a)
{
	if (a < 2)
		return 0;
	for (int i = 2; i < a; i++)
		if (a % i == 0)
			return 0;
	return 1;
}
