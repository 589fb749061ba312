#include "monitor/memory/page_walk.h"

#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_entry.h"

#define ABOVE_ADDRESS (~0ull << PAGE_WALK_ADDRESS_BITS & ~ENTRY_NX)

/* Bits 1, 2 and 5 to 8: a page-directory pointer has no rights of its own. */
#define PDPTE_RESERVED (0x1E6ull | ABOVE_ADDRESS | ENTRY_NX)

/* What the two formats differ in. With PAT offered, bit 12 of a large entry is not reserved;
 * without PSE-36, the rest of what a large page leaves free is. */
struct format {
	unsigned int entry_size, index_mask, large_shift;
	uint64_t address, reserved, reserved_large;
};

static const struct format two_level = {
        .entry_size = 4,
        .index_mask = 1023,
        .large_shift = 22,
        .address = 0xFFFFF000u,
        .reserved_large = 0x003FE000u,
};

static const struct format pae = {
        .entry_size = 8,
        .index_mask = 511,
        .large_shift = 21,
        .address = (1ull << PAGE_WALK_ADDRESS_BITS) - GUEST_PAGE_SIZE,
        .reserved = ABOVE_ADDRESS,
        .reserved_large = 0x001FE000u,
};

/* The formats are constants to whoever they are inlined into: two walks from one text. */
#define FOR_EACH_FORMAT static inline __attribute__((always_inline))

struct entry {
	gpa_t at;
	uint64_t value;
};

static bool has_nx(const struct vcpu *vcpu)
{
	return (vcpu->cr4 & VCPU_CR4_PAE) && (vcpu->efer & VCPU_EFER_NXE);
}

FOR_EACH_FORMAT uint64_t reserved_bits(const struct vcpu *vcpu, const struct format *format,
                                       bool large)
{
	uint64_t reserved = format->reserved | (large ? format->reserved_large : 0);

	return has_nx(vcpu) ? reserved : reserved | ENTRY_NX;
}

uint64_t page_walk_reserved(const struct vcpu *vcpu, bool large)
{
	return reserved_bits(vcpu, vcpu->cr4 & VCPU_CR4_PAE ? &pae : &two_level, large);
}

/* Always false. The fetch bit is only there where pages can forbid it. */
static bool refuse(const struct vcpu *vcpu, uint32_t access, uint32_t reason, uint32_t *error)
{
	if (!has_nx(vcpu))
		access &= ~PAGE_WALK_FETCH;
	*error = access | reason;
	return false;
}

FOR_EACH_FORMAT uint64_t read_in_ram(const uint8_t *at, const struct format *format)
{
	uint32_t narrow;
	uint64_t wide;

	if (format == &pae) {
		__builtin_memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	__builtin_memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static uint64_t read_outside_ram(struct vm *vm, gpa_t at, size_t size)
{
	uint64_t value = 0;

	guest_memory_read(vm, at, &value, size);
	return value;
}

FOR_EACH_FORMAT struct entry read_entry(struct vcpu *vcpu, const struct format *format,
                                        uint64_t table, uint32_t index)
{
	gpa_t at = gpa(table + (index & format->index_mask) * format->entry_size);
	struct vm *vm = vcpu->vm;

	if (at.value + format->entry_size <= vm->ram_size)
		return (struct entry){at, read_in_ram(vm->ram + (size_t)at.value, format)};
	return (struct entry){at, read_outside_ram(vm, at, format->entry_size)};
}

FOR_EACH_FORMAT bool is_large(const struct vcpu *vcpu, const struct format *format,
                              const struct entry *directory)
{
	return (directory->value & ENTRY_LARGE) && (format == &pae || (vcpu->cr4 & VCPU_CR4_PSE));
}

/* The table that the directory's entry is in. */
FOR_EACH_FORMAT bool find_directory(const struct vcpu *vcpu, const struct format *format, gva_t at,
                                    uint64_t *table)
{
	uint64_t pdpte;

	if (format == &two_level) {
		*table = vcpu->cr3 & (uint32_t)two_level.address;
		return true;
	}
	pdpte = vcpu->pdptes[at.value >> 30];
	*table = pdpte & pae.address;
	return pdpte & ENTRY_PRESENT;
}

FOR_EACH_FORMAT bool is_allowed(const struct vcpu *vcpu, const struct page_walk *found,
                                uint32_t access)
{
	if ((access & PAGE_WALK_USER) && !found->user)
		return false;
	if ((access & PAGE_WALK_FETCH) && !found->executable)
		return false;
	if (!(access & PAGE_WALK_WRITE) || found->writable)
		return true;
	return !(access & PAGE_WALK_USER) && !(vcpu->cr0 & VCPU_CR0_WP);
}

/* The shadow of a page table is not told. It has no entry where the accessed bit was clear and no
 * writable one where the dirty bit was, so with the bit set it gives less than it might and never
 * too much; and it is the shadow's own filling that comes by here most. */
static void mark(struct vcpu *vcpu, const struct entry *entry, uint32_t bits)
{
	uint32_t low = (uint32_t)entry->value | bits;

	if (low != (uint32_t)entry->value)
		guest_memory_write_telling(vcpu->vm, entry->at, &low, sizeof(low),
		                           WATCH_ALL & ~(unsigned int)WATCH_PAGE_TABLE);
}

/* Rights are the sum of both levels; a large page has one level, given twice. */
FOR_EACH_FORMAT struct page_walk combine(const struct vcpu *vcpu, const struct entry *directory,
                                         const struct entry *leaf)
{
	uint64_t both = directory->value & leaf->value;

	return (struct page_walk){
	        .user = both & ENTRY_USER,
	        .writable = both & ENTRY_WRITABLE,
	        .executable = !((directory->value | leaf->value) & ENTRY_NX),
	        .dirty = leaf->value & ENTRY_DIRTY,
	        .global = (leaf->value & ENTRY_GLOBAL) && (vcpu->cr4 & VCPU_CR4_PGE),
	        .large = directory == leaf,
	};
}

/* Bits are set only now, when the access is known to be good: the manual leaves it open for the
 * directory of a walk that ends in a fault, and Bochs, which we are compared with, leaves it. The
 * directory comes first: with tables that map themselves both may be one entry. */
FOR_EACH_FORMAT bool finish(struct vcpu *vcpu, const struct entry *directory,
                            const struct entry *leaf, uint32_t access, struct page_walk *found,
                            uint32_t *error)
{
	bool writes = access & PAGE_WALK_WRITE;

	*found = combine(vcpu, directory, leaf);
	if (!is_allowed(vcpu, found, access))
		return refuse(vcpu, access, PAGE_WALK_PRESENT, error);
	if (access & PAGE_WALK_AGAIN)
		return directory->value & leaf->value & ENTRY_ACCESSED;
	if (directory != leaf)
		mark(vcpu, directory, ENTRY_ACCESSED);
	mark(vcpu, leaf, ENTRY_ACCESSED | (writes ? ENTRY_DIRTY : 0));
	found->dirty |= writes;
	return true;
}

FOR_EACH_FORMAT bool walk_large(struct vcpu *vcpu, const struct format *format, gva_t at,
                                const struct entry *directory, uint32_t access,
                                struct page_walk *found, uint32_t *error)
{
	uint32_t inside = (1u << format->large_shift) - 1;

	if (directory->value & reserved_bits(vcpu, format, true))
		return refuse(vcpu, access, PAGE_WALK_PRESENT | PAGE_WALK_RESERVED, error);
	if (!finish(vcpu, directory, directory, access, found, error))
		return false;
	found->page = gpa((directory->value & format->address & ~(uint64_t)inside) |
	                  (at.value & inside & ~(GUEST_PAGE_SIZE - 1)));
	return true;
}

FOR_EACH_FORMAT bool walk_small(struct vcpu *vcpu, const struct format *format, gva_t at,
                                const struct entry *directory, uint32_t access,
                                struct page_walk *found, uint32_t *error)
{
	uint64_t reserved = reserved_bits(vcpu, format, false);
	struct entry leaf;

	if (directory->value & reserved)
		return refuse(vcpu, access, PAGE_WALK_PRESENT | PAGE_WALK_RESERVED, error);
	leaf = read_entry(vcpu, format, directory->value & format->address, at.value >> 12);
	if (!(leaf.value & ENTRY_PRESENT))
		return refuse(vcpu, access, 0, error);
	if (leaf.value & reserved)
		return refuse(vcpu, access, PAGE_WALK_PRESENT | PAGE_WALK_RESERVED, error);
	if (!finish(vcpu, directory, &leaf, access, found, error))
		return false;
	found->page = gpa(leaf.value & format->address);
	return true;
}

static struct page_walk without_paging(gva_t at)
{
	return (struct page_walk){.page = gpa(at.value & ~(GUEST_PAGE_SIZE - 1)),
	                          .user = true,
	                          .writable = true,
	                          .executable = true,
	                          .dirty = true};
}

FOR_EACH_FORMAT bool walk(struct vcpu *vcpu, const struct format *format, gva_t at, uint32_t access,
                          struct page_walk *found, uint32_t *error)
{
	struct entry directory;
	uint64_t table;

	if (!find_directory(vcpu, format, at, &table))
		return refuse(vcpu, access, 0, error);
	directory = read_entry(vcpu, format, table, at.value >> format->large_shift);
	if (!(directory.value & ENTRY_PRESENT))
		return refuse(vcpu, access, 0, error);
	if (is_large(vcpu, format, &directory))
		return walk_large(vcpu, format, at, &directory, access, found, error);
	return walk_small(vcpu, format, at, &directory, access, found, error);
}

bool page_walk(struct vcpu *vcpu, gva_t at, uint32_t access, struct page_walk *found,
               uint32_t *error)
{
	if (!(vcpu->cr0 & VCPU_CR0_PG)) {
		*found = without_paging(at);
		return true;
	}
	if (vcpu->cr4 & VCPU_CR4_PAE)
		return walk(vcpu, &pae, at, access, found, error);
	return walk(vcpu, &two_level, at, access, found, error);
}

bool page_walk_read_pdptes(struct vcpu *vcpu, uint32_t cr3, uint64_t pdptes[4])
{
	uint64_t read[4];

	guest_memory_read(vcpu->vm, gpa(cr3 & ~31u), read, sizeof(read));
	for (int i = 0; i < 4; i++)
		if ((read[i] & ENTRY_PRESENT) && (read[i] & PDPTE_RESERVED))
			return false;
	for (int i = 0; i < 4; i++)
		pdptes[i] = read[i];
	return true;
}
