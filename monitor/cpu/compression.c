#include "monitor/cpu/compression.h"

#define DPL_MASK     0x60u
#define DPL_1        0x20u
#define PAGE         4096u
#define LIMIT_FIELDS 0x0Fu /* in limit_high_and_flags */

static bool can_be_loaded(const struct vcpu_segment_register *segment)
{
	const uint16_t needed = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_PRESENT | VCPU_ATTRIBUTE_ACCESSED;

	return segments_has(segment, needed, needed);
}

static bool expands_down(const struct vcpu_segment_register *segment)
{
	return segments_has(segment, VCPU_ATTRIBUTE_CODE | VCPU_ATTRIBUTE_DOWN,
	                    VCPU_ATTRIBUTE_DOWN);
}

static void set_limit(struct descriptor *shadow, uint32_t field)
{
	shadow->limit_low = (uint16_t)field;
	shadow->limit_high_and_flags =
	        (uint8_t)((shadow->limit_high_and_flags & ~LIMIT_FIELDS) | (field >> 16));
}

/* With granularity the last page before the cut must fit as a whole. */
static bool truncate(const struct vcpu_segment_register *segment, uint32_t cut,
                     struct descriptor *shadow)
{
	uint32_t room = cut - segment->base;

	if (expands_down(segment) || segment->base >= cut)
		return false;
	if (segment->limit < room)
		return true;
	if (!(segment->attributes & VCPU_ATTRIBUTE_GRANULAR)) {
		set_limit(shadow, room - 1);
		return true;
	}
	if (room < PAGE)
		return false;
	set_limit(shadow, room / PAGE - 1);
	return true;
}

bool compression_make(struct segments_descriptor guest, uint32_t cut, struct descriptor *shadow)
{
	struct vcpu_segment_register segment = segments_unpack(0, guest);

	if (!can_be_loaded(&segment))
		return false;
	__builtin_memcpy(shadow, &guest, sizeof(*shadow));
	if (!(shadow->access & DPL_MASK))
		shadow->access |= DPL_1;
	return cut == COMPRESSION_NO_CUT || truncate(&segment, cut, shadow);
}

bool compression_make_twin(const struct vcpu_segment_register *segment, uint32_t cut,
                           struct descriptor *twin)
{
	uint32_t limit = segment->attributes & VCPU_ATTRIBUTE_GRANULAR ? segment->limit / PAGE
	                                                               : segment->limit;

	if (!segment->usable)
		return false;
	*twin = descriptor_make(
	        segment->base, limit,
	        (uint8_t)((segment->attributes & ~DPL_MASK) | VCPU_ATTRIBUTE_ACCESSED | DPL_1),
	        (uint8_t)(segment->attributes >> 8 & 0xF0));
	return cut == COMPRESSION_NO_CUT || truncate(segment, cut, twin);
}
