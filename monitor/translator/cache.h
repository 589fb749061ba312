/* The translation cache and its records: room, and finding a block by what it was made from.
 *
 * Blocks lie in the cache in the order of their records, stubs grow towards them from the end.
 * Nothing is given back singly: when anything has run out, all of it is flushed. */
#ifndef MONITOR_TRANSLATOR_CACHE_H
#define MONITOR_TRANSLATOR_CACHE_H

#include "monitor/translator/translator.h"

/* Divides the room for records. */
void cache_start(struct translator *t);
void cache_clear(struct translator *t);

/* For one block of any kind, and what its dropping needs. */
bool cache_has_room(const struct translator *t);

/* A record, the last one in the table; nobody finds it yet. */
struct block *cache_new_block(struct translator *t, uint32_t eip);
/* Makes the last block found, by its eip and pages. */
void cache_add_block(struct translator *t, uint32_t number);
void cache_remove_block(struct translator *t, uint32_t number);

uint32_t cache_find_block(const struct translator *t, uint32_t eip, uint32_t page);

/* The record of a page of code, or BLOCK_NONE; and a new one, for which there must be room. */
uint32_t cache_find_page(struct translator *t, uint32_t linear, uint32_t physical);
uint32_t cache_new_page(struct translator *t, uint32_t linear, uint32_t physical);
/* The first record with this guest-physical page, and the next one. */
uint32_t cache_first_page(const struct translator *t, uint32_t physical);
uint32_t cache_next_page(const struct translator *t, uint32_t page);

/* Makes the last block known by its place, which must be behind that of all others. */
void cache_place_block(struct translator *t, const struct block *block);
/* The block that a place in the cache belongs to, or BLOCK_NONE. */
uint32_t cache_block_at(const struct translator *t, uint32_t offset);

#endif
