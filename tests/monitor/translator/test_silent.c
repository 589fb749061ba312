/* Stores that are compared first: they do what they did, and nothing where nothing changes. */
#include "ring1.h"

#include "monitor/translator/fault.h"
#include "monitor/translator/silent.h"

#define ENOUGH 8
#define LAST   40 /* behind the last instruction that is made known */

/* The offset of the guest's instruction in the block that begins the code; BLOCK_NONE where it has
 * none as such. */
static uint32_t find_copy(uint32_t eip)
{
	const struct block_entry *entry;
	const struct block *block;
	uint32_t offset;

	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, &offset), TRANSLATOR_FOUND);
	block = translator_find_block(&ring1.t, offset);
	for (uint32_t at = block->host; at < block->host + block->host_size; at++) {
		entry = fault_find_entry(&ring1.t, at, &block);
		if (entry->kind == RECOVER_NOTHING && fault_eip(&ring1.t, block, entry, at) == eip)
			return at;
	}
	return BLOCK_NONE;
}

/* As if each had trapped often enough. Returns how many blocks that has dropped. */
static unsigned int make_known(void)
{
	unsigned int dropped = 0;

	for (uint32_t eip = RUN_CODE; eip < RUN_CODE + LAST; eip++) {
		uint32_t offset = find_copy(eip);

		for (int i = 0; i < ENOUGH && offset != BLOCK_NONE; i++)
			dropped += translator_note_silent(&ring1.t, offset);
	}
	return dropped;
}

/* With an interrupt before each instruction in ring 1, and last without. */
static void run_known(void)
{
	static struct small_machine begun;
	uint64_t interrupts;

	begun = run_machine;
	ring1_start(NULL);
	make_known();
	ring1_run();
	interrupts = ring1.host;
	for (uint64_t i = 0; i < interrupts; i++) {
		run_machine = begun;
		ring1_start(NULL);
		make_known();
		ring1.stop_at = (i + 1) % interrupts;
		ring1_run();
	}
}

static unsigned int count_rule(enum rule rule)
{
	const struct scan *scan = &ring1.t.scan;
	unsigned int count = 0;

	for (uint32_t n = 0; n < scan->count; n++)
		count += scan->rules[n] == rule;
	return count;
}

static void start_loop(void)
{
	run_start();
	ring1_plain->registers[VCPU_ECX] = 3;
	ring1_plain->registers[VCPU_EDI] = RUN_DATA;
	/* cmp eax,ecx; mov [edi],eax; mov dword [edi+ecx*4],11223344h; mov [esp-8],edx;
	 * mov [edi+64],ecx; adc ebx,0; pushf; pop edx; dec ecx; jnz; hlt */
	run_write(0x39, 0xC8, 0x89, 0x07, 0xC7, 0x04, 0x8F, 0x44, 0x33, 0x22, 0x11, 0x89, 0x54,
	          0x24, 0xF8, 0x89, 0x4F, 0x40, 0x83, 0xD3, 0x00, 0x9C, 0x5A, 0x49, 0x75, 0xE6,
	          0xF4);
}

TEST(they_do_what_they_did)
{
	start_loop();
	run_known();
	CHECK_EQ(small_get32(&ring1.machine, RUN_DATA + 8), 0x11223344);
	CHECK_EQ(ring1.faults, 0);
}

TEST(only_a_store_of_a_dword_from_elsewhere_than_ecx_becomes_one)
{
	start_loop();
	ring1_start(NULL);
	CHECK(make_known() > 3);
	find_copy(RUN_CODE);
	CHECK_EQ(count_rule(RULE_silent_store), 3);
}

/* mov [edi],eax; mov dword [edi+4],5; hlt, where both are there already, or only one of them. */
static uint32_t caught(uint32_t second)
{
	run_start();
	ring1_plain->registers[VCPU_EAX] = 0xC4010000;
	ring1_plain->registers[VCPU_EDI] = RUN_CODE + 0x800;
	run_write(0x89, 0x07, 0xC7, 0x47, 0x04, 0x05, 0x00, 0x00, 0x00, 0xF4);
	small_put32(&run_machine, RUN_CODE + 0x800, 0xC4010000);
	small_put32(&run_machine, RUN_CODE + 0x804, second);
	ring1_start(NULL);
	make_known();
	ring1.watching = true;
	ring1_run();
	return ring1.faults;
}

TEST(a_watched_page_is_written_where_something_changes)
{
	CHECK_EQ(caught(5), 0);
	CHECK_EQ(caught(6), 1);
	CHECK_EQ(caught(4), 1);
}

TEST(it_takes_a_few_traps)
{
	uint32_t offset;

	start_loop();
	ring1_start(NULL);
	offset = find_copy(RUN_CODE + 2);
	for (int i = 1; i < ENOUGH; i++)
		CHECK(!translator_note_silent(&ring1.t, offset));
	CHECK(!translator_find_block(&ring1.t, offset)->dead);
	CHECK(translator_note_silent(&ring1.t, offset));
	CHECK(translator_find_block(&ring1.t, offset)->dead);
}

UNIT_MAIN
