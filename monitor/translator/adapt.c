#include "monitor/translator/adapt.h"

#include "monitor/translator/chain.h"
#include "monitor/translator/fault.h"
#include "monitor/translator/invalidate.h"
#include "monitor/translator/silent.h"

#define SEEN_ENOUGH     8 /* traps */
#define NEEDLESS_ENOUGH 8 /* callouts in a row that reached no device */
/* Callouts until it is tried whether the segments still end before what is reached. */
#define TRIED_EVERY 1024

static struct adapt_site *site_of(struct translator *t, uint32_t eip)
{
	return &t->adapt.sites[eip * 0x9E3779B1u >> (32 - TRANSLATOR_ADAPT_BITS)];
}

static struct adapt_site *find_site(const struct translator *t, uint32_t eip)
{
	struct adapt_site *site = site_of((struct translator *)t, eip);

	return site->wanted != ADAPT_NOTHING && site->eip == eip ? site : NULL;
}

/* A repeated one goes over too much at a time: most of that may be plain memory. */
static bool may_be_callout(const struct instruction *in)
{
	return in->repeat == REPEAT_NONE;
}

/* The scan may know no more of it than its length. */
static void choose(struct scan *scan, uint32_t n, enum adapt_wanted wanted)
{
	const uint8_t *bytes = scan_bytes(scan, n);
	struct instruction *in = &scan->instructions[n];

	instruction_scan(bytes, (size_t)scan->at[n + 1] - scan->at[n], 32, in);
	if (wanted == ADAPT_SILENT && silent_is_store(in, bytes))
		scan->rules[n] = RULE_silent_store;
	if (wanted == ADAPT_CALLOUT && may_be_callout(in))
		scan->rules[n] = RULE_callout;
}

void adapt_choose(const struct translator *t, struct scan *scan, uint32_t eip)
{
	const struct adapt_site *site;

	if (!t->adapt.any)
		return;
	for (uint32_t n = 0; n < scan->count; n++) {
		site = scan->rules[n] == RULE_copy ? find_site(t, eip + scan->at[n]) : NULL;
		if (site)
			choose(scan, n, site->wanted);
	}
}

/* Counts it. */
static bool has_been_seen_enough(struct translator *t, uint32_t offset)
{
	struct adapt_seen *seen = &t->adapt.seen[offset % TRANSLATOR_ADAPT_SEEN];

	if (seen->offset != offset)
		*seen = (struct adapt_seen){.offset = offset};
	if (++seen->count < SEEN_ENOUGH)
		return false;
	seen->count = 0;
	return true;
}

/* Only what has been copied can become something else. */
static bool note(struct translator *t, uint32_t offset, enum adapt_wanted wanted, uint16_t patience)
{
	const struct block_entry *entry;
	const struct block *block;
	struct adapt_site *site;
	uint32_t eip;

	if (!has_been_seen_enough(t, offset))
		return false;
	entry = fault_find_entry(t, offset, &block);
	if (!entry || block->dead || entry->kind & ~(unsigned int)RECOVER_HOLD)
		return false;
	eip = fault_eip(t, block, entry, offset);
	site = site_of(t, eip);
	if (site->eip == eip && site->wanted == wanted)
		return false;
	*site = (struct adapt_site){.eip = eip, .wanted = wanted, .patience = patience};
	t->adapt.any = true;
	invalidate_drop(t, (uint32_t)(block - t->blocks));
	return true;
}

bool translator_note_silent(struct translator *t, uint32_t offset)
{
	return note(t, offset, ADAPT_SILENT, 0);
}

void translator_note_answered(struct translator *t, uint32_t offset, bool device)
{
	/* In lockstep the interpreter has to know beforehand what is a callout. */
	if (!t->setup.options.repeatable)
		note(t, offset, ADAPT_CALLOUT, device ? NEEDLESS_ENOUGH : TRIED_EVERY);
}

/* Other blocks may have it as a callout as well: each is dropped when it comes there. */
void translator_note_callout(struct translator *t, uint32_t offset, bool device)
{
	const struct block_entry *entry;
	const struct block *block;
	struct adapt_site *site;

	if (!t->adapt.any)
		return;
	offset -= CHAIN_STUB_SIZE;
	entry = fault_find_entry(t, offset, &block);
	site = entry && !block->dead ? find_site(t, fault_eip(t, block, entry, offset)) : NULL;
	if (!site || site->wanted == ADAPT_SILENT)
		return;
	if (device) {
		site->needless = 0;
	} else if (site->wanted == ADAPT_COPY || ++site->needless >= site->patience) {
		site->wanted = ADAPT_COPY;
		t->resume_block = BLOCK_NONE;
		invalidate_drop(t, (uint32_t)(block - t->blocks));
	}
}
