#include "monitor/translator/invalidate.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/memory/page_walk.h"
#include "monitor/translator/cache.h"
#include "monitor/translator/chain.h"

/* Counts the pages that a load of CR3 may move. */
static void note_mapping(struct translator *t, struct block_page *page, bool mapped, bool global)
{
	t->local_pages -= page->mapped && !page->global;
	page->mapped = mapped;
	page->global = global;
	t->local_pages += mapped && !global;
}

static void watch(struct translator *t, uint32_t physical, bool on)
{
	t->setup.watch(t->setup.vcpu, gpa((uint64_t)physical * GUEST_PAGE_SIZE), on);
}

/* Whether blocks have been made of it, seen at whatever addresses. */
static bool has_blocks(const struct translator *t, uint32_t physical)
{
	uint32_t page = cache_first_page(t, physical);

	while (page != BLOCK_NONE && t->pages[page].first == BLOCK_NONE)
		page = cache_next_page(t, page);
	return page != BLOCK_NONE;
}

uint32_t invalidate_watch(struct translator *t, uint32_t linear, uint32_t physical, bool global)
{
	uint32_t page = cache_find_page(t, linear, physical);

	if (page == BLOCK_NONE || t->pages[page].first == BLOCK_NONE) {
		if (!has_blocks(t, physical))
			watch(t, physical, true);
		if (page == BLOCK_NONE)
			page = cache_new_page(t, linear, physical);
	}
	note_mapping(t, &t->pages[page], true, global);
	return page;
}

void invalidate_all(struct translator *t)
{
	for (uint32_t i = 0; i < t->page_count; i++)
		if (t->pages[i].first != BLOCK_NONE)
			watch(t, t->pages[i].physical, false);
}

/* The bytes of this page that the block depends on. */
static void find_span(const struct translator *t, const struct block *block, uint32_t page,
                      uint32_t *begin, uint32_t *end)
{
	*begin = (t->segments[block->segment].base + block->eip) % GUEST_PAGE_SIZE;
	*end = *begin + block->guest_size - 1;
	if (block->page[0] != page) {
		*begin = 0;
		*end -= GUEST_PAGE_SIZE;
	}
	if (*end >= GUEST_PAGE_SIZE)
		*end = GUEST_PAGE_SIZE - 1;
}

static bool depends(const struct translator *t, const struct block *block, uint32_t page,
                    uint32_t first, uint32_t last)
{
	uint32_t begin, end;

	find_span(t, block, page, &begin, &end);
	return begin <= last && first <= end;
}

void invalidate_note_code(struct translator *t, uint32_t number)
{
	const struct block *block = &t->blocks[number];
	uint32_t begin, end;

	for (int i = 0; i < 2 && block->page[i] != BLOCK_NONE; i++) {
		uint32_t *code = t->pages[block->page[i]].code;

		find_span(t, block, block->page[i], &begin, &end);
		for (uint32_t n = begin / BLOCK_PAGE_PIECE; n <= end / BLOCK_PAGE_PIECE; n++)
			code[n / 32] |= 1u << n % 32;
	}
}

/* Kernels keep data beside code: most writes to such a page touch none. */
static bool has_code(const struct block_page *page, uint32_t first, uint32_t last)
{
	for (uint32_t n = first / BLOCK_PAGE_PIECE; n <= last / BLOCK_PAGE_PIECE; n++)
		if (page->code[n / 32] >> n % 32 & 1)
			return true;
	return false;
}

static void forget_code(struct block_page *page)
{
	if (page->first == BLOCK_NONE)
		memset(page->code, 0, sizeof(page->code));
}

void invalidate_drop(struct translator *t, uint32_t number)
{
	struct block *block = &t->blocks[number];

	cache_remove_block(t, number);
	for (int i = 0; i < 2 && block->page[i] != BLOCK_NONE; i++)
		forget_code(&t->pages[block->page[i]]);
	chain_take_back(t, block);
	chain_close(t, block);
	block->dead = true;
	if (t->resume_block == number)
		t->resume_block = BLOCK_NONE;
	statistics_count(blocks_dropped);
}

static void drop_in_page(struct translator *t, uint32_t page, uint32_t first, uint32_t last)
{
	uint32_t number = t->pages[page].first;

	while (number != BLOCK_NONE) {
		const struct block *block = &t->blocks[number];
		uint32_t next = block->next_on_page[block->page[0] == page ? 0 : 1];

		if (depends(t, block, page, first, last))
			invalidate_drop(t, number);
		number = next;
	}
}

static void written_in_page(struct translator *t, uint32_t physical, uint32_t first, uint32_t last)
{
	uint64_t before = statistics[STATISTIC_blocks_dropped];

	for (uint32_t page = cache_first_page(t, physical); page != BLOCK_NONE;
	     page = cache_next_page(t, page))
		if (has_code(&t->pages[page], first, last))
			drop_in_page(t, page, first, last);
	if (statistics[STATISTIC_blocks_dropped] != before && !has_blocks(t, physical))
		watch(t, physical, false);
}

void translator_written(struct translator *t, gpa_t at, uint32_t size)
{
	while (size) {
		uint32_t first = at.value % GUEST_PAGE_SIZE, piece = GUEST_PAGE_SIZE - first;

		if (piece > size)
			piece = size;
		written_in_page(t, (uint32_t)(at.value / GUEST_PAGE_SIZE), first,
		                first + piece - 1);
		at.value += piece;
		size -= piece;
	}
}

static void take_back_page(struct translator *t, uint32_t page)
{
	uint32_t number = t->pages[page].first;

	while (number != BLOCK_NONE) {
		struct block *block = &t->blocks[number];

		chain_take_back(t, block);
		number = block->next_on_page[block->page[0] == page ? 0 : 1];
	}
	note_mapping(t, &t->pages[page], false, t->pages[page].global);
	if (t->resume_block != BLOCK_NONE)
		t->resume_block = BLOCK_NONE;
	statistics_count(pages_remapped);
}

/* Where an accessed bit has to be set again the next fetch goes through the host, which sets it. */
static bool is_mapped(struct translator *t, struct vcpu *vcpu, struct block_page *page)
{
	struct page_walk found;
	uint32_t error;
	bool is;

	is = page_walk(vcpu, gva(page->linear * GUEST_PAGE_SIZE), PAGE_WALK_FETCH | PAGE_WALK_AGAIN,
	               &found, &error) &&
	     found.page.value / GUEST_PAGE_SIZE == page->physical;
	if (is)
		note_mapping(t, page, true, found.global);
	return is;
}

void invalidate_mark_mapped(struct translator *t, uint32_t number)
{
	for (int i = 0; i < 2 && t->blocks[number].page[i] != BLOCK_NONE; i++) {
		struct block_page *page = &t->pages[t->blocks[number].page[i]];

		if (!page->mapped)
			note_mapping(t, page, true, page->global);
	}
}

/* A load of CR3 leaves global pages as they are, in a real translation buffer too. */
static void note_control_registers(struct translator *t, const struct vcpu *vcpu)
{
	if (!((vcpu->cr0 ^ t->cr0) | (vcpu->cr3 ^ t->cr3) | (vcpu->cr4 ^ t->cr4)) &&
	    vcpu->efer == t->efer)
		return;
	if (vcpu->cr0 != t->cr0 || vcpu->cr4 != t->cr4 || vcpu->efer != t->efer)
		t->doubt_all = true;
	if (vcpu->cr3 != t->cr3)
		t->doubt_local = true;
	t->cr0 = vcpu->cr0;
	t->cr3 = vcpu->cr3;
	t->cr4 = vcpu->cr4;
	t->efer = vcpu->efer;
}

/* One invlpg since the last look, or none, is what there mostly is. */
static void note_flushes(struct translator *t, const struct vcpu *vcpu)
{
	uint32_t pages = vcpu->page_flushes - t->page_flushes;

	if (pages > 1)
		t->doubt_all = true;
	else if (pages == 1)
		t->doubt_region = vcpu->flushed_page >> TRANSLATOR_REGION_SHIFT;
	if (vcpu->flushes - t->flushes > pages)
		t->doubt_local = true;
	t->flushes = vcpu->flushes;
	t->page_flushes = vcpu->page_flushes;
}

static bool is_in_doubt(const struct translator *t, const struct block_page *page)
{
	return page->mapped && (t->doubt_all || (t->doubt_local && !page->global) ||
	                        page->linear >> (TRANSLATOR_REGION_SHIFT - 12) == t->doubt_region);
}

/* Kernels load CR3 and flush pages all the time, and hardly ever where their code is. */
static bool is_any_in_doubt(const struct translator *t)
{
	return t->doubt_all || (t->doubt_local && t->local_pages) ||
	       (t->doubt_region != BLOCK_NONE &&
	        t->regions[t->doubt_region / 32] >> t->doubt_region % 32 & 1);
}

void invalidate_check_mappings(struct translator *t, struct vcpu *vcpu)
{
	note_control_registers(t, vcpu);
	if (vcpu->flushes != t->flushes)
		note_flushes(t, vcpu);
	if (!t->doubt_all && !t->doubt_local && t->doubt_region == BLOCK_NONE)
		return;
	for (uint32_t i = 0; is_any_in_doubt(t) && i < t->page_count; i++)
		if (is_in_doubt(t, &t->pages[i]) && !is_mapped(t, vcpu, &t->pages[i]))
			take_back_page(t, i);
	t->doubt_all = t->doubt_local = false;
	t->doubt_region = BLOCK_NONE;
}

bool translator_is_in_place(struct translator *t, struct vcpu *vcpu)
{
	uint64_t before = statistics[STATISTIC_pages_remapped];

	invalidate_check_mappings(t, vcpu);
	return statistics[STATISTIC_pages_remapped] == before;
}
