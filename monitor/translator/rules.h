/* The second pass: what becomes of each instruction.
 *
 * The class in opcodes.def decides: an innocuous instruction is copied, any other is a callout,
 * except for those few mnemonics that rules.c knows something better for. */
#ifndef MONITOR_TRANSLATOR_RULES_H
#define MONITOR_TRANSLATOR_RULES_H

#include "monitor/instructions/decode.h"

struct translator;

enum rule {
#define RULE(name, text) RULE_##name,
#include "monitor/translator/rules.def"
#undef RULE
	RULES
};

/* Enough for the lines of opcodes.def. */
#define RULES_ROWS 2048

/* Works out once, with the translator's options, what does not depend on operands and prefixes. */
void rules_start(struct translator *t);

/* In the table that this makes: decide each time. */
#define RULES_LOOK RULES

enum rule rules_decide(const struct translator *t, const struct instruction *in, bool last);

/* `last`: nothing of the block comes behind it. */
static inline enum rule rules_choose(const struct translator *t, const uint8_t rules[RULES_ROWS],
                                     const struct instruction *in, bool last)
{
	uint8_t rule = rules[in->row];

	if (rule != RULES_LOOK && !(in->prefixes & (PREFIX_SEGMENT | PREFIX_O16)))
		return (enum rule)rule;
	return rules_decide(t, in, last);
}

#endif
