#include "monitor/run/twins.h"

#include "monitor/cpu/compression.h"
#include "monitor/cpu/segments.h"
#include "monitor/cpu/shadow_tables.h"

#define RPL 3u

static void forget(struct twins *twins)
{
	for (unsigned int i = 0; i < twins->count; i++)
		twins->window->loadable[twins->of[i].selector] = WINDOW_NOT_LOADABLE;
	twins->count = 0;
	twins->generation++;
	twins->again = true;
	for (uint16_t null = 0; null <= RPL; null++)
		twins->window->loadable[null] = null;
}

void twins_start(struct twins *twins, struct slot *slot, uint32_t cut)
{
	*twins = (struct twins){
	        .slot = slot,
	        .window = (struct translator_window *)(void *)slot->window,
	        .cut = cut,
	};
	forget(twins);
}

static bool is(const struct vcpu_segment_register *one, const struct vcpu_segment_register *other)
{
	return one->selector == other->selector && segments_hold_the_same(one, other);
}

static unsigned int find(const struct twins *twins, const struct vcpu_segment_register *held)
{
	unsigned int i = 0;

	while (i < twins->count && !is(&twins->of[i], held))
		i++;
	return i;
}

/* What has no equivalent becomes a null selector: using it faults, and the fault is emulated. */
static unsigned int make(struct twins *twins, const struct vcpu_segment_register *held)
{
	unsigned int number;

	if (twins->count == SLOT_TWIN_COUNT)
		forget(twins);
	number = twins->count++;
	twins->of[number] = *held;
	twins->listed[number] = false;
	twins->selectors_of[number] = 0;
	if (compression_make_twin(held, twins->cut, &twins->slot->gdt[SLOT_TWINS + number]))
		twins->selectors_of[number] = (uint16_t)((SLOT_TWINS + number) * 8 + 1);
	return number;
}

/* What mov to ES, DS, FS and GS takes in ring 0. */
static bool can_be_loaded(const struct vcpu_segment_register *held)
{
	return segments_is_readable(held) && segments_is_present(held) &&
	       (segments_is_conforming(held) || segments_dpl(held) >= (held->selector & RPL));
}

static bool list(struct twins *twins, struct vcpu *vcpu, unsigned int number)
{
	const struct vcpu_segment_register *held = &twins->of[number];

	if (twins->listed[number])
		return true;
	if (!twins->selectors_of[number] || !can_be_loaded(held) || !shadow_tables_list(vcpu, held))
		return false;
	twins->listed[number] = true;
	twins->window->loadable[held->selector] = twins->selectors_of[number];
	return true;
}

static void follow(struct twins *twins, struct vcpu *vcpu, enum vcpu_segment segment)
{
	const struct vcpu_segment_register *held = &vcpu->segments[segment];
	unsigned int number;

	twins->held[segment] = *held;
	twins->selectors[segment] = 0;
	if (!held->usable) {
		twins->all_listed &= segments_is_null(held->selector);
		return;
	}
	number = find(twins, held);
	if (number == twins->count)
		number = make(twins, held);
	if (segment != VCPU_SS)
		twins->all_listed &= list(twins, vcpu, number);
	twins->selectors[segment] = twins->selectors_of[number];
}

/* SS is also changed by events and returns, which do not count it. */
static bool may_have_changed(const struct twins *twins, const struct vcpu *vcpu)
{
	return twins->loads != vcpu->loads || !is(&twins->held[VCPU_SS], &vcpu->segments[VCPU_SS]);
}

static bool has_changed(const struct twins *twins, const struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS && !is(&twins->held[i], &vcpu->segments[i]))
			return true;
	return false;
}

static void take_off(struct twins *twins, uint16_t selector)
{
	for (unsigned int i = 0; i < twins->count; i++)
		if (twins->of[i].selector == selector)
			twins->listed[i] = false;
	twins->window->loadable[selector] = WINDOW_NOT_LOADABLE;
}

/* A register holds what its selector no longer means: by the selector alone nobody could tell
 * whether it has been loaded again. */
static void keep_apart(struct twins *twins)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		const struct vcpu_segment_register *held = &twins->held[i];

		if (i == VCPU_CS || i == VCPU_SS || segments_is_null(held->selector))
			continue;
		if (!held->usable || !twins->listed[find(twins, held)])
			take_off(twins, held->selector);
	}
}

/* Making room forgets the twins of other registers, and listing one may take another off: then once
 * more, and there is room. */
void twins_follow(struct twins *twins, struct vcpu *vcpu)
{
	bool changed = may_have_changed(twins, vcpu) && has_changed(twins, vcpu);

	twins->loads = vcpu->loads;
	if (!twins->again && !changed)
		return;
	do {
		twins->again = false;
		twins->all_listed = true;
		for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
			if (i != VCPU_CS)
				follow(twins, vcpu, (enum vcpu_segment)i);
	} while (twins->again);
	if (!twins->all_listed)
		keep_apart(twins);
}

void twins_adopt(const struct twins *twins, struct vcpu *vcpu, enum vcpu_segment segment,
                 uint16_t selector)
{
	if (selector == vcpu->segments[segment].selector)
		return;
	vcpu->loads++;
	for (unsigned int i = 0; i < twins->count; i++)
		if (twins->listed[i] && twins->of[i].selector == selector) {
			vcpu->segments[segment] = twins->of[i];
			return;
		}
	/* User code has loaded it into GS, for which kernel code behind a gate needs no twin. */
	vcpu->segments[segment] = shadow_tables_meaning(vcpu, selector);
}

void twins_taken_out(struct twins *twins, uint16_t selector)
{
	for (unsigned int i = 0; i < twins->count; i++) {
		if (!twins->listed[i] || (twins->of[i].selector & ~RPL) != selector)
			continue;
		take_off(twins, twins->of[i].selector);
		twins->again = true;
	}
}
