/* The second pass: what becomes of each instruction.
 *
 * The class in opcodes.def decides: an innocuous instruction is copied, any other is a callout,
 * except for those few mnemonics that rules.c knows something better for. */
#ifndef MONITOR_TRANSLATOR_RULES_H
#define MONITOR_TRANSLATOR_RULES_H

#include "monitor/instructions/decode.h"

struct translator_options;

enum rule {
#define RULE(name, text) RULE_##name,
#include "monitor/translator/rules.def"
#undef RULE
	RULES
};

/* `last`: nothing of the block comes behind it. */
enum rule rules_choose(const struct translator_options *options, const struct instruction *in,
                       bool last);

#endif
