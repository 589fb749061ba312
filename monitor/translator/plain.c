#include "monitor/translator/plain.h"

#include "kernel/string.h"
#include "monitor/translator/translator.h"

#define SAMPLE       32 /* as many bytes as the decoder wants not to be slow */
#define RM_MASK      7u
#define REG_MASK     (7u << 3)
#define MASK_SHIFT   16
#define MOD_REGISTER 24 /* from this form on */

/* Whether these bits of ModRM choose among the opcode's rows. */
static bool depends_on(const struct opcode *row, uint32_t mask)
{
	uint32_t masks = row->kind == KIND_GROUP ? REG_MASK : row->select >> MASK_SHIFT;

	while ((++row)->kind == KIND_ALSO)
		masks |= row->select >> MASK_SHIFT;
	return masks & mask;
}

/* An instruction without a prefix: what the table would say of it. */
static uint8_t entry_of(const struct translator *t, const uint8_t *bytes, bool *has_modrm)
{
	struct instruction in;

	*has_modrm = true; /* it may have, in another form */
	if (instruction_scan(bytes, SAMPLE, 32, &in) != DECODE_OK ||
	    t->rules[in.row] != RULE_copy || in.prefixes)
		return 0;
	*has_modrm = in.modrm_at != 0;
	return in.modrm_at && in.has_memory ? (uint8_t)(in.length | PLAIN_MEMORY) : in.length;
}

/* The same for all instructions of a form, which are told apart by their operands only. */
static uint8_t entry_of_form(const struct translator *t, uint8_t *bytes, uint8_t *modrm,
                             const struct opcode *row, uint32_t form, bool *has_modrm)
{
	uint8_t entry;

	*modrm = (uint8_t)(form << 3);
	entry = entry_of(t, bytes, has_modrm);
	if (!entry || !*has_modrm || form < MOD_REGISTER || !depends_on(row, RM_MASK))
		return entry;
	while (++*modrm & RM_MASK)
		if (entry_of(t, bytes, has_modrm) != entry)
			return 0;
	return entry;
}

/* `at` says where in the bytes the opcode stands. */
static void fill(const struct translator *t, uint8_t table[PLAIN_OPCODES][PLAIN_FORMS],
                 enum opcode_map map, uint32_t at)
{
	uint8_t bytes[SAMPLE] = {PLAIN_ESCAPE};

	for (uint32_t opcode = 0; opcode < PLAIN_OPCODES; opcode++) {
		const struct opcode *row = &opcode_rows[opcode_index[map][opcode]];
		uint32_t step = depends_on(row, REG_MASK) ? 1 : PLAIN_REGS;
		bool has_modrm = row->kind != KIND_NO_ROW && row->kind != KIND_PREFIX;

		bytes[at] = (uint8_t)opcode;
		for (uint32_t form = 0; form < PLAIN_FORMS && has_modrm; form += step) {
			uint8_t entry =
			        entry_of_form(t, bytes, &bytes[at + 1], row, form, &has_modrm);

			if (has_modrm)
				memset(table[opcode] + form, entry, step);
			else
				memset(table[opcode], entry, PLAIN_FORMS);
		}
	}
}

void plain_start(struct translator *t)
{
	fill(t, t->plain.base, MAP_BASE, 0);
	fill(t, t->plain.escaped, MAP_0F, 1);
	/* Behind it stands another opcode. */
	memset(t->plain.base[PLAIN_ESCAPE], 0, PLAIN_FORMS);
}
