#include "monitor/translator/cache.h"

#include "kernel/string.h"

/* What a block takes of each on the average, found by translating kernels; whichever runs out first
 * flushes the cache. */
#define CACHE_BYTES_PER_BLOCK 40
#define LINKS_PER_BLOCK       2
#define ENTRIES_PER_BLOCK     6
#define BLOCKS_PER_PAGE       8
#define PLACE_SIZE            64u
#define TABLES_SIZE           (2 * TRANSLATOR_BUCKETS * sizeof(uint32_t))
#define SIZE_PER_BLOCK                                                        \
	(sizeof(struct block) + LINKS_PER_BLOCK * sizeof(struct block_link) + \
	 ENTRIES_PER_BLOCK * sizeof(struct block_entry))
#define SIZE_PER_PAGES (sizeof(struct block_page))

/* For a block at the most: its links, a landing, a forwarding. */
#define LINKS_AT_ONCE  (BLOCK_LINKS_MAX + 2)
#define BLOCKS_AT_ONCE 2
#define ROOM_AT_ONCE   (BLOCK_HOST_MAX + LINKS_AT_ONCE * 2)

static size_t places_size(uint32_t cache_size)
{
	return (cache_size / PLACE_SIZE + 1) * sizeof(uint32_t);
}

size_t translator_room_size(uint32_t cache_size)
{
	size_t blocks = cache_size / CACHE_BYTES_PER_BLOCK + 64;

	return TABLES_SIZE + places_size(cache_size) + blocks * SIZE_PER_BLOCK +
	       (blocks / BLOCKS_PER_PAGE + 1) * SIZE_PER_PAGES + BLOCK_MAP_MAX * 8 * 4;
}

static void *cut(uint8_t **room, size_t size)
{
	void *piece = *room;

	*room += size;
	return piece;
}

void cache_start(struct translator *t)
{
	uint8_t *room = t->setup.room;
	size_t places = places_size(t->setup.cache_size);
	size_t left = t->setup.room_size - TABLES_SIZE - places - BLOCK_MAP_MAX * 8 * 4;
	size_t blocks = left / (SIZE_PER_BLOCK + SIZE_PER_PAGES / BLOCKS_PER_PAGE + 1);

	t->blocks_max = (uint32_t)blocks;
	if (t->setup.count && t->blocks_max > t->setup.count->blocks)
		t->blocks_max = t->setup.count->blocks;
	t->links_max = (uint32_t)blocks * LINKS_PER_BLOCK;
	t->map_max = (uint32_t)blocks * ENTRIES_PER_BLOCK + BLOCK_MAP_MAX * 8;
	t->pages_max = (uint32_t)(blocks / BLOCKS_PER_PAGE);
	/* The records with 64-bit members first, so that they are aligned. */
	t->blocks = cut(&room, blocks * sizeof(struct block));
	t->links = cut(&room, t->links_max * sizeof(struct block_link));
	t->map = cut(&room, t->map_max * sizeof(struct block_entry));
	t->pages = cut(&room, t->pages_max * sizeof(struct block_page));
	t->buckets = cut(&room, TRANSLATOR_BUCKETS * sizeof(uint32_t));
	t->page_buckets = cut(&room, TRANSLATOR_BUCKETS * sizeof(uint32_t));
	t->places = cut(&room, places);
	memset(t->buckets, 0xFF, TRANSLATOR_BUCKETS * sizeof(uint32_t));
	memset(t->page_buckets, 0xFF, TRANSLATOR_BUCKETS * sizeof(uint32_t));
}

static uint32_t *bucket_of(const struct translator *t, uint32_t eip)
{
	return &t->buckets[(eip ^ eip >> 12) % TRANSLATOR_BUCKETS];
}

static uint32_t *page_bucket_of(const struct translator *t, uint32_t physical)
{
	return &t->page_buckets[physical % TRANSLATOR_BUCKETS];
}

/* There are far more than may be in use. */
static void empty_buckets(struct translator *t)
{
	for (uint32_t i = 0; i < t->block_count; i++)
		*bucket_of(t, t->blocks[i].eip) = BLOCK_NONE;
	for (uint32_t i = 0; i < t->page_count; i++)
		*page_bucket_of(t, t->pages[i].physical) = BLOCK_NONE;
}

void cache_clear(struct translator *t)
{
	empty_buckets(t);
	t->used = 0;
	t->stubs_at = t->setup.cache_size;
	t->block_count = t->link_count = t->map_count = t->page_count = t->made = 0;
	t->local_pages = 0;
	memset(t->regions, 0, sizeof(t->regions));
}

bool cache_has_room(const struct translator *t)
{
	return t->block_count + BLOCKS_AT_ONCE <= t->blocks_max &&
	       t->link_count + LINKS_AT_ONCE <= t->links_max &&
	       t->map_count + BLOCK_MAP_MAX <= t->map_max && t->page_count + 2 <= t->pages_max &&
	       t->used + ROOM_AT_ONCE <= t->stubs_at;
}

struct block *cache_new_block(struct translator *t, uint32_t eip)
{
	struct block *block = &t->blocks[t->block_count++];

	*block = (struct block){.eip = eip,
	                        .segment = (uint8_t)t->segment,
	                        .page = {BLOCK_NONE, BLOCK_NONE},
	                        .next_on_page = {BLOCK_NONE, BLOCK_NONE},
	                        .next_in_bucket = BLOCK_NONE,
	                        .incoming = BLOCK_NONE,
	                        .landing = BLOCK_NONE};
	return block;
}

void cache_add_block(struct translator *t, uint32_t number)
{
	struct block *block = &t->blocks[number];
	uint32_t *bucket = bucket_of(t, block->eip);

	block->next_in_bucket = *bucket;
	*bucket = number;
	for (int i = 0; i < 2 && block->page[i] != BLOCK_NONE; i++) {
		block->next_on_page[i] = t->pages[block->page[i]].first;
		t->pages[block->page[i]].first = number;
	}
}

/* The place that holds the number of the block behind this one in the list of a page. */
static uint32_t *next_on_page(const struct translator *t, uint32_t number, uint32_t page)
{
	struct block *block = &t->blocks[number];

	return &block->next_on_page[block->page[0] == page ? 0 : 1];
}

static void leave_page(struct translator *t, uint32_t number, uint32_t page)
{
	uint32_t *place = &t->pages[page].first;

	while (*place != number)
		place = next_on_page(t, *place, page);
	*place = *next_on_page(t, number, page);
}

void cache_remove_block(struct translator *t, uint32_t number)
{
	struct block *block = &t->blocks[number];
	uint32_t *place = bucket_of(t, block->eip);

	while (*place != number)
		place = &t->blocks[*place].next_in_bucket;
	*place = block->next_in_bucket;
	for (int i = 0; i < 2 && block->page[i] != BLOCK_NONE; i++)
		leave_page(t, number, block->page[i]);
}

uint32_t cache_find_block(const struct translator *t, uint32_t eip, uint32_t page)
{
	uint32_t number = *bucket_of(t, eip);

	while (number != BLOCK_NONE) {
		const struct block *block = &t->blocks[number];

		if (block->eip == eip && block->page[0] == page && block->segment == t->segment)
			return number;
		number = block->next_in_bucket;
	}
	return BLOCK_NONE;
}

static uint32_t skip_others(const struct translator *t, uint32_t page, uint32_t physical)
{
	while (page != BLOCK_NONE && t->pages[page].physical != physical)
		page = t->pages[page].next_in_bucket;
	return page;
}

uint32_t cache_first_page(const struct translator *t, uint32_t physical)
{
	return skip_others(t, *page_bucket_of(t, physical), physical);
}

uint32_t cache_next_page(const struct translator *t, uint32_t page)
{
	return skip_others(t, t->pages[page].next_in_bucket, t->pages[page].physical);
}

/* One block after the other is made of the same page. */
uint32_t cache_find_page(struct translator *t, uint32_t linear, uint32_t physical)
{
	uint32_t page = t->last_page;

	if (page < t->page_count && t->pages[page].linear == linear &&
	    t->pages[page].physical == physical)
		return page;
	page = cache_first_page(t, physical);
	while (page != BLOCK_NONE && t->pages[page].linear != linear)
		page = cache_next_page(t, page);
	t->last_page = page;
	return page;
}

uint32_t cache_new_page(struct translator *t, uint32_t linear, uint32_t physical)
{
	uint32_t *bucket = page_bucket_of(t, physical);
	uint32_t page = t->page_count++;

	t->pages[page] = (struct block_page){.linear = linear,
	                                     .physical = physical,
	                                     .first = BLOCK_NONE,
	                                     .next_in_bucket = *bucket};
	*bucket = page;
	t->regions[linear >> (TRANSLATOR_REGION_SHIFT - 12) >> 5] |=
	        1u << (linear >> (TRANSLATOR_REGION_SHIFT - 12) & 31);
	return page;
}

void cache_place_block(struct translator *t, const struct block *block)
{
	uint32_t end = block->host + block->host_size;
	uint32_t place = (block->host + PLACE_SIZE - 1) / PLACE_SIZE;

	for (; place * PLACE_SIZE < end; place++)
		t->places[place] = (uint32_t)(block - t->blocks);
}

uint32_t cache_block_at(const struct translator *t, uint32_t offset)
{
	uint32_t number;

	if (offset >= t->used)
		return BLOCK_NONE;
	number = t->places[offset / PLACE_SIZE];
	while (number + 1 < t->block_count && t->blocks[number + 1].host <= offset)
		number++;
	return number;
}
