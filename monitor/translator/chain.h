/* Links between blocks: made as stubs that ask the host, patched into jumps, and taken back.
 *
 * Whoever finds that a page is mapped no longer takes back all links to its blocks. A jump that has
 * been left out cannot be taken back; it stays within one page, and is as good as the way there. */
#ifndef MONITOR_TRANSLATOR_CHAIN_H
#define MONITOR_TRANSLATOR_CHAIN_H

#include "monitor/translator/translator.h"

#define CHAIN_STUB_SIZE 2

static inline uint32_t chain_stub(const struct translator *t, uint32_t link)
{
	return t->setup.cache_size - CHAIN_STUB_SIZE * (link + 1);
}

/* A link whose rel32 stands at `at`, and its stub. */
uint32_t chain_new_link(struct translator *t, uint32_t block, uint32_t at, uint32_t target);

/* The shared stubs, at the front of an empty cache. */
void chain_start(struct translator *t);
/* Forgets all predictions of returns and indirect transfers. */
void chain_forget_predictions(struct translator *t);

/* The return of a call to this address lands there. Returns where to look on for another address
 * that has the same place in the table. */
uint32_t chain_expect_return(struct translator *t, uint32_t address, uint32_t landing);

/* What the last exit came through now leads to this block, which was found at its target. */
void chain_pending(struct translator *t, uint32_t block);
void chain_forget_pending(struct translator *t);

/* All that leads to this block asks the host again, returns into its middle as well. */
void chain_take_back(struct translator *t, struct block *block);
/* The block's first bytes become an exit: something may run into them. */
void chain_close(struct translator *t, const struct block *block);

/* Whether a new block for `eip` may stand where the last block's last jump is. */
bool chain_falls_through(const struct translator *t, uint32_t eip, const uint32_t page[2]);
/* It does: that jump is left out. */
void chain_leave_out(struct translator *t, uint32_t to);

/* The link that a stub at this offset belongs to, or BLOCK_NONE. */
uint32_t chain_find_stub(const struct translator *t, uint32_t offset);

#endif
