/* Instructions that become callouts because they keep trapping, and what they were once more. */
#include "ring1.h"

#include "monitor/translator/chain.h"
#include "monitor/translator/fault.h"

#define ENOUGH 8    /* traps, and callouts that reach no device */
#define TRIED  1024 /* callouts for what lies beyond the segments */

#define STORE (RUN_CODE + 1)

/* nop; mov [edi],eax; rep stosd; inc ecx; hlt, with ECX 0. */
static void start(const struct translator_options *options)
{
	run_start();
	ring1_plain->registers[VCPU_EDI] = RUN_DATA;
	ring1_plain->registers[VCPU_ECX] = 0;
	run_write(0x90, 0x89, 0x07, 0xF3, 0xAB, 0x41, 0xF4);
	ring1_start(options);
}

/* The block that begins the code, and where in it the instruction at eip is. */
static const struct block *find(uint32_t eip, uint32_t *offset)
{
	const struct block_entry *entry;
	const struct block *block;

	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, offset), TRANSLATOR_FOUND);
	block = translator_find_block(&ring1.t, *offset);
	for (;; ++*offset) {
		entry = fault_find_entry(&ring1.t, *offset, &block);
		if (fault_eip(&ring1.t, block, entry, *offset) == eip)
			return block;
	}
}

static enum rule rule_of(uint32_t eip)
{
	uint32_t offset;

	find(eip, &offset);
	for (uint32_t n = 0; n < ring1.t.scan.count; n++)
		if (RUN_CODE + ring1.t.scan.at[n] == eip)
			return (enum rule)ring1.t.scan.rules[n];
	return RULES;
}

static bool answer(uint32_t eip, unsigned int times, bool device)
{
	uint32_t offset;
	const struct block *block = find(eip, &offset);

	for (unsigned int n = 0; n < times; n++)
		translator_note_answered(&ring1.t, offset, device);
	return block->dead;
}

static bool call_out(uint32_t eip, unsigned int times, bool device)
{
	uint32_t offset;
	const struct block *block = find(eip, &offset);

	for (unsigned int n = 0; n < times && !block->dead; n++)
		translator_note_callout(&ring1.t, offset + CHAIN_STUB_SIZE, device);
	return block->dead;
}

TEST(it_takes_a_few_traps)
{
	start(NULL);
	CHECK(!answer(STORE, ENOUGH - 1, true));
	CHECK_EQ(rule_of(STORE), RULE_copy);
	CHECK(answer(STORE, 1, true));
	CHECK_EQ(rule_of(STORE), RULE_callout);
	ring1_run();
	CHECK_EQ(ring1.callouts, 2);
	CHECK_EQ(small_get32(&ring1.machine, RUN_DATA), small_get32(&run_machine, RUN_DATA));
}

TEST(what_reaches_a_device_stays_a_callout)
{
	start(NULL);
	answer(STORE, ENOUGH, true);
	CHECK(!call_out(STORE, ENOUGH - 1, false));
	CHECK(!call_out(STORE, 1, true));
	CHECK(!call_out(STORE, ENOUGH - 1, false));
	CHECK(call_out(STORE, 1, false));
	CHECK_EQ(rule_of(STORE), RULE_copy);
	/* And once more. */
	CHECK(answer(STORE, ENOUGH, true));
	CHECK_EQ(rule_of(STORE), RULE_callout);
}

TEST(what_lies_beyond_the_segments_is_tried_again_after_a_while)
{
	start(NULL);
	answer(STORE, ENOUGH, false);
	CHECK_EQ(rule_of(STORE), RULE_callout);
	CHECK(!call_out(STORE, TRIED - 1, false));
	CHECK(call_out(STORE, 1, false));
	CHECK_EQ(rule_of(STORE), RULE_copy);
}

TEST(what_repeats_is_left_alone)
{
	start(NULL);
	answer(RUN_CODE + 3, ENOUGH, true);
	CHECK_EQ(rule_of(RUN_CODE + 3), RULE_copy);
}

/* Which the interpreter knows of beforehand. */
TEST(in_lockstep_nothing_becomes_a_callout)
{
	const struct translator_options options = {.repeatable = true};

	start(&options);
	CHECK(!answer(STORE, 4 * ENOUGH, true));
	CHECK_EQ(rule_of(STORE), RULE_copy);
}

/* A callout that always was one. */
TEST(other_callouts_stay)
{
	start(NULL);
	answer(STORE, ENOUGH, true);
	CHECK_EQ(rule_of(RUN_CODE + 6), RULE_callout);
	CHECK(!call_out(RUN_CODE + 6, TRIED, false));
}

UNIT_MAIN
