/* A block as a person reads it: the guest's instructions, and beside each what became of it. */
#ifndef MONITOR_TRANSLATOR_DESCRIBE_H
#define MONITOR_TRANSLATOR_DESCRIBE_H

#include "monitor/translator/translator.h"

typedef void describe_line(void *to, const char *text);

/* Line by line, without ends of lines. The guest's bytes are those in its memory now. */
void translator_describe(const struct translator *t, const struct block *block, describe_line *line,
                         void *to);

#endif
