#include "monitor/run/watched_store.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/shadow.h"
#include "monitor/run/plain_store.h"
#include "monitor/run/world.h"

#define TABLE_LOCAL 4u /* in a selector */

/* Whoever watches descriptors or gates may have to know what the segment registers hold, and they
 * are known only after the guest's state has been taken. */
#define HARMLESS (WATCH_PAGE_TABLE | WATCH_CODE | WATCH_BUFFERED)

/* Ring 1 has nothing but twins. */
static uint32_t base_of(const struct translated *translated, uint32_t selector)
{
	const struct descriptor *found = &translated->direct->slot.gdt[(selector & 0xFFFF) / 8];

	return found->base_low | (uint32_t)found->base_middle << 16 |
	       (uint32_t)found->base_high << 24;
}

/* Where it begins is where it has faulted, and all of it is in that page. */
static bool is_read(const struct translated *translated, const struct trap_frame *frame,
                    gva_t address, struct plain_store *store)
{
	return (frame->cs & 3) == 1 && frame->eip <= SLOT_CACHE_SIZE - PLAIN_STORE_MAX &&
	       plain_store_read(frame, translated->direct->slot.cache + frame->eip, store) &&
	       !(store->selector & TABLE_LOCAL) &&
	       base_of(translated, store->selector) + store->offset == address.value &&
	       address.value % PAGE_SIZE <= PAGE_SIZE - sizeof(store->value);
}

/* With breakpoints in the cache no block is dropped. */
static bool may_be_dropped(const struct translated *translated)
{
	return !translated->interrupts;
}

/* Of what is there already: nobody needs to be told, and after some it does not fault any more. */
static bool skip(struct translated *translated, uint32_t offset)
{
	return !may_be_dropped(translated) ||
	       !translator_note_silent(&translated->translator, offset);
}

/* What was made of these bytes is gone; if it was this block, nobody may go on in it. */
static bool write(struct translated *translated, struct vcpu *vcpu, gpa_t at, uint32_t value)
{
	uint64_t dropped = statistics[STATISTIC_blocks_dropped];

	guest_memory_write(vcpu->vm, at, &value, sizeof(value));
	statistics_count(stores_in_place);
	translated->direct->slot.area->guest_cr3 = shadow_root(vcpu);
	return statistics[STATISTIC_blocks_dropped] == dropped && !vcpu->vm->ended;
}

static bool is_harmless(const struct vm *vm, uint32_t frame)
{
	return !(vm->watchers[frame] & ~HARMLESS) &&
	       !watch_is_rom(vm, gpa((uint64_t)frame * PAGE_SIZE));
}

bool watched_store_do(struct translated *translated, struct vcpu *vcpu, struct trap_frame *frame,
                      gva_t address)
{
	const uint8_t *page = shadow_watched_page(vcpu->vm);
	uint32_t in_page = address.value % PAGE_SIZE, physical, offset = frame->eip;
	struct plain_store store;

	if (!page || !is_read(translated, frame, address, &store))
		return false;
	physical = (uint32_t)(page - vcpu->vm->ram);
	if (memcmp(page + in_page, &store.value, sizeof(store.value)) == 0) {
		if (!skip(translated, offset))
			return false;
		translated->is_done = true;
		frame->eip += store.length;
		return true;
	}
	if (!may_be_dropped(translated) || !is_harmless(vcpu->vm, physical / PAGE_SIZE))
		return false;
	translated->is_done = true;
	frame->eip += store.length;
	return write(translated, vcpu, gpa(physical + in_page), store.value);
}
