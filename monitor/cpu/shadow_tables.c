#include "monitor/cpu/shadow_tables.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/cpu/compression.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/watch.h"

#define SELECTOR_LOCAL 4u
#define PRESENT        0x80u /* in a descriptor's access byte */
#define DESCRIPTOR     8u

static gpa_t page_of(gpa_t at)
{
	return gpa(at.value & ~(uint64_t)(GUEST_PAGE_SIZE - 1));
}

static struct descriptor *shadow_of(const struct shadow_tables *tables, uint16_t selector)
{
	return &(selector & SELECTOR_LOCAL ? tables->ldt : tables->gdt)[selector / DESCRIPTOR];
}

static uint32_t shadow_limit(const struct shadow_tables *tables, uint16_t selector)
{
	const struct descriptor *shadow = shadow_of(tables, selector);
	uint32_t limit = shadow->limit_low | (shadow->limit_high_and_flags & 0x0Fu) << 16;

	return shadow->limit_high_and_flags & DESCRIPTOR_GRANULAR ? limit << 12 | 0xFFF : limit;
}

/* What was admitted has to be looked at again. */
static void doubt(struct shadow_tables *tables)
{
	tables->kernel.changed = tables->user.changed = true;
}

static inline void set_present(struct descriptor *shadow, bool present)
{
	shadow->access = (uint8_t)(present ? shadow->access | PRESENT : shadow->access & ~PRESENT);
}

static bool page_is_used(const struct shadow_tables *tables, gpa_t page)
{
	for (uint32_t i = 0; i < tables->count; i++)
		if (tables->entries[i].source.value / GUEST_PAGE_SIZE ==
		    page.value / GUEST_PAGE_SIZE)
			return true;
	return false;
}

static void forget_user_code(struct shadow_tables *tables, const struct descriptor *shadow)
{
	for (uint32_t i = tables->user_code_count; i--;)
		if (tables->user_codes[i] == shadow)
			tables->user_codes[i] = tables->user_codes[--tables->user_code_count];
}

static void take_out(struct vm *vm, uint32_t number)
{
	struct shadow_tables *tables = vm->shadow_tables;
	struct descriptor *shadow = shadow_of(tables, tables->entries[number].selector);
	uint16_t selector = tables->entries[number].selector;
	gpa_t source = tables->entries[number].source;

	*shadow = (struct descriptor){0};
	forget_user_code(tables, shadow);
	tables->entries[number] = tables->entries[--tables->count];
	doubt(tables);
	if (tables->taken_out)
		tables->taken_out(vm, selector);
	statistics_count(shadow_descriptors_dropped);
	if (!page_is_used(tables, source))
		watch_stop(vm, page_of(source), WATCH_DESCRIPTORS);
}

static void forget(struct vm *vm)
{
	while (vm->shadow_tables->count)
		take_out(vm, vm->shadow_tables->count - 1);
}

static void written(struct vm *vm, gpa_t at, uint32_t size)
{
	struct shadow_tables *tables = vm->shadow_tables;

	for (uint32_t i = tables->count; i--;) {
		uint64_t source = tables->entries[i].source.value;
		if (at.value < source + DESCRIPTOR && source < at.value + size)
			take_out(vm, i);
	}
}

void shadow_tables_start(struct vm *vm, struct shadow_tables *tables)
{
	vm->shadow_tables = tables;
	doubt(tables);
	watch_register(vm, WATCH_DESCRIPTORS, written);
}

/* The guest's own descriptor, read without a fault: the guest has not asked for this. */
static bool read_quietly(struct vcpu *vcpu, uint16_t selector,
                         struct segments_descriptor *descriptor, gva_t *linear, gpa_t *source)
{
	const struct vcpu_segment_register *local = &vcpu->ldtr;
	uint32_t offset = selector & ~7u;
	uint32_t base = selector & SELECTOR_LOCAL ? local->base : vcpu->gdtr.base;
	uint32_t limit = selector & SELECTOR_LOCAL ? local->limit : vcpu->gdtr.limit;

	*linear = gva(base + offset);
	if (offset + DESCRIPTOR - 1 > limit || (selector & SELECTOR_LOCAL && !local->usable) ||
	    linear->value % GUEST_PAGE_SIZE > GUEST_PAGE_SIZE - DESCRIPTOR)
		return false;
	return linear_look_at(vcpu, *linear, descriptor, sizeof(*descriptor), source) &&
	       guest_memory_page(vcpu->vm, page_of(*source));
}

static struct shadow_tables_entry *find(struct shadow_tables *tables, uint16_t selector)
{
	for (uint32_t i = 0; i < tables->count; i++)
		if (tables->entries[i].selector == (selector & ~3u))
			return &tables->entries[i];
	return NULL;
}

/* Code that ring 1 must not reach by a return or a jump of its own is absent while it runs: the
 * fault that comes of it leads to the emulation of the instruction, exact to the last flag. */
static bool is_user_code(const struct vcpu_segment_register *segment)
{
	return segments_is_code(segment) &&
	       (segments_dpl(segment) == 3 || segments_is_conforming(segment));
}

static bool put_in(struct vcpu *vcpu, uint16_t selector, const struct vcpu_segment_register *held)
{
	struct shadow_tables *tables = vcpu->vm->shadow_tables;
	struct vcpu_segment_register written;
	struct segments_descriptor guest;
	struct descriptor shadow;
	gva_t linear;
	gpa_t source;

	if (!(selector & SELECTOR_LOCAL) && selector / DESCRIPTOR > tables->last_index)
		return false;
	if (!read_quietly(vcpu, selector, &guest, &linear, &source))
		return false;
	written = segments_unpack(selector, guest);
	if (!segments_hold_the_same(held, &written) ||
	    !compression_make(guest, tables->cut, &shadow))
		return false;
	if (tables->count == SHADOW_TABLES_ENTRIES)
		forget(vcpu->vm);
	watch_start(vcpu->vm, page_of(source), WATCH_DESCRIPTORS);
	*shadow_of(tables, selector) = shadow;
	tables->entries[tables->count++] = (struct shadow_tables_entry){
	        .selector = (uint16_t)(selector & ~3u),
	        .linear = linear,
	        .source = source,
	        .written = written,
	};
	if (is_user_code(&written)) {
		tables->user_codes[tables->user_code_count++] = shadow_of(tables, selector);
		set_present(shadow_of(tables, selector), tables->user_code_is_open);
	}
	statistics_count(shadow_descriptors);
	return true;
}

/* A descriptor that is in the tables needs no second look: its page is watched. */
static bool admit(struct vcpu *vcpu, const struct vcpu_segment_register *held)
{
	const struct shadow_tables_entry *entry;

	if (!held->usable)
		return true;
	if (segments_is_null(held->selector))
		return false;
	entry = find(vcpu->vm->shadow_tables, held->selector);
	if (!entry)
		return put_in(vcpu, held->selector, held);
	return segments_hold_the_same(held, &entry->written);
}

bool shadow_tables_list(struct vcpu *vcpu, const struct vcpu_segment_register *held)
{
	return admit(vcpu, held);
}

void shadow_tables_open_user_code(struct shadow_tables *tables, bool open)
{
	tables->user_code_is_open = open;
	for (uint32_t i = 0; i < tables->user_code_count; i++)
		set_present(tables->user_codes[i], open);
}

/* A register may hold what could not be loaded where it is by now: a task switch does not ask. */
static bool data_can_be_loaded(const struct vcpu *vcpu, const struct vcpu_segment_register *segment)
{
	unsigned int level = segment->selector & 3u;

	if (level < vcpu->cpl)
		level = vcpu->cpl;
	return !segment->usable || segments_is_conforming(segment) ||
	       segments_dpl(segment) >= level;
}

/* Whether the register suits a direct run, beside what its descriptor says: with a stack of 16 bits
 * the upper half of ours would show in ESP after a return, and code of ring 3 is absent in ring 1.
 */
static bool suits(const struct vcpu *vcpu, enum vcpu_segment number)
{
	const struct vcpu_segment_register *segment = &vcpu->segments[number];

	if (segment->usable && vcpu->cpl != 3 && is_user_code(segment))
		return false;
	switch (number) {
	case VCPU_SS:
		return segment->usable && segment->attributes & VCPU_ATTRIBUTE_BIG;
	case VCPU_CS:
		return true;
	default:
		return data_can_be_loaded(vcpu, segment);
	}
}

static bool has_moved(struct vcpu *vcpu, const struct shadow_tables_entry *entry)
{
	uint64_t word;
	gpa_t source;

	return !linear_look_at(vcpu, entry->linear, &word, sizeof(word), &source) ||
	       source.value != entry->source.value;
}

static bool is_on_page_of(const struct shadow_tables_entry *one,
                          const struct shadow_tables_entry *other)
{
	return (one->linear.value ^ other->linear.value) < GUEST_PAGE_SIZE;
}

/* The tables are elsewhere, or their pages are: nothing that was read from them counts. */
static void follow_tables(struct vcpu *vcpu)
{
	struct shadow_tables *tables = vcpu->vm->shadow_tables;
	bool moved = tables->gdtr.base != vcpu->gdtr.base ||
	             tables->gdtr.limit != vcpu->gdtr.limit ||
	             !segments_hold_the_same(&tables->ldtr, &vcpu->ldtr);
	const struct shadow_tables_entry *before = NULL;

	for (uint32_t i = 0; i < tables->count && !moved; i++) {
		if (!before || !is_on_page_of(&tables->entries[i], before))
			moved = has_moved(vcpu, &tables->entries[i]);
		before = &tables->entries[i];
	}
	tables->gdtr = vcpu->gdtr;
	tables->ldtr = vcpu->ldtr;
	tables->flushes = vcpu->flushes;
	if (!moved)
		return;
	forget(vcpu->vm);
	doubt(tables);
}

static bool admit_each(struct vcpu *vcpu, const struct shadow_tables_level *level, bool all)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		if (!suits(vcpu, (enum vcpu_segment)i))
			return false;
		if (!all && !shadow_tables_difference(&vcpu->segments[i], &level->admitted[i]))
			continue;
		if (!admit(vcpu, &vcpu->segments[i]))
			return false;
	}
	return true;
}

/* A register that is unusable holds 0, whatever null selector the guest sees. */
static uint16_t real_selector(const struct vcpu *vcpu, unsigned int number)
{
	const struct vcpu_segment_register *segment = &vcpu->segments[number];

	if (number == VCPU_CS || number == VCPU_SS)
		return compression_selector(segment->selector, vcpu->cpl);
	return segment->usable || segments_is_null(segment->selector) ? segment->selector : 0;
}

static void note_admitted(const struct vcpu *vcpu, struct shadow_tables_level *level)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		level->admitted[i] = vcpu->segments[i];
		level->given[i] = real_selector(vcpu, i);
	}
	level->code_limit = shadow_limit(vcpu->vm->shadow_tables, vcpu->segments[VCPU_CS].selector);
}

/* Making room may take out what was admitted a moment ago; then all are admitted once more, and
 * there is room. */
static bool admit_anew(struct vcpu *vcpu, struct shadow_tables_level *level)
{
	bool all = level->changed;

	do {
		level->changed = false;
		if (!admit_each(vcpu, level, all)) {
			level->changed = true;
			return false;
		}
		all = true;
	} while (level->changed);
	note_admitted(vcpu, level);
	return true;
}

/* Only the level has changed, most of the time, and what is held is what was admitted there. */
static bool is_unchanged(const struct shadow_tables_level *level, const struct vcpu *vcpu)
{
	uint32_t changed = 0;

	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		changed |= shadow_tables_difference(&vcpu->segments[i], &level->admitted[i]);
	return !changed && !level->changed;
}

void shadow_tables_follow(struct vcpu *vcpu)
{
	const struct shadow_tables *tables = vcpu->vm->shadow_tables;

	if (tables->flushes != vcpu->flushes || tables->gdtr.base != vcpu->gdtr.base ||
	    tables->gdtr.limit != vcpu->gdtr.limit ||
	    !segments_hold_the_same(&tables->ldtr, &vcpu->ldtr))
		follow_tables(vcpu);
}

bool shadow_tables_admit_slowly(struct vcpu *vcpu)
{
	struct shadow_tables_level *level = shadow_tables_level(vcpu);

	shadow_tables_follow(vcpu);
	if (!is_unchanged(level, vcpu) && !admit_anew(vcpu, level))
		return false;
	level->loads = vcpu->loads;
	return true;
}

/* The other level does not know of it. */
static void note_load(struct vcpu *vcpu, struct shadow_tables_level *level)
{
	if (level->loads == vcpu->loads++)
		level->loads = vcpu->loads;
}

struct vcpu_segment_register shadow_tables_meaning(struct vcpu *vcpu, uint16_t selector)
{
	struct segments_descriptor guest;
	gva_t linear;
	gpa_t source;

	if (!segments_is_null(selector) && read_quietly(vcpu, selector, &guest, &linear, &source))
		return segments_unpack(selector, guest);
	return (struct vcpu_segment_register){.selector = selector};
}

void shadow_tables_adopt(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector)
{
	struct shadow_tables_level *level = shadow_tables_level(vcpu);

	if (segment == VCPU_CS || segment == VCPU_SS)
		selector = (uint16_t)((selector & ~3u) | vcpu->cpl);
	vcpu->segments[segment] = shadow_tables_meaning(vcpu, selector);
	level->admitted[segment] = vcpu->segments[segment];
	level->given[segment] = real_selector(vcpu, segment);
	note_load(vcpu, level);
	if (segment == VCPU_CS)
		level->code_limit = shadow_limit(vcpu->vm->shadow_tables, selector);
}
