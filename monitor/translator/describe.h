/* What the translator does as a person reads it: a block with the guest's instructions, and beside
 * each what became of it; and which jump leads elsewhere since it was chained. */
#ifndef MONITOR_TRANSLATOR_DESCRIBE_H
#define MONITOR_TRANSLATOR_DESCRIBE_H

#include "monitor/loaders/elf_symbols.h"
#include "monitor/translator/translator.h"

/* Where the lines go, without ends of lines; and the guest's names, which may be none. */
struct describe_to {
	void (*line)(void *to, const char *text);
	void *to;
	const struct elf_symbols *symbols;
};

/* The guest's bytes are those in its memory now. */
void translator_describe(const struct translator *t, const struct block *block,
                         const struct describe_to *to);
void translator_describe_link(const struct translator *t, const struct block_link *link,
                              const struct describe_to *to);

#endif
