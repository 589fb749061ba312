/* Translates a file of 32-bit code from one end to the other, for measure-decoder to count the
 * processor's instructions meanwhile. Prints how many instructions of the guest that were. */
#include "ring1.h"

#include "kernel/statistics.h"

struct unit_case *unit_cases, **unit_last;
bool unit_failed;

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	uint32_t offset, end;

	if (!file) {
		fprintf(stderr, "measure_translator: give it a file of 32-bit code\n");
		return 2;
	}
	run_start();
	end = RUN_CODE +
	      (uint32_t)fread(run_machine.ram + RUN_CODE, 1, RING1_GUEST_END - RUN_CODE, file);
	ring1_start(NULL);
	while (ring1_guest->eip < end &&
	       translator_find_or_make(&ring1.t, ring1_guest, &offset) == TRANSLATOR_FOUND)
		ring1_guest->eip += translator_find_block(&ring1.t, offset)->guest_size;
	printf("%lu\n", (unsigned long)statistics[STATISTIC_instructions_translated]);
	return 0;
}
