/* How often each instruction has run, by the counters of its blocks: exactly as often as in the
 * plain machine, wherever blocks are left and resumed. */
#include "ring1.h"

#include "monitor/instructions/decode.h"

#define SEEN   0x20000u /* addresses below are compared */
#define RANGES 1024u

static struct small_machine begun;
static struct count_range ranges[RANGES];
static struct count count;
static uint32_t plain_runs[SEEN];
static int64_t counted_runs[SEEN];
static bool watching;          /* code is written */
static bool plain_bytes[SEEN]; /* of instructions that have run */

/* As often as the interpreter alone completes each. */
static void run_plain(void)
{
	struct vcpu *vcpu = &run_machine.vm.vcpu;

	run_machine = begun;
	run_machine.vm.read_time = run_machine.vm.read_tsc = ring1_no_time;
	memset(plain_runs, 0, sizeof(plain_runs));
	memset(plain_bytes, 0, sizeof(plain_bytes));
	while (!vcpu->halted) {
		uint64_t before = vcpu->instructions;
		struct instruction in;

		CHECK_EQ(instruction_decode(run_machine.ram + vcpu->eip, 15, 32, &in), DECODE_OK);
		memset(plain_bytes + vcpu->eip, true, in.length);
		interpret_step(vcpu);
		if (vcpu->instructions != before)
			plain_runs[vcpu->instruction_eip]++;
	}
}

static void gather_counted(void)
{
	memset(counted_runs, 0, sizeof(counted_runs));
	for (uint32_t i = 0; i < RANGES; i++)
		for (uint32_t at = ranges[i].from; at < ranges[i].to && at < SEEN; at++)
			counted_runs[at] += ranges[i].times;
}

static void compare(void)
{
	uint32_t wrong = 0;

	translator_count_collect(&ring1.t);
	run_plain();
	gather_counted();
	for (uint32_t at = 0; at < SEEN; at++)
		if (plain_runs[at] || !plain_bytes[at])
			wrong += counted_runs[at] != plain_runs[at];
	CHECK_EQ(wrong, 0);
	CHECK_EQ(count.lost, 0);
}

static void run_once(const struct translator_options *options, uint64_t stop_at)
{
	run_machine = begun;
	memset(ranges, 0, sizeof(ranges));
	count = (struct count){.counters = ring1.beyond.counters,
	                       .blocks = RING1_COUNTED,
	                       .offset = RING1_COUNTERS - RING1_WINDOW,
	                       .ranges = ranges,
	                       .range_count = RANGES};
	ring1_count = &count;
	ring1_start(options);
	ring1.stop_at = stop_at;
	ring1.watching = watching;
	ring1_run();
	compare();
}

/* Under each option, and left before each instruction in ring 1. */
static void run_and_compare(void)
{
	static const struct translator_options ways[] = {
	        {0},
	        {.no_chaining = true},
	        {.cache_blocks_max = 4},
	        {.flush_every = 1},
	        {.all_memory_callout = true},
	};
	uint64_t host;

	begun = run_machine;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		run_once(&ways[i], 0);
	run_once(NULL, 0);
	host = ring1.host;
	for (uint64_t i = 1; i <= host && i <= 2 * RING1_INTERRUPTS_MAX; i++)
		run_once(NULL, i);
	ring1_count = NULL;
}

/* mov esi,5; again: push esi; call f; test esi,1; jnz odd; inc eax; odd: dec esi; jnz again; hlt;
 * f: ret 4 */
TEST(loops_calls_and_ways_that_are_not_taken)
{
	run_start();
	run_write(0xBE, 0x05, 0x00, 0x00, 0x00, 0x56, 0xE8, 0x0D, 0x00, 0x00, 0x00, 0xF7, 0xC6,
	          0x01, 0x00, 0x00, 0x00, 0x75, 0x01, 0x40, 0x4E, 0x75, 0xEE, 0xF4, 0xC2, 0x04,
	          0x00);
	run_and_compare();
}

/* int 20h; inc eax; popf of another IOPL; pushf; inc ebx; hlt. The handler is iret. */
TEST(callouts_that_go_elsewhere_and_that_are_resumed)
{
	run_start();
	run_machine.ram[RUN_HANDLERS + 0x20 * 16] = 0xCF;
	run_write(0xCD, 0x20, 0x40, 0x68, 0x02, 0x30, 0x00, 0x00, 0x9D, 0x9C, 0x43, 0xF4);
	run_and_compare();
}

/* inc ebx; div ecx; inc eax; hlt, where ECX is 0 at first: the handler makes it 1, and returns. */
TEST(a_fault_in_the_middle)
{
	run_start()->registers[VCPU_ECX] = 0;
	run_machine.vm.vcpu.registers[VCPU_EDX] = 0;
	RUN_PUT(RUN_HANDLERS, 0x41, 0xCF);
	run_write(0x43, 0xF7, 0xF1, 0x40, 0xF4);
	run_and_compare();
}

/* sti; inc eax; mov byte [inc],90h; inc: inc ebx; hlt: a block that changes itself. */
TEST(code_that_is_written_counts_by_where_it_is)
{
	run_start();
	run_write(0xFB, 0x40, 0xC6, 0x05, 0x09, 0x00, 0x01, 0x00, 0x90, 0x43, 0x43, 0xF4);
	watching = true;
	run_and_compare();
	watching = false;
}

/* mov ecx,3; loop to itself; hlt: with a counter that is nearly full. */
TEST(a_counter_stays_where_it_is_full)
{
	uint32_t *counters = ring1.beyond.counters;

	run_start();
	run_write(0xB9, 0x03, 0x00, 0x00, 0x00, 0xE2, 0xFE, 0xF4);
	begun = run_machine;
	run_once(NULL, 0);
	run_machine = begun;
	ring1_count = &count;
	ring1_start(NULL);
	for (uint32_t i = 0; i < 16; i++)
		counters[i] = COUNT_MOST - 1;
	ring1_run();
	ring1_count = NULL;
	for (uint32_t i = 0; i < 16; i++)
		CHECK(counters[i] >= COUNT_MOST - 1);
}

/* What does not fit is told, not forgotten. */
TEST(too_few_ranges_are_noticed)
{
	run_start();
	run_write(0x40, 0x0F, 0xA2, 0x40, 0x0F, 0xA2, 0x40, 0x0F, 0xA2, 0xF4);
	run_machine.vm.vcpu.registers[VCPU_EAX] = 0;
	memset(ranges, 0, sizeof(ranges));
	count = (struct count){.counters = ring1.beyond.counters,
	                       .blocks = RING1_COUNTED,
	                       .offset = RING1_COUNTERS - RING1_WINDOW,
	                       .ranges = ranges,
	                       .range_count = 4};
	ring1_count = &count;
	ring1_start(NULL);
	ring1_run();
	ring1_count = NULL;
	CHECK_EQ(count.used, 3);
	CHECK(count.lost > 0);
}

/* Six instructions for a block; none where nothing is counted. */
TEST(it_costs_six_instructions_a_block)
{
	run_start();
	run_write(0x40, 0x40, 0xF4);
	begun = run_machine;
	run_once(NULL, 0);
	CHECK_EQ(ring1.host, 2 + 6);
}

UNIT_MAIN
