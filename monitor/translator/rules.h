/* The second pass: what becomes of each instruction.
 *
 * The class in opcodes.def decides: an innocuous instruction is copied, any other is a callout,
 * except for those few mnemonics that rules.c knows something better for. */
#ifndef MONITOR_TRANSLATOR_RULES_H
#define MONITOR_TRANSLATOR_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct instruction;
struct translator;
struct scan;

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

/* For each instruction of a scanned block: the rule stands beside it. */
void rules_choose(const struct translator *t, struct scan *scan);

/* What does it pushes where to come back to. */
static inline bool rules_comes_back(enum rule rule)
{
	return rule == RULE_call || rule == RULE_far_call;
}

/* For whoever compares: whether translated code leaves this one to the interpreter in any case. */
bool rules_is_callout(const struct translator *t, const struct instruction *in);

#endif
