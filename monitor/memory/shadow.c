#include "monitor/memory/shadow.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow_loose.h"
#include "monitor/memory/shadow_pool.h"
#include "monitor/memory/shadow_slot.h"
#include "monitor/memory/shadow_update.h"
#include "monitor/memory/watch.h"

#define QUARTER_SHIFT 30
#define INDEX_MASK    (SHADOW_ENTRIES - 1)

/* There is no RAM from 4 GB on. */
#define BEYOND_RAM (((1ull << PAGE_WALK_ADDRESS_BITS) - 1) & ~(uint64_t)UINT32_MAX)

/* Neighbours that are looked at when an entry is filled: a cache line of the shadow table. */
#define AROUND 8u

/* Pieces of the storage, one behind the other, the strictest alignment first. */
struct layout {
	size_t pages, buckets, links, page_writers, region_writers, region_watched, end;
	uint32_t bucket_count;
};

/* One page more than whole ones: RAM may end within a page. */
static struct layout lay_out(uint32_t page_count, uint64_t ram_size)
{
	size_t frames = (size_t)(ram_size / GUEST_PAGE_SIZE) + 1;
	size_t regions = frames / SHADOW_ENTRIES + 1;
	struct layout layout = {.bucket_count = 1};

	while (layout.bucket_count < page_count)
		layout.bucket_count *= 2;
	layout.pages = sizeof(struct shadow);
	layout.buckets = layout.pages + page_count * sizeof(struct shadow_page);
	layout.links = layout.buckets + layout.bucket_count * sizeof(struct shadow_page *);
	layout.page_writers =
	        layout.links + (size_t)page_count * SHADOW_ENTRIES * sizeof(struct shadow_link);
	layout.region_writers = layout.page_writers + frames * sizeof(uint32_t);
	layout.region_watched = layout.region_writers + regions * sizeof(uint32_t);
	layout.end = layout.region_watched + regions * sizeof(uint16_t);
	return layout;
}
_Static_assert(sizeof(struct shadow) % 8 == 0 || _Alignof(struct shadow) < 8,
               "the pieces behind it are aligned");

size_t shadow_storage_size(uint32_t page_count, uint64_t ram_size)
{
	return lay_out(page_count, ram_size).end;
}

static struct shadow *divide_storage(const struct shadow_setup *setup, uint64_t ram_size)
{
	struct layout layout = lay_out(setup->page_count, ram_size);
	uint8_t *storage = setup->storage;
	struct shadow *shadow = setup->storage;

	memset(storage, 0, layout.end);
	shadow->pages = (void *)(storage + layout.pages);
	shadow->buckets = (void *)(storage + layout.buckets);
	shadow->links = (void *)(storage + layout.links);
	shadow->page_writers = (void *)(storage + layout.page_writers);
	shadow->region_writers = (void *)(storage + layout.region_writers);
	shadow->region_watched = (void *)(storage + layout.region_watched);
	shadow->bucket_mask = layout.bucket_count - 1;
	return shadow;
}

static void count_watched(struct shadow *shadow)
{
	const struct vm *vm = shadow->vm;

	for (size_t i = 0; i < watch_storage_size(vm->ram_size); i++)
		shadow->region_watched[i / SHADOW_ENTRIES] += (vm->watchers[i] & WATCH_ALL) != 0;
}

static bool lies_below_4_gb(uint64_t at, uint64_t size)
{
	return at % GUEST_PAGE_SIZE == 0 && at <= UINT32_MAX && size <= UINT32_MAX - at;
}

static bool is_possible(const struct vm *vm, const struct shadow_setup *setup)
{
	return vm->watchers && setup->page_count >= SHADOW_PAGES_MIN &&
	       setup->storage_size >= shadow_storage_size(setup->page_count, vm->ram_size) &&
	       lies_below_4_gb(setup->pages_machine,
	                       (uint64_t)setup->page_count * GUEST_PAGE_SIZE) &&
	       lies_below_4_gb(setup->ram_machine, vm->ram_size);
}

bool shadow_start(struct vm *vm, const struct shadow_setup *setup)
{
	struct shadow *shadow;

	if (!is_possible(vm, setup))
		return false;
	shadow = divide_storage(setup, vm->ram_size);
	shadow->vm = vm;
	shadow->root = (uint64_t *)(void *)setup->pages;
	shadow->root_machine = shadow->pages_machine = (uint32_t)setup->pages_machine;
	shadow->ram_machine = (uint32_t)setup->ram_machine;
	shadow->no_execute = setup->no_execute;
	shadow->large_pages = !(setup->ram_machine % (1u << SHADOW_LARGE_BIT));
	shadow->frames = (uint32_t)(vm->ram_size / GUEST_PAGE_SIZE);
	shadow->page_count = setup->page_count;
	shadow->holes_end = vm->rom.end >> SHADOW_FRAME_BIT;
	for (uint32_t i = 0; i < vm->hole_count; i++)
		if (shadow->holes_end < vm->holes[i].end >> SHADOW_FRAME_BIT)
			shadow->holes_end = vm->holes[i].end >> SHADOW_FRAME_BIT;
	memset(setup->pages, 0, (size_t)setup->page_count * GUEST_PAGE_SIZE);
	shadow_pool_start(shadow, setup->pages);
	count_watched(shadow);
	watch_register(vm, WATCH_PAGE_TABLE, shadow_update_written);
	vm->shadow = shadow;
	return true;
}

void shadow_forget_all(struct vm *vm)
{
	struct shadow *shadow = vm->shadow;

	while (shadow->ring.newer != &shadow->ring)
		shadow_pool_drop(shadow, shadow->ring.newer);
	shadow->root_is_good = false;
}

/* The bits of three registers that change what entries mean, each in its own place, and only where
 * they count. WP is not one of them: a shadow entry never lets a supervisor write where the guest's
 * says read-only. */
static uint32_t mode_of(const struct vcpu *vcpu)
{
	uint32_t mode = vcpu->cr0 & VCPU_CR0_PG;

	if (!mode)
		return 0;
	if (vcpu->cr4 & VCPU_CR4_PAE)
		return mode | VCPU_CR4_PAE | ((uint32_t)vcpu->efer & VCPU_EFER_NXE);
	return mode | (vcpu->cr4 & VCPU_CR4_PSE);
}

static bool is_root_for(const struct shadow *shadow, const struct vcpu *vcpu, uint32_t mode)
{
	if (!shadow->root_is_good || shadow->mode != mode)
		return false;
	if (mode & VCPU_CR4_PAE) {
		uint64_t difference = 0;

		for (uint32_t i = 0; i < SHADOW_QUARTERS; i++)
			difference |= shadow->pdptes[i] ^ vcpu->pdptes[i];
		return !difference;
	}
	return shadow->cr3 == vcpu->cr3;
}

/* The modes are no part of the roles: they change once or twice in a guest's life. */
static void set_mode(struct shadow *shadow, const struct vcpu *vcpu, uint32_t mode)
{
	if (shadow->mode == mode)
		return;
	shadow_forget_all(shadow->vm);
	shadow->mode = mode;
	shadow->reserved = page_walk_reserved(vcpu, false) | BEYOND_RAM;
	shadow->reserved_large = page_walk_reserved(vcpu, true);
	shadow->large_is_known = mode & (VCPU_CR4_PSE | VCPU_CR4_PAE);
	shadow->no_execute_bit = shadow->no_execute && (mode & VCPU_EFER_NXE) ? ENTRY_NX : 0;
}

static enum shadow_role find_pae_directory(const struct shadow *shadow, uint64_t pointer,
                                           uint32_t *frame)
{
	if (!(pointer & ENTRY_PRESENT) || !shadow_has_frame(shadow, pointer >> SHADOW_FRAME_BIT))
		return SHADOW_DIRECTORY_EMPTY;
	*frame = (uint32_t)pointer >> SHADOW_FRAME_BIT;
	return SHADOW_DIRECTORY_PAE;
}

/* The guest's directory for a quarter. */
static enum shadow_role find_directory(const struct shadow *shadow, const struct vcpu *vcpu,
                                       uint32_t quarter, uint32_t *frame)
{
	*frame = 0;
	if (!(shadow->mode & VCPU_CR0_PG))
		return SHADOW_DIRECTORY_DIRECT;
	if (shadow->mode & VCPU_CR4_PAE)
		return find_pae_directory(shadow, vcpu->pdptes[quarter], frame);
	if (!shadow_has_frame(shadow, vcpu->cr3 >> SHADOW_FRAME_BIT))
		return SHADOW_DIRECTORY_EMPTY;
	*frame = vcpu->cr3 >> SHADOW_FRAME_BIT;
	return SHADOW_DIRECTORY_TWO_LEVEL;
}

static void put_in_root(struct shadow *shadow, uint32_t quarter, struct shadow_page *directory)
{
	shadow->directories[quarter] = directory;
	shadow->root[quarter] = directory ? directory->machine | ENTRY_PRESENT : 0;
	if (directory)
		shadow_pool_touch(shadow, directory);
}

/* It is in the root before it is filled, so that it cannot be reclaimed. */
static struct shadow_page *make_directory(struct shadow *shadow, const struct vcpu *vcpu,
                                          uint32_t quarter)
{
	uint32_t frame;
	enum shadow_role role = find_directory(shadow, vcpu, quarter, &frame);
	struct shadow_page *directory = shadow_pool_make(shadow, role, frame, quarter);

	put_in_root(shadow, quarter, directory);
	shadow_slot_install(shadow, directory);
	shadow_update_fresh(shadow, directory);
	return directory;
}

/* The quarters of one two-level directory are all in one bucket. A load of CR3 is frequent. */
static void find_all_quarters(struct shadow *shadow, uint32_t frame)
{
	struct shadow_page *found[SHADOW_QUARTERS] = {NULL}, *page;

	for (page = shadow_pool_first(shadow, frame); page; page = page->next)
		if (page->frame == frame && page->role == SHADOW_DIRECTORY_TWO_LEVEL)
			found[page->part] = page;
	for (uint32_t i = 0; i < SHADOW_QUARTERS; i++)
		put_in_root(shadow, i, found[i]);
}

static void find_each_quarter(struct shadow *shadow, const struct vcpu *vcpu)
{
	for (uint32_t i = 0; i < SHADOW_QUARTERS; i++) {
		uint32_t frame;
		enum shadow_role role = find_directory(shadow, vcpu, i, &frame);

		put_in_root(shadow, i, shadow_pool_find(shadow, role, frame, i));
	}
}

/* First come those that exist. Then the slot's directory, which must be there, cannot be made at
 * the cost of one of them. */
static void build_root(struct shadow *shadow, const struct vcpu *vcpu)
{
	uint32_t frame, with_slot = shadow->slot >> QUARTER_SHIFT;

	if (find_directory(shadow, vcpu, 0, &frame) == SHADOW_DIRECTORY_TWO_LEVEL)
		find_all_quarters(shadow, frame);
	else
		find_each_quarter(shadow, vcpu);
	if (shadow->has_slot && !shadow->directories[with_slot])
		make_directory(shadow, vcpu, with_slot);
	shadow->cr3 = vcpu->cr3;
	if (shadow->mode & VCPU_CR4_PAE)
		memcpy(shadow->pdptes, vcpu->pdptes, sizeof(shadow->pdptes));
	shadow->root_is_good = true;
}

static void change_root(struct shadow *shadow, struct vcpu *vcpu)
{
	set_mode(shadow, vcpu, mode_of(vcpu));
	build_root(shadow, vcpu);
}

/* What may change the root without changing one of these registers counts as a flush. */
static inline bool has_seen(const struct shadow *shadow, const struct vcpu *vcpu)
{
	return shadow->root_is_good && shadow->seen.flushes == vcpu->flushes &&
	       shadow->seen.cr3 == vcpu->cr3 && shadow->seen.cr0 == vcpu->cr0 &&
	       shadow->seen.cr4 == vcpu->cr4;
}

/* Out of line, for shadow_root() is asked before each entry. */
__attribute__((noinline)) static void find_root(struct shadow *shadow, struct vcpu *vcpu)
{
	shadow_loose_follow(shadow, vcpu);
	if (!is_root_for(shadow, vcpu, mode_of(vcpu)))
		change_root(shadow, vcpu);
	shadow->seen.flushes = vcpu->flushes;
	shadow->seen.cr0 = vcpu->cr0;
	shadow->seen.cr3 = vcpu->cr3;
	shadow->seen.cr4 = vcpu->cr4;
}

uint32_t shadow_root(struct vcpu *vcpu)
{
	struct shadow *shadow = vcpu->vm->shadow;

	if (!has_seen(shadow, vcpu))
		find_root(shadow, vcpu);
	return shadow->root_machine;
}

/* Entries next to a new one that have their accessed bit are likely to be wanted soon. */
static void fill_around(struct shadow *shadow, struct shadow_page *table, uint32_t index)
{
	uint32_t first = index & ~(AROUND - 1);

	if (table->role == SHADOW_SPLIT)
		return;
	for (uint32_t i = first; i < first + AROUND; i++)
		if (!(uint32_t)table->entries[i])
			shadow_update_entry(shadow, table, i);
}

/* The entry that then maps the address, with the rights of the leaf alone. */
static uint64_t fill(struct vcpu *vcpu, gva_t at)
{
	struct shadow *shadow = vcpu->vm->shadow;
	uint32_t quarter = at.value >> QUARTER_SHIFT;
	uint32_t large_index = at.value >> SHADOW_LARGE_BIT & INDEX_MASK;
	uint32_t index = at.value >> SHADOW_FRAME_BIT & INDEX_MASK;
	struct shadow_page *directory = shadow->directories[quarter], *table;
	bool is_new;

	if (!directory)
		directory = make_directory(shadow, vcpu, quarter);
	table = shadow_update_descend(shadow, directory, large_index);
	if (!table)
		return directory->entries[large_index];
	shadow_pool_touch(shadow, table);
	is_new = !(uint32_t)table->entries[index];
	shadow_update_entry(shadow, table, index);
	if (is_new)
		fill_around(shadow, table, index);
	return table->entries[index];
}

/* What no shadow entry may allow, so that only the interpreter can do it. */
static bool is_for_interpreter(const struct vcpu *vcpu, gva_t at, uint32_t access,
                               const struct page_walk *found)
{
	const struct shadow *shadow = vcpu->vm->shadow;
	uint64_t frame = found->page.value >> SHADOW_FRAME_BIT;

	if (shadow_slot_holds(shadow, at.value) || !shadow_has_frame(shadow, frame))
		return true;
	return (access & PAGE_WALK_WRITE) &&
	       (!found->writable || watch_is_watched(vcpu->vm, found->page));
}

/* Not so when the page has become watched under the fill, being itself one of the tables; or where
 * RAM ends within a page and a table is there, which the shadow cannot follow. */
static bool is_mapped(uint64_t entry, uint32_t access)
{
	uint32_t wanted = access & PAGE_WALK_WRITE ? ENTRY_PRESENT | ENTRY_WRITABLE : ENTRY_PRESENT;

	return ((uint32_t)entry & wanted) == wanted;
}

/* A write to a table goes on by itself, and so do those that follow. */
static void loosen(const struct vcpu *vcpu, uint32_t access, const struct page_walk *found)
{
	if ((access & PAGE_WALK_WRITE) && found->writable &&
	    watch_is_watched(vcpu->vm, found->page))
		shadow_loosen(vcpu->vm->shadow, (uint32_t)(found->page.value >> SHADOW_FRAME_BIT));
}

static void note_emulated(const struct vm *vm, uint32_t access, const struct page_walk *found)
{
	bool is_watched_write =
	        (access & PAGE_WALK_WRITE) && found->writable && watch_is_watched(vm, found->page);

	vm->shadow->watched_page = is_watched_write ? guest_memory_page(vm, found->page) : NULL;
}

const uint8_t *shadow_watched_page(const struct vm *vm)
{
	return vm->shadow->watched_page;
}

void shadow_keep_watched(struct vm *vm)
{
	vm->shadow->never_loose = true;
}

enum shadow_result shadow_fault(struct vcpu *vcpu, gva_t at, uint32_t access, uint32_t *error)
{
	struct page_walk found;

	shadow_root(vcpu);
	if (!page_walk(vcpu, at, access, &found, error)) {
		statistics_count(shadow_faults_true);
		return SHADOW_TRUE_FAULT;
	}
	loosen(vcpu, access, &found);
	if (is_for_interpreter(vcpu, at, access, &found) || !is_mapped(fill(vcpu, at), access)) {
		statistics_count(shadow_emulated);
		note_emulated(vcpu->vm, access, &found);
		return SHADOW_EMULATE;
	}
	statistics_count(shadow_filled);
	return SHADOW_MAPPED;
}

void shadow_invalidate_page(struct vcpu *vcpu, gva_t at)
{
	struct shadow *shadow = vcpu->vm->shadow;
	struct shadow_page *directory = shadow->directories[at.value >> QUARTER_SHIFT];
	uint32_t large_index = at.value >> SHADOW_LARGE_BIT & INDEX_MASK;
	uint64_t entry;

	if (!directory || shadow_is_slot(shadow, directory, large_index))
		return;
	shadow_update_entry(shadow, directory, large_index);
	entry = directory->entries[large_index];
	if ((entry & ENTRY_PRESENT) && !(entry & ENTRY_LARGE))
		shadow_update_entry(shadow, shadow_child(shadow, entry),
		                    at.value >> SHADOW_FRAME_BIT & INDEX_MASK);
}
