/* What lockstep lets by, and what it finds. */
#include "lockstep_here.h"

#include "kernel/statistics.h"

static void start(void)
{
	run_start();
	for (uint32_t vector = 0; vector < 256; vector++)
		run_machine.ram[RUN_HANDLERS + vector * 16] = 0xF4;
}

/* Whatever stands in the machine, with an interrupt before every instruction of ring 1 in turn. */
static void run_all(void)
{
	static struct small_machine begun;
	uint64_t all = 1;

	begun = run_machine;
	for (uint64_t i = 0; i <= all; i++) {
		run_machine = begun;
		lockstep_here();
		ring1.stop_at = i;
		ring1_run();
		CHECK_STR(lockstep_problem, "");
		all = i ? all : ring1.host;
	}
	lockstep_gone();
}

/* The same, but the byte of the first block behind the bytes that the test names becomes another.
 */
static uint8_t spoiled[4], spoiled_into;

static void spoil(uint32_t offset)
{
	uint8_t *cache = ring1.machine.ram + RING1_CACHE;

	for (uint32_t at = offset; at < offset + 64; at++)
		if (memcmp(cache + at, spoiled, 2) == 0) {
			cache[at + 2] = spoiled_into;
			lockstep_spoil = NULL;
			return;
		}
}

static void run_spoiled(uint8_t first, uint8_t second, uint8_t into)
{
	spoiled[0] = first;
	spoiled[1] = second;
	spoiled_into = into;
	lockstep_here();
	lockstep_spoil = spoil;
	for (uint32_t i = 0; i < 100 && !ring1_guest->halted && !ring1.lost; i++)
		ring1_dispatch();
	lockstep_gone();
	CHECK(ring1.lost);
}

/* mov [20000],eax; add eax,3; mov [20002],ax; push eax; pop ebx; hlt */
static void stores(void)
{
	start();
	run_write(0xA3, 0x00, 0x00, 0x02, 0x00, 0x83, 0xC0, 0x03, 0x66, 0xA3, 0x02, 0x00, 0x02,
	          0x00, 0x50, 0x5B, 0xF4);
}

TEST(equal_runs_are_let_by)
{
	stores();
	run_all();
}

/* sti; cli; pushf; popf; call +0; pop eax; push 10012; ret; hlt; hlt */
TEST(sequences_are_let_by)
{
	start();
	run_write(0xFB, 0xFA, 0x9C, 0x9D, 0xE8, 0x00, 0x00, 0x00, 0x00, 0x58, 0x68, 0x12, 0x00,
	          0x01, 0x00, 0xC3, 0xF4, 0xF4, 0xF4);
	run_all();
}

/* mov ecx,20; mov esi,20000; mov edi,20001; rep movsb; hlt */
TEST(each_iteration_is_a_state)
{
	start();
	run_write(0xB9, 0x20, 0x00, 0x00, 0x00, 0xBE, 0x00, 0x00, 0x02, 0x00, 0xBF, 0x01, 0x00,
	          0x02, 0x00, 0xF3, 0xA4, 0xF4);
	run_all();
}

/* mov ecx,1000; mov edi,20000; rep stosb; mov eax,[ecx]; hlt: more than there is room for */
TEST(what_is_longer_than_the_record_is_let_by)
{
	start();
	run_write(0xB9, 0x00, 0x10, 0x00, 0x00, 0xBF, 0x00, 0x00, 0x02, 0x00, 0xF3, 0xAA, 0x8B,
	          0x01, 0xF4);
	lockstep_here();
	ring1_run();
	CHECK_STR(lockstep_problem, "");
	CHECK_EQ(lockstep.translator->setup.vcpu->registers[VCPU_ECX], 0);
	CHECK_EQ(statistics[STATISTIC_lockstep_unchecked], 1);
	lockstep_gone();
}

/* mov ecx,5; inc ecx; sub ecx,2; jnz the inc; hlt */
TEST(a_block_that_goes_to_itself_is_let_by)
{
	start();
	run_write(0xB9, 0x05, 0x00, 0x00, 0x00, 0x41, 0x83, 0xE9, 0x02, 0x75, 0xFA, 0xF4);
	run_all();
}

/* Once its end leads to its beginning, translated code goes round alone, but not for long.
 *
 * mov ecx,500; inc eax; dec ecx; jnz the inc; hlt */
TEST(a_long_loop_takes_few_runs)
{
	uint64_t runs = statistics[STATISTIC_lockstep_runs];

	start();
	run_write(0xB9, 0xF4, 0x01, 0x00, 0x00, 0x40, 0x49, 0x75, 0xFC, 0xF4);
	lockstep_here();
	ring1_run();
	CHECK_STR(lockstep_problem, "");
	CHECK_EQ(lockstep.translator->setup.vcpu->registers[VCPU_ECX], 0);
	runs = statistics[STATISTIC_lockstep_runs] - runs;
	CHECK(runs >= 500 / LOCKSTEP_BLOCKS && runs <= 500 / LOCKSTEP_BLOCKS + 8);
	lockstep_gone();
}

/* What is left unchecked is not more than the instruction itself: the loop before it is checked.
 *
 * mov ecx,3; dec ecx; jnz the dec; mov cx,1001; mov edi,20000; rep stosb; hlt */
TEST(what_is_too_long_does_not_spoil_what_is_before_it)
{
	uint64_t unchecked = statistics[STATISTIC_lockstep_unchecked];

	start();
	run_write(0xB9, 0x03, 0x00, 0x00, 0x00, 0x49, 0x75, 0xFD, 0x66, 0xB9, 0x01, 0x10, 0xBF,
	          0x00, 0x00, 0x02, 0x00, 0xF3, 0xAA, 0xF4);
	lockstep_here();
	ring1_run();
	CHECK_STR(lockstep_problem, "");
	CHECK_EQ(statistics[STATISTIC_lockstep_unchecked] - unchecked, 1);
	lockstep_gone();
}

/* xor ecx,ecx; div ecx; hlt */
TEST(a_fault_ends_the_run_before_the_instruction)
{
	start();
	run_write(0x31, 0xC9, 0xF7, 0xF1, 0xF4);
	run_all();
}

/* In ring1.h the real processor walks no tables, so it sets no accessed bit at all. */
TEST(accessed_bits_are_not_looked_at)
{
	stores();
	run_paging(ring1_plain);
	lockstep_here();
	for (uint32_t i = 0; i < 100 && !ring1_guest->halted && !ring1.lost; i++)
		ring1_dispatch();
	CHECK(ring1_guest->halted);
	CHECK_STR(lockstep_problem, "");
	lockstep_gone();
}

TEST(another_register_is_found)
{
	stores();
	run_spoiled(0x83, 0xC0, 0x04);
	CHECK_STR(lockstep_problem,
	          "lockstep: from eip=00010000 translated code came elsewhere than the "
	          "interpreter after 5 of 5 instructions: eax is 11111115, not 11111114");
}

TEST(another_place_in_memory_is_found)
{
	stores();
	run_spoiled(0x66, 0xA3, 0x06);
	CHECK(strstr(lockstep_problem, "physical 00020002 has 11, not 14") != NULL);
}

/* xor ebx,ebx; cmp eax,7; hlt */
TEST(other_flags_are_found)
{
	start();
	run_write(0x31, 0xDB, 0x83, 0xF8, 0x07, 0xF4);
	run_spoiled(0x83, 0xF8, 0x11);
	CHECK(strstr(lockstep_problem, "eflags are") != NULL);
}

/* mul: SF, ZF, AF and PF mean nothing; and eax,eax writes all but AF, which means nothing still. */
TEST(undefined_flags_are_not_looked_at)
{
	start();
	run_write(0xF7, 0xE1, 0xF4);
	lockstep_here();
	lockstep_rehearse(&lockstep, ring1_guest, RING1_CACHE_SIZE);
	CHECK_EQ(lockstep.count, 1);
	ring1_dispatch();
	CHECK_EQ(lockstep.states[1].undefined, FLAGS_SZAP);
	lockstep_gone();
}

/* Behind the jump the first run ends: OF of a shift by two is nobody's.
 *
 * shl eax,2; jmp +0; pushf; pop ebx; hlt */
TEST(an_undefined_flag_is_not_read_in_the_run_that_left_it)
{
	start();
	run_write(0xC1, 0xE0, 0x02, 0xEB, 0x00, 0x9C, 0x5B, 0xF4);
	lockstep_here();
	ring1_dispatch();
	CHECK_EQ(lockstep.count, 3);
	CHECK(lockstep.cut_short);
	CHECK_EQ(ring1_guest->eip, RUN_CODE + 5);
	ring1_run();
	CHECK_STR(lockstep_problem, "");
	lockstep_gone();
}

UNIT_MAIN
