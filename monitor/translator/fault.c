#include "monitor/translator/fault.h"

#include "monitor/state/stop.h"
#include "monitor/translator/cache.h"
#include "monitor/translator/chain.h"
#include "monitor/translator/level.h"

const struct block_entry *fault_find_entry(const struct translator *t, uint32_t offset,
                                           const struct block **block)
{
	uint32_t number = cache_block_at(t, offset), low = 0, high;
	const struct block_entry *map;

	if (number == BLOCK_NONE)
		return NULL;
	*block = &t->blocks[number];
	map = &t->map[(*block)->map];
	high = (*block)->map_count;
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (map[middle].host <= offset - (*block)->host)
			low = middle;
		else
			high = middle;
	}
	return &map[low];
}

static void set_flag(struct vcpu *vcpu, uint32_t flag)
{
	vcpu->eflags = (vcpu->eflags & ~VCPU_EFLAGS_IF) | (flag & VCPU_EFLAGS_IF);
}

static void restore_registers(const struct translator *t, unsigned int kind, struct vcpu *vcpu)
{
	const struct translator_window *window = t->setup.window;

	if (kind & RECOVER_FLAG)
		set_flag(vcpu, vcpu->registers[VCPU_ECX]);
	if (kind & RECOVER_ECX)
		vcpu->registers[VCPU_ECX] = window->ecx;
	if (kind & RECOVER_EDX)
		vcpu->registers[VCPU_EDX] = window->edx;
	if ((kind & RECOVER_TSC) == RECOVER_TSC)
		vcpu->registers[VCPU_EDX] += fault_tsc_high(t);
	else if (kind & RECOVER_UNPUSH)
		vcpu->registers[VCPU_ESP] += 4;
	else if (kind & RECOVER_UNPOP)
		vcpu->registers[VCPU_ESP] -= 4;
	if (kind & RECOVER_HOLD)
		vcpu->interrupt_shadow = true;
}

uint32_t fault_eip(const struct translator *t, const struct block *block,
                   const struct block_entry *entry, uint32_t offset)
{
	if (entry->kind == RECOVER_NOTHING)
		return block->eip + entry->guest + (offset - block->host - entry->host);
	if (!(entry->kind & RECOVER_GONE))
		return block->eip + entry->guest;
	if (entry->guest == BLOCK_ENTRY_TARGET)
		return t->setup.window->target;
	return t->links[block->link + entry->guest].target;
}

/* At a stub all is done but for an indirect transfer that has not been seen: ECX is not back. */
static void recover_at_stub(const struct translator *t, uint32_t link, struct vcpu *vcpu)
{
	if (t->links[link].prediction == BLOCK_NONE) {
		vcpu->eip = t->links[link].target;
		return;
	}
	restore_registers(t, RECOVER_ECX, vcpu);
	vcpu->eip = t->setup.window->target;
}

static void recover_in_block(const struct translator *t, uint32_t offset, struct vcpu *vcpu,
                             const struct block *block, const struct block_entry *entry)
{
	if (entry->kind & RECOVER_STUB) {
		level_recover(t, (enum level_phase)entry->guest, vcpu);
	} else {
		vcpu->eip = fault_eip(t, block, entry, offset);
		restore_registers(t, entry->kind, vcpu);
	}
	count_left(t, offset, block, entry, vcpu->eip);
}

const struct block_entry *fault_recover(const struct translator *t, uint32_t offset,
                                        struct vcpu *vcpu, const struct block **block)
{
	uint32_t link = chain_find_stub(t, offset);
	const struct block_entry *entry;

	if (link != BLOCK_NONE) {
		recover_at_stub(t, link, vcpu);
		return NULL;
	}
	entry = fault_find_entry(t, offset, block);
	if (!entry) {
		vm_stop(vcpu, "left translated code at %x, where none is", offset);
		return NULL;
	}
	if ((*block)->dead && offset == (*block)->host) { /* what its map says there is no more */
		vcpu->eip = (*block)->eip;
		return NULL;
	}
	recover_in_block(t, offset, vcpu, *block, entry);
	return entry;
}

void translator_recover(const struct translator *t, uint32_t offset, struct vcpu *vcpu)
{
	const struct block *block;

	fault_recover(t, offset, vcpu, &block);
}

bool translator_at_boundary(const struct translator *t, uint32_t offset)
{
	const struct block_entry *entry;
	const struct block *block;

	if (chain_find_stub(t, offset) != BLOCK_NONE)
		return true;
	entry = fault_find_entry(t, offset, &block);
	return entry && !(entry->kind & RECOVER_HOLD);
}

enum translator_place translator_place(const struct translator *t, uint32_t offset)
{
	const struct block_entry *entry = NULL;
	const struct block *block;

	if (chain_find_stub(t, offset) == BLOCK_NONE)
		entry = fault_find_entry(t, offset, &block);
	if (!entry || !(entry->kind & RECOVER_STUB) || entry->guest < LEVEL_FROM_USER)
		return TRANSLATOR_IN_KERNEL;
	return entry->guest == LEVEL_FROM_USER_ALL || entry->guest == LEVEL_FAULT_ALL
	               ? TRANSLATOR_FROM_USER_WINDOW
	               : TRANSLATOR_FROM_USER_REAL;
}

const struct block *translator_find_block(const struct translator *t, uint32_t offset)
{
	uint32_t number = cache_block_at(t, offset);

	return number == BLOCK_NONE ? NULL : &t->blocks[number];
}
