#include "monitor/memory/linear.h"

#include "kernel/string.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow.h"
#include "monitor/memory/watch.h"
#include "monitor/memory/watchpoints.h"
#include "monitor/state/fault.h"

#define LARGE_SHIFT 22

#define EXECUTE_RIGHTS (LINEAR_EXECUTE | LINEAR_EXECUTE << LINEAR_USER_SHIFT)
#define WRITE_RIGHTS   (LINEAR_WRITE | LINEAR_WRITE << LINEAR_USER_SHIFT)

/* With a journal: it may be written, but not where it is. */
#define NOTED_SHIFT (2 * LINEAR_USER_SHIFT)

/* The part of an access that lies in one page. */
struct piece {
	gpa_t at;
	uint8_t *ram;
	size_t size;
};

static uint32_t walk_access(const struct vcpu *vcpu, unsigned int right, enum linear_as as)
{
	uint32_t access = vcpu->cpl == 3 && as == LINEAR_AS_CPL ? PAGE_WALK_USER : 0;

	if (right == LINEAR_WRITE)
		return access | PAGE_WALK_WRITE;
	return right == LINEAR_EXECUTE ? access | PAGE_WALK_FETCH : access;
}

static uint16_t rights_of(const struct vcpu *vcpu, const struct page_walk *found)
{
	unsigned int both = LINEAR_READ | (found->executable ? LINEAR_EXECUTE : 0);
	unsigned int write = found->dirty ? LINEAR_WRITE : 0;
	bool writable_here = found->writable || !(vcpu->cr0 & VCPU_CR0_WP);
	unsigned int user = both | (found->writable ? write : 0);

	return (uint16_t)(both | (writable_here ? write : 0) |
	                  (found->user ? user << LINEAR_USER_SHIFT : 0));
}

static void remember(struct vcpu *vcpu, gva_t at, const struct page_walk *found)
{
	uint32_t region = at.value >> LARGE_SHIFT;
	struct vcpu_tlb_entry *entry = linear_entry(vcpu, at);
	/* What is taken back is soon flushed as a whole. */
	bool global = found->global && !vcpu->vm->journal;

	if (!entry->listed && !global)
		vcpu->tlb_listed[vcpu->tlb_listed_count++] = (uint16_t)(entry - vcpu->tlb);
	vcpu->tlb_has_global |= global;
	*entry = (struct vcpu_tlb_entry){
	        .tag = linear_tag(at),
	        .rights = rights_of(vcpu, found),
	        .global = global,
	        .listed = entry->listed || !global,
	        .page = found->page.value,
	        .ram = guest_memory_page(vcpu->vm, found->page),
	};
	if (watchpoints_are_on(vcpu) && watchpoints_touch_page(vcpu, at))
		entry->rights &= EXECUTE_RIGHTS;
	if (vcpu->vm->journal)
		entry->rights |= (uint16_t)((entry->rights & WRITE_RIGHTS) << NOTED_SHIFT);
	if (watch_is_watched(vcpu->vm, found->page) || vcpu->vm->journal)
		entry->rights &= (uint16_t)~WRITE_RIGHTS;
	else if ((entry->rights & WRITE_RIGHTS) && entry->ram)
		watch_note_buffered(vcpu->vm, found->page);
	if (found->large)
		vcpu->tlb_large[region / 32] |= 1u << region % 32;
}

static bool is_known(const struct vcpu_tlb_entry *entry, gva_t at, unsigned int right)
{
	return entry->tag == linear_tag(at) &&
	       entry->rights & (right | (right & WRITE_RIGHTS) << NOTED_SHIFT);
}

/* The entry for a page and a right; NULL when the walk fails, without a fault raised. */
static const struct vcpu_tlb_entry *look_up(struct vcpu *vcpu, gva_t at, unsigned int right,
                                            enum linear_as as, uint32_t *error)
{
	struct vcpu_tlb_entry *entry = linear_entry(vcpu, at);
	struct page_walk found;

	if (is_known(entry, at, linear_right(vcpu, right, as)))
		return entry;
	if (!page_walk(vcpu, at, walk_access(vcpu, right, as), &found, error))
		return NULL;
	remember(vcpu, at, &found);
	return entry;
}

/* A fault also drops what was buffered of its page: so the manual has it. */
static void flush_page(struct vcpu *vcpu, gva_t at);

void linear_note_page_fault(struct vcpu *vcpu, gva_t at)
{
	flush_page(vcpu, at);
	vcpu->cr2 = at.value;
}

bool linear_raise_page_fault(struct vcpu *vcpu, gva_t at, uint32_t error)
{
	linear_note_page_fault(vcpu, at);
	return fault_raise_with_error(vcpu, FAULT_PF, error);
}

static struct piece piece_of(const struct vcpu_tlb_entry *entry, gva_t at, size_t size)
{
	uint32_t offset = at.value % GUEST_PAGE_SIZE;

	return (struct piece){gpa(entry->page + offset), entry->ram ? entry->ram + offset : NULL,
	                      size};
}

static bool find_piece(struct vcpu *vcpu, gva_t at, size_t size, unsigned int right,
                       enum linear_as as, struct piece *piece)
{
	uint32_t error = 0;
	const struct vcpu_tlb_entry *entry = look_up(vcpu, at, right, as, &error);

	if (!entry)
		return linear_raise_page_fault(vcpu, at, error);
	*piece = piece_of(entry, at, size);
	return true;
}

static bool is_misaligned(gva_t at, size_t size)
{
	size_t alignment = 1;

	if (size == 8 || size == 10)
		alignment = 8;
	else if (size % 4 == 0 || size == 6)
		alignment = 4;
	else if (size % 2 == 0)
		alignment = 2;
	return at.value & (alignment - 1);
}

static bool check_alignment(struct vcpu *vcpu, gva_t at, size_t size, enum linear_as as)
{
	if (vcpu->cpl != 3 || as != LINEAR_AS_CPL || !(vcpu->cr0 & VCPU_CR0_AM) ||
	    !(vcpu->eflags & VCPU_EFLAGS_AC) || !is_misaligned(at, size))
		return true;
	return fault_raise_with_error(vcpu, FAULT_AC, 0);
}

/* Both pages are asked before either is touched. The second piece is empty for most. */
static bool find_pieces(struct vcpu *vcpu, gva_t at, size_t size, unsigned int right,
                        enum linear_as as, struct piece pieces[2])
{
	size_t first = GUEST_PAGE_SIZE - at.value % GUEST_PAGE_SIZE;

	if (!check_alignment(vcpu, at, size, as))
		return false;
	if (first > size)
		first = size;
	pieces[1].size = 0;
	if (!find_piece(vcpu, at, first, right, as, &pieces[0]))
		return false;
	return first == size || find_piece(vcpu, gva(at.value + (uint32_t)first), size - first,
	                                   right, as, &pieces[1]);
}

static void read_piece(struct vcpu *vcpu, const struct piece *piece, uint8_t *to)
{
	if (piece->ram)
		memcpy(to, piece->ram, piece->size);
	else
		guest_memory_read(vcpu->vm, piece->at, to, piece->size);
}

/* Not by piece->ram: somebody may watch the page. */
static void write_piece(struct vcpu *vcpu, const struct piece *piece, const uint8_t *from)
{
	guest_memory_write(vcpu->vm, piece->at, from, piece->size);
}

bool linear_read_slow(struct vcpu *vcpu, gva_t at, void *to, size_t size, enum linear_as as)
{
	const uint8_t *from = size == 8 ? linear_find_span(vcpu, at, 8, LINEAR_READ, as) : NULL;
	struct piece pieces[2];

	if (from) {
		__builtin_memcpy(to, from, 8);
		return true;
	}
	if (!find_pieces(vcpu, at, size, LINEAR_READ, as, pieces))
		return false;
	read_piece(vcpu, &pieces[0], to);
	if (pieces[1].size)
		read_piece(vcpu, &pieces[1], (uint8_t *)to + pieces[0].size);
	if (watchpoints_are_on(vcpu))
		watchpoints_note_data(vcpu, at, size, false);
	return true;
}

bool linear_write_slow(struct vcpu *vcpu, gva_t at, const void *from, size_t size,
                       enum linear_as as)
{
	struct piece pieces[2];

	if (!find_pieces(vcpu, at, size, LINEAR_WRITE, as, pieces))
		return false;
	write_piece(vcpu, &pieces[0], from);
	if (pieces[1].size)
		write_piece(vcpu, &pieces[1], (const uint8_t *)from + pieces[0].size);
	if (watchpoints_are_on(vcpu))
		watchpoints_note_data(vcpu, at, size, true);
	return true;
}

bool linear_check_write_slow(struct vcpu *vcpu, gva_t at, size_t size, enum linear_as as)
{
	struct piece pieces[2];

	return find_pieces(vcpu, at, size, LINEAR_WRITE, as, pieces);
}

size_t linear_fetch(struct vcpu *vcpu, gva_t at, uint8_t *to, size_t wanted)
{
	size_t first = GUEST_PAGE_SIZE - at.value % GUEST_PAGE_SIZE;
	gva_t second = gva(at.value + (uint32_t)first);
	const struct vcpu_tlb_entry *entry;
	struct piece piece;
	uint32_t error;

	if (first > wanted)
		first = wanted;
	if (!find_piece(vcpu, at, first, LINEAR_EXECUTE, LINEAR_AS_CPL, &piece))
		return 0;
	read_piece(vcpu, &piece, to);
	/* The instruction may end before the second page, so its fault is not raised yet. */
	if (first == wanted)
		return wanted;
	entry = look_up(vcpu, second, LINEAR_EXECUTE, LINEAR_AS_CPL, &error);
	if (!entry)
		return first;
	piece = piece_of(entry, second, wanted - first);
	read_piece(vcpu, &piece, to + first);
	return wanted;
}

bool linear_look_at(struct vcpu *vcpu, gva_t at, void *to, size_t size, gpa_t *source)
{
	const struct vcpu_tlb_entry *entry;
	struct piece piece;
	uint32_t error;

	entry = look_up(vcpu, at, LINEAR_READ, LINEAR_AS_SUPERVISOR, &error);
	if (!entry)
		return false;
	piece = piece_of(entry, at, size);
	read_piece(vcpu, &piece, to);
	*source = piece.at;
	return true;
}

uint8_t *linear_look_for(struct vcpu *vcpu, gva_t at, unsigned int right)
{
	uint32_t error;
	const struct vcpu_tlb_entry *entry = look_up(vcpu, at, right, LINEAR_AS_CPL, &error);

	if (!entry || !entry->ram || (right == LINEAR_WRITE && vcpu->vm->journal))
		return NULL;
	return entry->ram + at.value % GUEST_PAGE_SIZE;
}

void linear_forget_writes(struct vcpu *vcpu, gpa_t page)
{
	const uint8_t *ram = guest_memory_page(vcpu->vm, page);

	for (uint32_t i = 0; i < VCPU_TLB_SIZE; i++)
		if (vcpu->tlb[i].ram == ram)
			vcpu->tlb[i].rights &= (uint16_t)~WRITE_RIGHTS;
}

static void forget(struct vcpu_tlb_entry *entry)
{
	entry->tag = 0;
}

/* The pieces of a large page go together, even if the tables have a small one there by now. What
 * else is in its region goes as well: dropping more than asked is always allowed. */
static void flush_large(struct vcpu *vcpu, uint32_t region)
{
	for (uint32_t i = 0; i < VCPU_TLB_SIZE; i++)
		if (vcpu->tlb[i].tag >> LARGE_SHIFT == region)
			forget(&vcpu->tlb[i]);
	vcpu->tlb_large[region / 32] &= ~(1u << region % 32);
}

static void flush_page(struct vcpu *vcpu, gva_t at)
{
	uint32_t region = at.value >> LARGE_SHIFT;

	if (linear_entry(vcpu, at)->tag == linear_tag(at))
		forget(linear_entry(vcpu, at));
	if (vcpu->tlb_large[region / 32] & 1u << region % 32)
		flush_large(vcpu, region);
}

void linear_flush_page(struct vcpu *vcpu, gva_t at)
{
	vcpu->flushes++;
	vcpu->page_flushes++;
	vcpu->flushed_page = at.value;
	flush_page(vcpu, at);
	if (vcpu->vm->shadow)
		shadow_invalidate_page(vcpu, at);
}

/* What is global stays, or has been put in the place of what was not. */
static void flush_listed(struct vcpu *vcpu)
{
	for (uint32_t i = 0; i < vcpu->tlb_listed_count; i++) {
		struct vcpu_tlb_entry *entry = &vcpu->tlb[vcpu->tlb_listed[i]];

		entry->listed = false;
		if (!entry->global)
			forget(entry);
	}
	vcpu->tlb_listed_count = 0;
}

static void flush_all(struct vcpu *vcpu)
{
	for (uint32_t i = 0; i < VCPU_TLB_SIZE; i++)
		forget(&vcpu->tlb[i]);
	memset(vcpu->tlb_large, 0, sizeof(vcpu->tlb_large));
	vcpu->tlb_has_global = false;
}

/* Between two loads of CR3 little is filled that is not global; in lockstep, which flushes twice a
 * block, little is filled at all. */
void linear_flush(struct vcpu *vcpu, bool globals_too)
{
	vcpu->flushes++;
	flush_listed(vcpu);
	if (globals_too && vcpu->tlb_has_global)
		flush_all(vcpu);
}
