#include "monitor/translator/chain.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/translator/cache.h"
#include "monitor/translator/flow.h"
#include "monitor/translator/level.h"

#define INT   0xCD
#define JUMP  0xE9
#define STUBS 0u /* the block of the shared stubs */

static void put_long(struct translator *t, uint32_t at, uint32_t value)
{
	memcpy(t->setup.cache + at, &value, sizeof(value));
}

static void put_relative(struct translator *t, uint32_t at, uint32_t to)
{
	put_long(t, at, to - (at + 4));
}

uint32_t chain_new_link(struct translator *t, uint32_t block, uint32_t at, uint32_t target)
{
	const uint8_t stub[CHAIN_STUB_SIZE] = {INT, TRANSLATOR_VECTOR_EXIT};
	uint32_t link = t->link_count++;

	t->links[link] = (struct block_link){.at = at,
	                                     .target = target,
	                                     .block = block,
	                                     .to = BLOCK_NONE,
	                                     .next = BLOCK_NONE,
	                                     .prediction = BLOCK_NONE};
	t->stubs_at = chain_stub(t, link);
	memcpy(t->setup.cache + t->stubs_at, stub, sizeof(stub));
	return link;
}

uint32_t chain_find_stub(const struct translator *t, uint32_t offset)
{
	if (offset < t->stubs_at || offset >= t->setup.cache_size)
		return BLOCK_NONE;
	return (t->setup.cache_size - 1 - offset) / CHAIN_STUB_SIZE;
}

/* Where a target that nobody has predicted is looked up. The hash takes no flag: 81 times the
 * target, and of that 14 bits from bit 8 on. Functions begin at multiples of 16, so the lowest bits
 * alone would make many meet. */
static uint32_t hash_target(uint32_t target)
{
	return target * 81 >> 8 & (WINDOW_JUMPS - 1);
}

static void emit_stubs(struct emit *emit)
{
	emit->t->miss = emit->at;
	emit_gone(emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	EMIT_WINDOW(emit, target, 0x8B, 0x0D);  /* mov ecx,gs:[target] */
	EMIT(emit, 0x8D, 0x0C, 0xC9);           /* lea ecx,[ecx+ecx*8] */
	EMIT(emit, 0x8D, 0x0C, 0xC9);           /* lea ecx,[ecx+ecx*8] */
	EMIT_WINDOW(emit, product, 0x89, 0x0D); /* mov gs:[product],ecx */
	EMIT(emit, EMIT_GS, 0x0F, 0xB7, 0x0D);  /* movzx ecx,word gs:[product+1] */
	emit_long(emit, (uint32_t)offsetof(struct translator_window, product) + 1);
	EMIT(emit, 0x8D, 0x0C, 0x8D); /* lea ecx,[ecx*4] */
	emit_long(emit, 0);
	EMIT(emit, 0x0F, 0xB7, 0xC9);         /* movzx ecx,cx */
	EMIT_WINDOW(emit, jumps, 0xFF, 0xA1); /* jmp gs:[ecx+jumps] */
	emit->t->exit_indirect = emit->at;
	EMIT_RESTORE_ECX(emit);
	emit_gone(emit, BLOCK_ENTRY_TARGET, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_EXIT);
	level_emit_stubs(emit);
}

/* The stubs are where they were before a flush, so that only what is in use has to be forgotten. */
void chain_start(struct translator *t)
{
	uint32_t miss = t->miss, exit_indirect = t->exit_indirect;
	struct block *block = cache_new_block(t, 0);
	struct emit emit;

	emit_begin(&emit, t, block, 0);
	emit_stubs(&emit);
	emit_end(&emit);
	if (t->miss != miss || t->exit_indirect != exit_indirect)
		t->expected_jumps.count = t->expected_returns.count = TRANSLATOR_EXPECTED + 1;
	level_close_returns(t);
	chain_forget_pending(t);
	chain_forget_predictions(t);
}

/* Of many, few are in use where a guest changes its code segment all the time. */
static void forget(struct translator_expected *expected, uint32_t *table, uint32_t size,
                   uint32_t landing)
{
	bool all = expected->count > TRANSLATOR_EXPECTED;
	uint32_t count = all ? size : expected->count;

	for (uint32_t i = 0; i < count; i++)
		table[all ? i : expected->places[i]] = landing;
	expected->count = 0;
}

static void expect(struct translator_expected *expected, uint32_t *table, uint32_t place,
                   uint32_t landing)
{
	if (expected->count < TRANSLATOR_EXPECTED)
		expected->places[expected->count] = (uint16_t)place;
	if (expected->count <= TRANSLATOR_EXPECTED)
		expected->count++;
	table[place] = landing;
}

void chain_forget_predictions(struct translator *t)
{
	struct translator_window *window = t->setup.window;

	forget(&t->expected_returns, window->returns, WINDOW_RETURNS, t->miss);
	forget(&t->expected_jumps, window->jumps, WINDOW_JUMPS, t->exit_indirect);
}

static uint32_t return_place(uint32_t address)
{
	return address & (WINDOW_RETURNS - 1);
}

/* How many landings in a row are tried for one place of the table, the latest first. */
#define LANDINGS_MAX 4

uint32_t chain_expect_return(struct translator *t, uint32_t address, uint32_t landing)
{
	uint32_t first = t->setup.window->returns[return_place(address)], at = first;

	for (uint32_t n = 2; n < LANDINGS_MAX && at != t->miss; n++)
		at = flow_landing_otherwise(t, at);
	if (at != t->miss)
		flow_set_otherwise(t, at, t->miss);
	expect(&t->expected_returns, t->setup.window->returns, return_place(address), landing);
	return first;
}

/* Takes it out of the row that begins in the table. */
static void forget_landing(struct translator *t, uint32_t landing)
{
	uint32_t *first = &t->setup.window->returns[return_place(flow_landing_target(t, landing))];
	uint32_t at = *first, next;

	if (at == landing) {
		*first = flow_landing_otherwise(t, landing);
		return;
	}
	for (; at != t->miss; at = next) {
		next = flow_landing_otherwise(t, at);
		if (next != landing)
			continue;
		flow_set_otherwise(t, at, flow_landing_otherwise(t, landing));
		return;
	}
}

/* Its map has the places where returns land, among others. */
static void forget_returns(struct translator *t, const struct block *block)
{
	for (uint32_t i = block->map; i < block->map + block->map_count; i++) {
		const struct block_entry *entry = &t->map[i];

		if (entry->kind == (RECOVER_GONE | RECOVER_ECX) &&
		    entry->guest == BLOCK_ENTRY_TARGET)
			forget_landing(t, block->host + entry->host);
	}
}

static void tell(const struct translator *t, const struct block_link *link)
{
	statistics_count(blocks_chained);
	if (t->setup.observer)
		t->setup.observer->chained(t, link);
}

static void lead(struct translator *t, uint32_t number, uint32_t to)
{
	struct block_link *link = &t->links[number];

	link->to = to;
	link->next = t->blocks[to].incoming;
	t->blocks[to].incoming = number;
	if (link->at == BLOCK_NONE)
		return; /* of a block that was dropped */
	put_relative(t, link->at, t->blocks[to].host);
	tell(t, link);
}

/* Where an indirect transfer lands that goes to this block: the one who jumped here only knows the
 * hash of the target. */
static void make_landing(struct translator *t, uint32_t to)
{
	uint32_t target = t->blocks[to].eip;
	struct block *landing = cache_new_block(t, target);
	struct emit emit;
	uint32_t link;

	emit_begin(&emit, t, landing, t->used);
	emit_gone(&emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	flow_land(&emit, target, t->exit_indirect);
	link = t->link_count;
	emit_gone(&emit, emit_next_link(&emit), 0);
	EMIT(&emit, JUMP);
	emit_link(&emit, target);
	emit_end(&emit);
	lead(t, link, to);
	t->blocks[to].landing = landing->host;
}

static void chain_indirect(struct translator *t, uint32_t to)
{
	uint32_t target = t->blocks[to].eip;

	if (t->blocks[to].landing == BLOCK_NONE) {
		if (!cache_has_room(t))
			return;
		make_landing(t, to);
	}
	expect(&t->expected_jumps, t->setup.window->jumps, hash_target(target),
	       t->blocks[to].landing);
}

/* The place has seen its first target: it is compared with that from now on, and what differs is
 * looked up. */
static void predict(struct translator *t, uint32_t site, uint32_t to)
{
	put_long(t, t->links[site].prediction, 0u - t->blocks[to].eip);
	put_long(t, t->links[site].prediction + FLOW_PREDICTION_AGAIN, t->blocks[to].eip);
	put_relative(t, t->links[site].at, t->miss);
	t->links[site + 1].target = t->blocks[to].eip;
	lead(t, site + 1, to);
}

/* What was dropped becomes a jump to what replaces it. */
static void forward(struct translator *t, uint32_t dead, uint32_t to)
{
	uint32_t at = t->blocks[dead].host, link;

	if (t->blocks[dead].eip != t->blocks[to].eip || !cache_has_room(t))
		return;
	link = chain_new_link(t, dead, at + 1, t->blocks[to].eip);
	t->setup.cache[at] = JUMP;
	lead(t, link, to);
}

static void chain_link(struct translator *t, uint32_t number, uint32_t to)
{
	uint32_t eip = t->blocks[to].eip;

	if (t->links[number].prediction != BLOCK_NONE) {
		if (t->links[number + 1].to == BLOCK_NONE && t->setup.window->target == eip)
			predict(t, number, to);
	} else if (t->links[number].to == BLOCK_NONE && t->links[number].target == eip) {
		lead(t, number, to);
	}
}

void chain_forget_pending(struct translator *t)
{
	t->pending = t->pending_dead = BLOCK_NONE;
	t->pending_indirect = false;
}

void chain_pending(struct translator *t, uint32_t to)
{
	if (t->pending == BLOCK_NONE && t->pending_dead == BLOCK_NONE && !t->pending_indirect)
		return;
	if (!t->setup.options.no_chaining) {
		if (t->pending_indirect && t->setup.window->target == t->blocks[to].eip)
			chain_indirect(t, to);
		if (t->pending_dead != BLOCK_NONE)
			forward(t, t->pending_dead, to);
		if (t->pending != BLOCK_NONE)
			chain_link(t, t->pending, to);
	}
	chain_forget_pending(t);
}

static void note_exit(struct translator *t, uint32_t offset)
{
	uint32_t number;

	chain_forget_pending(t);
	t->pending = chain_find_stub(t, offset);
	if (t->pending != BLOCK_NONE)
		return;
	number = cache_block_at(t, offset);
	if (number == STUBS)
		t->pending_indirect = true;
	else if (number != BLOCK_NONE && t->blocks[number].dead)
		t->pending_dead = number;
}

void translator_at_exit(struct translator *t, uint32_t offset, struct vcpu *vcpu)
{
	offset -= CHAIN_STUB_SIZE;
	note_exit(t, offset);
	translator_recover(t, offset, vcpu);
}

void chain_take_back(struct translator *t, struct block *block)
{
	uint32_t number = block->incoming;

	while (number != BLOCK_NONE) {
		struct block_link *link = &t->links[number];

		if (link->at != BLOCK_NONE)
			put_relative(t, link->at, chain_stub(t, number));
		link->to = BLOCK_NONE;
		number = link->next;
	}
	block->incoming = BLOCK_NONE;
	forget_returns(t, block);
}

/* Its own jumps are written no more: the exit stands where the first of them may have been, and
 * none is ever taken. */
void chain_close(struct translator *t, const struct block *block)
{
	const uint8_t exit[CHAIN_STUB_SIZE] = {INT, TRANSLATOR_VECTOR_EXIT};

	for (uint32_t i = block->link; i < block->link + block->links; i++)
		t->links[i].at = t->links[i].prediction = BLOCK_NONE;
	memcpy(t->setup.cache + block->host, exit, sizeof(exit));
}

/* Only a jump to the page that it stands on: it cannot be taken back, but then it need not. */
bool chain_falls_through(const struct translator *t, uint32_t eip, const uint32_t page[2])
{
	const struct block *last = &t->blocks[t->block_count - 1];
	const struct block_link *link;
	uint32_t end;

	if (t->setup.options.no_chaining || !last->links || last->dead || !last->guest_size ||
	    last->host_size < 2 * BLOCK_JUMP_SIZE)
		return false;
	link = &t->links[last->link + last->links - 1];
	end = last->page[1] == BLOCK_NONE ? last->page[0] : last->page[1];
	return link->at + 4 == t->used && link->target == eip && link->to == BLOCK_NONE &&
	       last->segment == t->segment && page[0] == end && page[1] == BLOCK_NONE;
}

void chain_leave_out(struct translator *t, uint32_t to)
{
	struct block *last = &t->blocks[t->block_count - 1];
	uint32_t number = last->link + last->links - 1;

	t->used -= BLOCK_JUMP_SIZE;
	last->host_size -= BLOCK_JUMP_SIZE;
	t->links[number].at = BLOCK_NONE;
	t->links[number].to = to;
	tell(t, &t->links[number]);
}
