#include "monitor/translator/count.h"

#include "monitor/translator/cache.h"
#include "monitor/translator/emit.h"
#include "monitor/translator/level.h"

#define STORE_AT   19 /* of the sequence below, from the block's start */
#define STORE_SIZE 7
#define FULL(n)    ((n) / 4 * 3)

/* A counter that is full stays so: then the store is jumped over. */
void count_emit(struct emit *emit)
{
	uint32_t counter = emit->t->setup.count->offset + emit->number * 4;

	emit->eip = emit->block->eip;
	emit->hold = false;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT(emit, EMIT_GS, 0x8B, 0x0D); /* mov ecx,gs:[counter] */
	emit_long(emit, counter);
	EMIT(emit, 0x8D, 0x49, 0x01);    /* lea ecx,[ecx+1] */
	EMIT(emit, 0xE3, STORE_SIZE);    /* jecxz behind the store */
	EMIT(emit, EMIT_GS, 0x89, 0x0D); /* mov gs:[counter],ecx */
	emit_long(emit, counter);
	EMIT_RESTORE_ECX(emit);
}

static struct count_range *find(const struct count *count, uint32_t from, uint32_t to)
{
	uint32_t mask = count->range_count - 1, at = (from * 0x9E3779B1u ^ to * 81) & mask;

	while (count->ranges[at].from != count->ranges[at].to &&
	       (count->ranges[at].from != from || count->ranges[at].to != to))
		at = (at + 1) & mask;
	return &count->ranges[at];
}

static void add(struct count *count, uint32_t from, uint32_t to, int64_t times)
{
	struct count_range *range;

	if (from == to || !times)
		return;
	range = find(count, from, to);
	if (range->from == range->to) {
		if (count->used == FULL(count->range_count)) {
			count->lost++;
			return;
		}
		count->used++;
		*range = (struct count_range){.from = from, .to = to};
	}
	range->times += times;
}

/* The part of a block from eip on. */
static void add_rest(const struct translator *t, const struct block *block, uint32_t eip,
                     int64_t times)
{
	uint32_t base = t->segments[block->segment].base;

	add(t->setup.count, base + eip, base + block->eip + block->guest_size, times);
}

/* It ends its block, and the stub that it has jumped to stands for no code. */
static void take_back_iret(const struct translator *t)
{
	uint32_t at = t->segments[t->segment].base + t->setup.window->site;

	add(t->setup.count, at, at + LEVEL_IRET_SIZE, -1);
}

void count_left(const struct translator *t, uint32_t offset, const struct block *block,
                const struct block_entry *entry, uint32_t eip)
{
	if (!t->setup.count)
		return;
	if (level_is_at_site(entry))
		take_back_iret(t);
	else if (block->guest_size && !(entry->kind & RECOVER_GONE) &&
	         offset - block->host > STORE_AT)
		add_rest(t, block, eip, -1);
}

void count_resumed(const struct translator *t, uint32_t block, uint32_t eip)
{
	if (t->setup.count)
		add_rest(t, &t->blocks[block], eip, 1);
}

void translator_count_collect(const struct translator *t)
{
	struct count *count = t->setup.count;

	for (uint32_t i = 0; count && i < t->block_count; i++) {
		if (t->blocks[i].guest_size)
			add_rest(t, &t->blocks[i], t->blocks[i].eip, count->counters[i]);
		count->counters[i] = 0;
	}
}

void translator_count_interpreted(const struct translator *t, uint32_t at)
{
	if (t->setup.count)
		add(t->setup.count, at, at + 1, 1);
}
