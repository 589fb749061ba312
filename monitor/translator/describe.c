#include "monitor/translator/describe.h"

#include "kernel/print.h"
#include "kernel/string.h"
#include "monitor/instructions/disassemble.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/translator/chain.h"
#include "monitor/translator/fault.h"

#define NAME_SIZE    64
#define BYTES_SIZE   (2 * INSTRUCTION_MAX_LENGTH + 1)
#define LEFT_SIZE    (9 + BYTES_SIZE + DISASSEMBLE_TEXT_SIZE)
#define LINE_SIZE    (LEFT_SIZE + BYTES_SIZE + DISASSEMBLE_TEXT_SIZE + NAME_SIZE + 40)
#define LEFT_COLUMN  56
#define GUEST_COLUMN 16
#define HOST_COLUMN  22
#define GUEST_ROOM   256 /* a block's guest bytes */

struct description {
	const struct translator *t;
	const struct block *block;
	uint8_t guest[GUEST_ROOM];
	uint32_t shown; /* guest bytes that stand in the text already */
	const struct describe_to *to;
};

static const char *name_of(const struct describe_to *to, uint32_t address, char text[NAME_SIZE])
{
	text[0] = 0;
	if (to->symbols)
		elf_symbols_write(to->symbols, address, text, NAME_SIZE);
	return text;
}

static void read_guest(struct description *d)
{
	const struct block *block = d->block;
	uint32_t begin = (d->t->segments[block->segment].base + block->eip) % GUEST_PAGE_SIZE;
	uint32_t first = GUEST_PAGE_SIZE - begin;
	struct vm *vm = d->t->setup.vcpu->vm;

	if (first > block->guest_size)
		first = block->guest_size;
	guest_memory_read(
	        vm, gpa((uint64_t)d->t->pages[block->page[0]].physical * GUEST_PAGE_SIZE + begin),
	        d->guest, first);
	if (first < block->guest_size)
		guest_memory_read(
		        vm, gpa((uint64_t)d->t->pages[block->page[1]].physical * GUEST_PAGE_SIZE),
		        d->guest + first, block->guest_size - first);
}

/* Its length is at least 1. */
static struct instruction disassemble(const uint8_t *bytes, uint32_t available, uint32_t address,
                                      char *hex, char *text)
{
	struct instruction in;
	size_t used = 0;

	if (instruction_decode(bytes, available, 32, &in) == DECODE_OK) {
		instruction_disassemble(&in, address, text, DISASSEMBLE_TEXT_SIZE);
	} else {
		in = (struct instruction){.length = 1};
		print_to_buffer(text, DISASSEMBLE_TEXT_SIZE, "db 0x%02x", bytes[0]);
	}
	for (uint32_t i = 0; i < in.length; i++)
		used += print_to_buffer(hex + used, BYTES_SIZE - used, "%02x", bytes[i]);
	return in;
}

/* Whether the guest instruction to be shown next is of this class. */
static bool is_of_class(const struct description *d, unsigned int class, struct instruction *in)
{
	return instruction_decode(d->guest + d->shown, d->block->guest_size - d->shown, 32, in) ==
	               DECODE_OK &&
	       instruction_opcode(in)->class & class;
}

/* Whether it is a direct jump to where this link leads. */
static bool is_jump_of(const struct description *d, const struct block_link *link)
{
	struct instruction in;

	return is_of_class(d, CLASS_CONTROL, &in) &&
	       d->block->eip + d->shown + in.length + in.immediate == link->target;
}

static bool is_at_shown(const struct description *d, const struct block_entry *entry,
                        uint32_t offset)
{
	return fault_eip(d->t, d->block, entry, offset) == d->block->eip + d->shown;
}

/* What comes behind an instruction but belongs to it has registers to give back, or has gone. */
static bool begins_plainly(const struct description *d, const struct block_entry *entry,
                           uint32_t offset)
{
	const unsigned int amid = RECOVER_ECX | RECOVER_EDX | RECOVER_UNPUSH | RECOVER_UNPOP;

	if (entry->kind & amid)
		return false;
	/* A direct jump is over where it begins; a call has pushed something before. */
	if (entry->kind & RECOVER_GONE)
		return entry->guest != BLOCK_ENTRY_TARGET &&
		       is_jump_of(d, &d->t->links[d->block->link + entry->guest]);
	return is_at_shown(d, entry, offset);
}

/* Whether the host instruction with this entry is the first one of the next guest instruction. A
 * load of a segment that finds ECX away already has no entry of the plain kind. */
static bool begins_instruction(const struct description *d, const struct block_entry *entry,
                               uint32_t offset)
{
	const struct block_entry *end = &d->t->map[d->block->map] + d->block->map_count;
	const struct block_entry *next = entry + 1;
	struct instruction in;

	if (d->shown >= d->block->guest_size)
		return false;
	return begins_plainly(d, entry, offset) ||
	       (entry->kind == RECOVER_ECX && is_at_shown(d, entry, offset) &&
	        is_of_class(d, CLASS_SEGMENT, &in) && next != end &&
	        !begins_plainly(d, next, d->block->host + next->host));
}

static void left_text(struct description *d, const struct block_entry *entry, uint32_t offset,
                      char *text, size_t size)
{
	char hex[BYTES_SIZE], instruction[DISASSEMBLE_TEXT_SIZE];
	uint32_t address = d->block->eip + d->shown;

	text[0] = 0;
	if (!begins_instruction(d, entry, offset))
		return;
	d->shown += disassemble(d->guest + d->shown, d->block->guest_size - d->shown, address, hex,
	                        instruction)
	                    .length;
	print_to_buffer(text, size, "%08x %-*s %s", address, GUEST_COLUMN, hex, instruction);
}

/* Where a jump that ends here leads in the end, when it is one of the block's links. */
static void link_text(const struct description *d, uint32_t end, char *text, size_t size)
{
	char name[NAME_SIZE];

	text[0] = 0;
	for (uint32_t i = 0; i < d->block->links; i++) {
		const struct block_link *link = &d->t->links[d->block->link + i];

		if (link->at != BLOCK_NONE && link->at + 4 == end && link->target)
			print_to_buffer(text, size, "  ; to %08x%s", link->target,
			                name_of(d->to, link->target, name));
	}
}

#define FIELD(name)                                             \
	{                                                       \
#name, offsetof(struct translator_window, name) \
	}

/* In translated code GS is the window. */
static void window_text(const struct instruction *in, char *text, size_t size)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
	        FIELD(target),       FIELD(ecx),          FIELD(edx),
	        FIELD(system_flags), FIELD(cr),           FIELD(selectors),
	        FIELD(popf_table),   FIELD(self),         FIELD(stack),
	        FIELD(loading),      FIELD(new_flags),    FIELD(from_user),
	        FIELD(fault_error),  FIELD(site),         FIELD(operand),
	        FIELD(product),      FIELD(rest_of_page), FIELD(interrupt_flag),
	        FIELD(lets_in),      FIELD(flag_again),   FIELD(returns_by_cs),
	        FIELD(high_flags),   FIELD(same_code),    FIELD(user_flags),
	        FIELD(loadable),     FIELD(jumps),        FIELD(returns),
	};
	size_t n = sizeof(fields) / sizeof(fields[0]);

	if (!in->has_memory || in->memory.segment != SEGMENT_GS)
		return;
	while (n > 1 && fields[n - 1].offset > in->memory.displacement)
		n--;
	print_to_buffer(text, size, "  ; %s",
	                in->memory.displacement < sizeof(struct translator_window)
	                        ? fields[n - 1].name
	                        : "counter");
}

static uint32_t describe_instruction(struct description *d, uint32_t offset)
{
	char left[LEFT_SIZE], hex[BYTES_SIZE], right[DISASSEMBLE_TEXT_SIZE], goes[NAME_SIZE + 20],
	        text[LINE_SIZE];
	const struct block *block;
	const struct block_entry *entry = fault_find_entry(d->t, offset, &block);
	uint32_t end = d->block->host + d->block->host_size;
	struct instruction in;

	left_text(d, entry, offset, left, sizeof(left));
	in = disassemble(d->t->setup.cache + offset, end - offset, offset, hex, right);
	link_text(d, offset + in.length, goes, sizeof(goes));
	window_text(&in, goes, sizeof(goes));
	print_to_buffer(text, sizeof(text), "  %-*s %06x %-*s %s%s", LEFT_COLUMN, left, offset,
	                HOST_COLUMN, hex, right, goes);
	d->to->line(d->to->to, text);
	return in.length;
}

void translator_describe(const struct translator *t, const struct block *block,
                         const struct describe_to *to)
{
	struct description d = {.t = t, .block = block, .to = to};
	char text[LINE_SIZE], name[NAME_SIZE];
	uint32_t offset = block->host;

	print_to_buffer(text, sizeof(text),
	                "block %08x%s: %u bytes, %u instructions; %u bytes at %06x", block->eip,
	                name_of(to, block->eip, name), block->guest_size, block->instructions,
	                block->host_size, block->host);
	to->line(to->to, text);
	if (block->guest_size)
		read_guest(&d);
	while (offset < block->host + block->host_size)
		offset += describe_instruction(&d, offset);
}

void translator_describe_link(const struct translator *t, const struct block_link *link,
                              const struct describe_to *to)
{
	const struct block *from = &t->blocks[link->block];
	char text[LINE_SIZE], name[NAME_SIZE], other[NAME_SIZE];

	name_of(to, from->eip, name);
	name_of(to, link->target, other);
	if (link->at == BLOCK_NONE)
		print_to_buffer(text, sizeof(text),
		                "left out: the last jump of block %08x%s, for block %08x%s follows",
		                from->eip, name, link->target, other);
	else
		print_to_buffer(text, sizeof(text),
		                "patched: the jump that ends at %06x, of block %08x%s, leads to "
		                "block %08x%s at %06x",
		                link->at + 4, from->eip, name, link->target, other,
		                t->blocks[link->to].host);
	to->line(to->to, text);
}
