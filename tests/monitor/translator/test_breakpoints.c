/* Breakpoints in the cache: where they are put, and that nothing remains of them. */
#include "ring1.h"

#include "monitor/translator/breakpoints.h"

static uint8_t before[RING1_CACHE_SIZE];

static void start(uint32_t *offset)
{
	run_start();
	run_write(0xFB, 0x9C, 0x9D, 0xB8, 0xCC, 0xCC, 0xCC, 0xCC, 0x66, 0xA3, 0x02, 0x00, 0x02,
	          0x00, 0xE8, 0x00, 0x00, 0x00, 0x00, 0xC3);
	ring1_start(NULL);
	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, offset), TRANSLATOR_FOUND);
	memcpy(before, ring1.t.setup.cache, sizeof(before));
}

static bool begins_instruction(uint32_t offset)
{
	const struct block *block = translator_find_block(&ring1.t, offset);
	struct instruction in;
	uint32_t at = block->host;

	while (at < offset) {
		CHECK_EQ(instruction_decode(before + at, 16, 32, &in), DECODE_OK);
		at += in.length;
	}
	return at == offset;
}

TEST(they_stand_where_instructions_begin_and_not_where_the_cache_is_entered)
{
	uint32_t offset, places = 0;
	static bool seen[RING1_CACHE_SIZE];

	start(&offset);
	for (uint32_t turn = 0; turn < 1000; turn++) {
		breakpoints_set(&ring1.t, offset);
		for (uint32_t at = 0; at < ring1.t.used; at++) {
			if (!breakpoints_is_one(&ring1.t, at)) {
				CHECK_EQ(ring1.t.setup.cache[at], before[at]);
				continue;
			}
			CHECK_EQ(ring1.t.setup.cache[at], 0xCC);
			CHECK(begins_instruction(at));
			CHECK(at != offset);
			places += !seen[at];
			seen[at] = true;
		}
		breakpoints_clear(&ring1.t);
		CHECK(memcmp(ring1.t.setup.cache, before, sizeof(before)) == 0);
	}
	/* Every one of the block's and the stubs', but for the entry. */
	for (uint32_t at = 0; at < ring1.t.used; at++)
		CHECK(seen[at] == (begins_instruction(at) && at != offset));
	CHECK(places > 30);
}

TEST(what_was_dropped_has_none)
{
	uint32_t offset;

	start(&offset);
	translator_written(&ring1.t, gpa(RUN_CODE), 1);
	memcpy(before, ring1.t.setup.cache, sizeof(before));
	for (uint32_t turn = 0; turn < 100; turn++) {
		breakpoints_set(&ring1.t, ring1.t.stubs_at);
		CHECK(memcmp(ring1.t.setup.cache + offset, before + offset, 64) == 0);
		breakpoints_clear(&ring1.t);
	}
}

UNIT_MAIN
