#include "monitor/translator/rules.h"

#include "monitor/cpu/identity.h"
#include "monitor/translator/translator.h"

/* By mnemonic, for instructions that are not innocuous. Each expands to a comma and a rule, so that
 * it comes second in a list of arguments; what has no macro is a callout. */
#define SECOND(first, second, ...)  second
#define CHOOSE(candidate, fallback) SECOND(candidate, fallback, )

#define BETTER_cli    , RULE_cli
#define BETTER_clts   , RULE_clts
#define BETTER_sti    , RULE_sti
#define BETTER_pushfd , RULE_pushf
#define BETTER_popfd  , RULE_popf
#define BETTER_iretd  , RULE_iret
#define BETTER_in     , RULE_in
#define BETTER_pop    , RULE_pop_segment
#define BETTER_rdtsc  , RULE_rdtsc
#define BETTER_tzcnt  , RULE_copy_bare
#define BETTER_lzcnt  , RULE_copy_bare
#define BETTER_push   , RULE_push_segment
#define BETTER_jmp    , RULE_jmp
#define BETTER_call   , RULE_call
#define BETTER_ret    , RULE_ret
#define BETTER_retf   , RULE_far_ret
#define BETTER_loop   , RULE_loop
#define BETTER_loope  , RULE_loop
#define BETTER_loopne , RULE_loop
#define BETTER_jcxz   , RULE_loop
#define BETTER_jecxz  , RULE_loop
#define BETTER_jo     , RULE_jcc
#define BETTER_jno    , RULE_jcc
#define BETTER_jb     , RULE_jcc
#define BETTER_jae    , RULE_jcc
#define BETTER_jz     , RULE_jcc
#define BETTER_jnz    , RULE_jcc
#define BETTER_jbe    , RULE_jcc
#define BETTER_ja     , RULE_jcc
#define BETTER_js     , RULE_jcc
#define BETTER_jns    , RULE_jcc
#define BETTER_jp     , RULE_jcc
#define BETTER_jnp    , RULE_jcc
#define BETTER_jl     , RULE_jcc
#define BETTER_jge    , RULE_jcc
#define BETTER_jle    , RULE_jcc
#define BETTER_jg     , RULE_jcc

#define ROW(choose, mnemonic, list, how, kinds, reads, writes, undefines, further, feature) \
	[__LINE__] = CHOOSE(BETTER_##mnemonic, RULE_callout),

static const uint8_t better[] = {
#define OPCODE(map, code, ...) ROW(__VA_ARGS__)
#define ALSO                   OPCODE
#define GROUP                  OPCODE
#define PREFIX                 OPCODE
#define ESCAPE                 OPCODE
#include "monitor/instructions/opcodes.def"
#undef OPCODE
#undef ALSO
#undef GROUP
#undef PREFIX
#undef ESCAPE
};

_Static_assert(sizeof(better) <= RULES_ROWS, "a byte for each row");

/* Where the real processor might execute what the guest's has not got, or do without the guest's
 * registers, the interpreter answers. */
static bool may_run(const struct translator_options *options, const struct opcode *opcode)
{
	switch (opcode->feature) {
	case FEATURE_MMX:
		return options->unit_is_real && identity_has(IDENTITY_MMX);
	case FEATURE_FXSR:
		return options->unit_is_real && identity_has(IDENTITY_FXSR);
	case FEATURE_SSE:
		return options->unit_is_real && identity_has(IDENTITY_SSE);
	case FEATURE_SSE2:
		return options->unit_is_real && identity_has(IDENTITY_SSE2);
	case FEATURE_X87:
		return options->unit_is_real;
	case FEATURE_CMOV:
		return options->unit_is_real || !(opcode->properties & PROPERTY_X87);
	default:
		return opcode->feature <= FEATURE_I486 || opcode->feature == FEATURE_CX8 ||
		       opcode->feature == FEATURE_TSC;
	}
}

static bool is_string(const struct opcode *opcode)
{
	for (unsigned int i = 0; i < opcode->operand_count; i++)
		if (opcode->operands[i] == OPERAND_Xb || opcode->operands[i] == OPERAND_Xv ||
		    opcode->operands[i] == OPERAND_Yb || opcode->operands[i] == OPERAND_Yv)
			return true;
	return false;
}

/* What stores the unit's state stores where its last instruction was, which is not the same in the
 * cache. After iret to user code, that runs without the host, for as long as it likes. */
static bool is_repeatable(const struct instruction *in, const struct opcode *opcode)
{
	return better[in->row] != RULE_iret && !(opcode->class & (CLASS_IO | CLASS_REVEALS)) &&
	       opcode->operands[0] != OPERAND_Mev && opcode->operands[0] != OPERAND_Msv &&
	       opcode->operands[0] != OPERAND_Mfx;
}

static bool touches_memory(const struct instruction *in, const struct opcode *opcode)
{
	return (in->has_memory && opcode->access != ACCESS_n) || is_string(opcode) ||
	       opcode->properties & (PROPERTY_READ | PROPERTY_WRITE | PROPERTY_PUSH | PROPERTY_POP);
}

/* In ring 1 GS is the window's, and CS the cache's. */
static bool uses_taken_segment(const struct instruction *in, const struct opcode *opcode)
{
	return ((in->has_memory && opcode->access != ACCESS_n) || is_string(opcode) ||
	        opcode->properties & (PROPERTY_READ | PROPERTY_WRITE)) &&
	       (in->memory.segment == SEGMENT_GS || in->memory.segment == SEGMENT_CS);
}

/* Only what has offset and selector in itself, or on the stack. */
static enum rule choose_far(const struct instruction *in, const struct opcode *opcode, bool all)
{
	enum rule rule = (enum rule)better[in->row];

	if (in->operand_size == 2 || all)
		return RULE_callout;
	if (rule == RULE_far_ret)
		return opcode->operand_count ? RULE_callout : rule;
	if (opcode->operands[0] != OPERAND_Ap)
		return RULE_callout;
	return rule == RULE_call ? RULE_far_call : RULE_far_jmp;
}

/* SS is rare, and holds interrupts off. */
static enum rule choose_load(const struct instruction *in, const struct opcode *opcode, bool all)
{
	if (in->operand_size == 2 || all || uses_taken_segment(in, opcode))
		return RULE_callout;
	if (opcode->operands[0] == OPERAND_Sw)
		return opcode->class & CLASS_HOLD ? RULE_callout : RULE_mov_to_segment;
	return in->row != SCAN_ROW_UNDEFINED &&
	                       opcode->class == (CLASS_SEGMENT | CLASS_SENSITIVE) &&
	                       better[in->row] == RULE_pop_segment
	               ? RULE_pop_segment
	               : RULE_callout;
}

static enum rule choose_mov(const struct instruction *in, const struct opcode *opcode)
{
	if (opcode->operands[1] == OPERAND_Sw && !in->has_memory)
		return RULE_mov_from_segment;
	return opcode->operands[1] == OPERAND_Cd ? RULE_mov_from_control : RULE_callout;
}

/* One of them is frequent. */
static enum rule choose_mov_to_control(const struct translator_options *options,
                                       const struct instruction *in)
{
	return (in->modrm >> 3 & 7) == 3 && !options->repeatable ? RULE_load_cr3 : RULE_callout;
}

/* What is neither innocuous nor far. */
static enum rule choose_better(const struct instruction *in, const struct opcode *opcode, bool last)
{
	enum rule rule = (enum rule)better[in->row];

	/* A target of 16 bits is cut, and rare. */
	if (opcode->class & CLASS_CONTROL && in->operand_size == 2)
		return RULE_callout;
	if (opcode->operands[1] == OPERAND_Sw || opcode->operands[1] == OPERAND_Cd)
		return choose_mov(in, opcode);
	/* Its shadow must cover an instruction of this block. */
	return rule == RULE_sti && last ? RULE_callout : rule;
}

static enum rule decide(const struct translator_options *options, const struct instruction *in,
                        bool last)
{
	const struct opcode *opcode = instruction_opcode(in);

	if (in->row == SCAN_ROW_UNDEFINED || opcode->class & CLASS_UNDEFINED)
		return RULE_callout;
	if (options->repeatable && !is_repeatable(in, opcode))
		return RULE_callout;
	if (better[in->row] == RULE_iret)
		return options->all_memory_callout ? RULE_callout : RULE_iret;
	if (opcode->class & CLASS_SEGMENT && opcode->class & CLASS_CONTROL)
		return choose_far(in, opcode, options->all_memory_callout);
	if (opcode->class & CLASS_SEGMENT)
		return choose_load(in, opcode, options->all_memory_callout);
	if (opcode->class & CLASS_IO)
		return opcode->operands[0] == OPERAND_AL ? (enum rule)better[in->row]
		                                         : RULE_callout;
	if (!may_run(options, opcode) && better[in->row] != RULE_copy_bare)
		return RULE_callout;
	if (uses_taken_segment(in, opcode) ||
	    (options->all_memory_callout && touches_memory(in, opcode)))
		return RULE_callout;
	if (better[in->row] == RULE_copy_bare)
		return RULE_copy_bare;
	if (opcode->feature == FEATURE_CX8)
		return RULE_copy_settled;
	if (opcode->operands[0] == OPERAND_Cd)
		return choose_mov_to_control(options, in);
	return opcode->class == CLASS_INNOCUOUS ? RULE_copy : choose_better(in, opcode, last);
}

/* In the table of rules: decide each time. */
#define LOOK RULES

/* Only these depend on more than the row, when there is no prefix. */
static bool wants_look(const struct translator_options *options, unsigned int row)
{
	return options->all_memory_callout || better[row] == RULE_sti ||
	       opcode_rows[row].operands[0] == OPERAND_Sw ||
	       opcode_rows[row].operands[0] == OPERAND_Cd ||
	       opcode_rows[row].operands[1] == OPERAND_Sw;
}

void rules_start(struct translator *t)
{
	for (unsigned int row = 0; row < sizeof(better); row++) {
		const struct instruction in = {
		        .row = (uint16_t)row, .operand_size = 4, .memory = {.segment = SEGMENT_DS}};

		t->rules[row] = wants_look(&t->setup.options, row)
		                        ? LOOK
		                        : (uint8_t)decide(&t->setup.options, &in, false);
	}
}

static inline uint8_t rule_of(const struct translator *t, const struct instruction *in, bool last)
{
	uint8_t rule = t->rules[in->row];

	if (rule == LOOK || in->prefixes & (PREFIX_SEGMENT | PREFIX_O16))
		return (uint8_t)decide(&t->setup.options, in, last);
	return rule;
}

/* Of what is not copied ring 1 and 2 may do what neither needs privilege nor looks at it. */
static uint8_t inner_rule(uint8_t rule)
{
	switch (rule) {
	case RULE_call:
	case RULE_copy:
	case RULE_copy_bare:
	case RULE_copy_settled:
	case RULE_jcc:
	case RULE_jmp:
	case RULE_loop:
	case RULE_mov_from_segment:
	case RULE_push_segment:
	case RULE_pushf:
	case RULE_rdtsc:
	case RULE_ret:
		return rule;
	default:
		return RULE_callout;
	}
}

void rules_choose(const struct translator *t, struct scan *scan)
{
	bool inner = t->segments[t->segment].inner;

	for (uint32_t n = 0; n < scan->count; n++) {
		uint8_t *rule = &scan->rules[n];

		if (*rule != SCAN_DECODED)
			continue;
		*rule = rule_of(t, &scan->instructions[n], n == scan->count - 1);
		if (inner)
			*rule = inner_rule(*rule);
	}
}

bool rules_is_callout(const struct translator *t, const struct instruction *in)
{
	return rule_of(t, in, false) == RULE_callout;
}
