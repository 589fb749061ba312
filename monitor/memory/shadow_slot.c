#include "monitor/memory/shadow_slot.h"

#include "kernel/string.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow_reverse.h"
#include "monitor/memory/shadow_update.h"

#define QUARTER_SHIFT 30

static uint32_t first_index(const struct shadow *shadow)
{
	return shadow->slot >> SHADOW_LARGE_BIT & (SHADOW_ENTRIES - 1);
}

void shadow_slot_install(struct shadow *shadow, struct shadow_page *directory)
{
	if (!shadow_is_slot(shadow, directory, first_index(shadow)))
		return;
	for (uint32_t i = 0; i < 2; i++)
		directory->entries[first_index(shadow) + i] = shadow->slot_entries[i];
}

void shadow_slot_take_out(struct shadow *shadow, struct shadow_page *directory)
{
	if (!shadow_is_slot(shadow, directory, first_index(shadow)))
		return;
	for (uint32_t i = 0; i < 2; i++)
		directory->entries[first_index(shadow) + i] = 0;
}

/* The guest's entries come in again where the slot has been. */
static void leave(struct shadow *shadow, uint32_t old_slot)
{
	uint32_t first = old_slot >> SHADOW_LARGE_BIT;

	for (struct shadow_page *page = shadow->ring.newer; page != &shadow->ring;
	     page = page->newer) {
		if (!shadow_is_directory(page) || page->part != first / SHADOW_ENTRIES)
			continue;
		for (uint32_t i = 0; i < 2; i++) {
			page->entries[first % SHADOW_ENTRIES + i] = 0;
			shadow_update_entry(shadow, page, first % SHADOW_ENTRIES + i);
		}
	}
}

static void make_room(struct shadow *shadow, uint32_t slot)
{
	uint32_t first = slot >> SHADOW_LARGE_BIT;

	for (struct shadow_page *page = shadow->ring.newer; page != &shadow->ring;
	     page = page->newer)
		for (uint32_t i = 0; i < 2 && shadow_is_directory(page); i++)
			if (page->part == first / SHADOW_ENTRIES)
				shadow_reverse_set(shadow, page, first % SHADOW_ENTRIES + i, 0);
}

void shadow_set_slot(struct vm *vm, uint32_t slot, const uint64_t directory_entries[2])
{
	struct shadow *shadow = vm->shadow;

	if (shadow->has_slot) {
		shadow->has_slot = false;
		leave(shadow, shadow->slot);
	}
	make_room(shadow, slot);
	shadow->has_slot = true;
	shadow->slot = slot;
	memcpy(shadow->slot_entries, directory_entries, sizeof(shadow->slot_entries));
	for (struct shadow_page *page = shadow->ring.newer; page != &shadow->ring;
	     page = page->newer)
		shadow_slot_install(shadow, page);
	shadow->root_is_good = shadow->slot_is_free = false;
}

/* An entry of one of the guest's tables; 0 outside RAM. */
static uint64_t entry_at(const struct vm *vm, uint64_t table, uint32_t index, uint32_t size)
{
	uint64_t entry = 0, at = table + index * size;

	if (at + size <= vm->ram_size)
		memcpy(&entry, vm->ram + (size_t)at, size);
	return entry;
}

static bool pae_has_entry(const struct vcpu *vcpu, uint32_t slot)
{
	const uint64_t address = (1ull << PAGE_WALK_ADDRESS_BITS) - GUEST_PAGE_SIZE;
	uint64_t pointer = vcpu->pdptes[slot >> QUARTER_SHIFT];
	uint32_t first = slot >> SHADOW_LARGE_BIT & (SHADOW_ENTRIES - 1);

	if (!(pointer & ENTRY_PRESENT))
		return false;
	for (uint32_t i = 0; i < 2; i++)
		if (entry_at(vcpu->vm, pointer & address, first + i, 8) & ENTRY_PRESENT)
			return true;
	return false;
}

/* A table that maps nothing yet is enough: once it is there, the guest fills it without a sign, for
 * the shadow does not watch what it does not show. */
bool shadow_slot_is_free_at(const struct vcpu *vcpu, uint32_t slot)
{
	if (!(vcpu->cr0 & VCPU_CR0_PG))
		return slot >= vcpu->vm->ram_size;
	if (vcpu->cr4 & VCPU_CR4_PAE)
		return !pae_has_entry(vcpu, slot);
	return !(entry_at(vcpu->vm, vcpu->cr3 & SHADOW_ADDRESS, slot >> SHADOW_SLOT_SHIFT, 4) &
	         ENTRY_PRESENT);
}

bool shadow_slot_look(struct vcpu *vcpu)
{
	struct shadow *shadow = vcpu->vm->shadow;

	shadow->flushes = vcpu->flushes;
	shadow->slot_is_free = !shadow->has_slot || shadow_slot_is_free_at(vcpu, shadow->slot);
	return !shadow->slot_is_free;
}
