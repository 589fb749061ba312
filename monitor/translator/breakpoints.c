#include "monitor/translator/breakpoints.h"

#include "monitor/instructions/decode.h"

/* One byte, so that it reaches into no other instruction. Ring 1 may not use its gate: it faults.
 */
#define INT3  0xCC
#define STUBS 0u /* the block of the shared stubs */

static uint32_t random_number(struct translator *t, uint32_t below)
{
	t->breakpoint_seed = t->breakpoint_seed * 1664525 + 1013904223;
	return (t->breakpoint_seed >> 8) % below;
}

static uint32_t length_at(const struct translator *t, uint32_t offset)
{
	struct instruction in;

	if (instruction_decode(t->setup.cache + offset, t->setup.cache_size - offset, 32, &in) !=
	    DECODE_OK)
		return 1;
	return in.length;
}

/* How many instructions of ring 1 a block has; of them `last` at the most are gone through, and
 * *offset is the one behind. */
static uint32_t go_through(const struct translator *t, const struct block *block, uint32_t last,
                           uint32_t *offset)
{
	uint32_t end = block->host + block->host_size, count = 0;

	*offset = block->host;
	while (*offset < end && count < last) {
		*offset += length_at(t, *offset);
		count++;
	}
	return count;
}

/* What is dropped begins with other bytes than it was made of. */
static void set_in(struct translator *t, uint32_t number, uint32_t entered)
{
	const struct block *block = &t->blocks[number];
	uint32_t at, count = go_through(t, block, BLOCK_HOST_MAX, &at);

	if (!count || block->dead)
		return;
	go_through(t, block, random_number(t, count), &at);
	if (at == entered)
		return;
	t->breakpoints[t->breakpoint_count].at = at;
	t->breakpoints[t->breakpoint_count++].byte = t->setup.cache[at];
	t->setup.cache[at] = INT3;
}

void breakpoints_set(struct translator *t, uint32_t offset)
{
	const struct block *entered = translator_find_block(t, offset);
	uint32_t other = random_number(t, t->block_count);

	t->breakpoint_count = 0;
	if (entered)
		set_in(t, (uint32_t)(entered - t->blocks), offset);
	set_in(t, STUBS, offset);
	if (other != STUBS && &t->blocks[other] != entered)
		set_in(t, other, offset);
}

void breakpoints_clear(struct translator *t)
{
	for (uint32_t i = 0; i < t->breakpoint_count; i++)
		t->setup.cache[t->breakpoints[i].at] = t->breakpoints[i].byte;
	t->breakpoint_count = 0;
}

bool breakpoints_is_one(const struct translator *t, uint32_t offset)
{
	for (uint32_t i = 0; i < t->breakpoint_count; i++)
		if (t->breakpoints[i].at == offset)
			return true;
	return false;
}
