#include "monitor/translator/describe.h"

#include "kernel/print.h"
#include "kernel/string.h"
#include "monitor/instructions/disassemble.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/translator/chain.h"
#include "monitor/translator/fault.h"

#define LINE_SIZE   (2 * DISASSEMBLE_TEXT_SIZE + 40)
#define LEFT_COLUMN 40
#define GUEST_ROOM  256 /* a block's guest bytes */

struct description {
	const struct translator *t;
	const struct block *block;
	uint8_t guest[GUEST_ROOM];
	uint32_t shown; /* guest bytes that stand in the text already */
	describe_line *line;
	void *to;
};

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

/* Returns the instruction's length, at least 1. */
static uint32_t disassemble(const uint8_t *bytes, uint32_t available, uint32_t address, char *text)
{
	struct instruction in;

	if (instruction_decode(bytes, available, 32, &in) != DECODE_OK) {
		print_to_buffer(text, DISASSEMBLE_TEXT_SIZE, "db 0x%02x", bytes[0]);
		return 1;
	}
	instruction_disassemble(&in, address, text, DISASSEMBLE_TEXT_SIZE);
	return in.length;
}

/* Whether the host instruction with this entry is the first one of the next guest instruction. What
 * comes behind an instruction but belongs to it has registers to give back, or has gone. */
static bool begins_instruction(const struct description *d, const struct block_entry *entry,
                               uint32_t offset)
{
	const unsigned int amid = RECOVER_ECX | RECOVER_EDX | RECOVER_UNPUSH | RECOVER_UNPOP;

	if (d->shown >= d->block->guest_size)
		return false;
	if (entry->kind & amid)
		return false;
	/* A direct jump is over where it begins. */
	if (entry->kind & RECOVER_GONE)
		return entry->guest != BLOCK_ENTRY_TARGET;
	return fault_eip(d->t, d->block, entry, offset) == d->block->eip + d->shown;
}

static void left_text(struct description *d, const struct block_entry *entry, uint32_t offset,
                      char *text, size_t size)
{
	char instruction[DISASSEMBLE_TEXT_SIZE];
	uint32_t address = d->block->eip + d->shown;

	text[0] = 0;
	if (!begins_instruction(d, entry, offset))
		return;
	d->shown += disassemble(d->guest + d->shown, d->block->guest_size - d->shown, address,
	                        instruction);
	print_to_buffer(text, size, "%08x %s", address, instruction);
}

static uint32_t describe_instruction(struct description *d, uint32_t offset)
{
	char left[DISASSEMBLE_TEXT_SIZE + 10], right[DISASSEMBLE_TEXT_SIZE], text[LINE_SIZE];
	const struct block *block;
	const struct block_entry *entry = fault_find_entry(d->t, offset, &block);
	uint32_t end = d->block->host + d->block->host_size, length;

	left_text(d, entry, offset, left, sizeof(left));
	length = disassemble(d->t->setup.cache + offset, end - offset, offset, right);
	print_to_buffer(text, sizeof(text), "  %-*s %05x %s", LEFT_COLUMN, left, offset, right);
	d->line(d->to, text);
	return length;
}

void translator_describe(const struct translator *t, const struct block *block, describe_line *line,
                         void *to)
{
	struct description d = {.t = t, .block = block, .line = line, .to = to};
	uint32_t offset = block->host;
	char text[LINE_SIZE];

	print_to_buffer(text, sizeof(text),
	                "block %08x: %u bytes, %u instructions; %u bytes at %05x", block->eip,
	                block->guest_size, block->instructions, block->host_size, block->host);
	line(to, text);
	if (block->guest_size)
		read_guest(&d);
	while (offset < block->host + block->host_size)
		offset += describe_instruction(&d, offset);
}
