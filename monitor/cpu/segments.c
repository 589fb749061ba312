#include "monitor/cpu/segments.h"

#define ERROR_MASK 0xFFFCu

#define HIGH_BASE     0xFF000000u
#define HIGH_RIGHTS   0x00FFFF00u
#define HIGH_GRANULAR 0x00800000u

/* What a segment register holds in virtual-8086 mode: writable data of ring 3. */
#define V86_ATTRIBUTES 0x00F3u
#define V86_LIMIT      0xFFFFu

bool segments_raise(struct vcpu *vcpu, uint8_t vector, uint16_t selector)
{
	return fault_raise_with_error(vcpu, (enum fault_vector)vector, selector & ERROR_MASK);
}

static bool type_allows(const struct vcpu_segment_register *segment, enum segment_access access)
{
	switch (access) {
	case SEGMENT_WRITE:
		return segments_is_writable(segment);
	case SEGMENT_READ:
		return segments_is_readable(segment);
	case SEGMENT_EXECUTE:
		break;
	}
	return true;
}

/* An access that would wrap from 0xFFFFFFFF to 0 is refused: the manual leaves it to the model. */
static bool limit_allows(const struct vcpu_segment_register *segment, uint32_t offset,
                         uint32_t size)
{
	uint32_t last = segment->limit;

	if (segments_has(segment, VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE | VCPU_ATTRIBUTE_DOWN,
	                 VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_DOWN)) {
		if (offset <= segment->limit)
			return false;
		last = segment->attributes & VCPU_ATTRIBUTE_BIG ? UINT32_MAX : UINT16_MAX;
	}
	return offset <= last && size - 1 <= last - offset;
}

bool segments_allow(const struct vcpu_segment_register *segment, uint32_t offset, uint32_t size,
                    enum segment_access access)
{
	return segment->usable && type_allows(segment, access) &&
	       limit_allows(segment, offset, size);
}

bool segments_translate(struct vcpu *vcpu, enum vcpu_segment segment, uint32_t offset,
                        uint32_t size, enum segment_access access, gva_t *linear)
{
	const struct vcpu_segment_register *in = &vcpu->segments[segment];

	if (segments_allow(in, offset, size, access)) {
		*linear = gva(in->base + offset);
		return true;
	}
	return fault_raise_with_error(vcpu, segment == VCPU_SS ? FAULT_SS : FAULT_GP, 0);
}

/* The address of a descriptor; false where the table has none. */
static bool find_descriptor(const struct vcpu *vcpu, uint16_t selector, gva_t *at)
{
	uint32_t offset = selector & ~7u;

	if (!(selector & SEGMENTS_LOCAL)) {
		*at = gva(vcpu->gdtr.base + offset);
		return offset + 7 <= vcpu->gdtr.limit;
	}
	*at = gva(vcpu->ldtr.base + offset);
	return vcpu->ldtr.usable && limit_allows(&vcpu->ldtr, offset, 8);
}

bool segments_read_descriptor(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                              struct segments_descriptor *descriptor)
{
	gva_t at;

	if (!find_descriptor(vcpu, selector, &at))
		return segments_raise(vcpu, vector, selector);
	return linear_read_descriptor(vcpu, at, descriptor);
}

struct vcpu_segment_register segments_unpack(uint16_t selector,
                                             struct segments_descriptor descriptor)
{
	uint32_t limit = (descriptor.low & 0xFFFF) | (descriptor.high & 0xF0000);

	if (descriptor.high & HIGH_GRANULAR)
		limit = limit << 12 | 0xFFF;
	return (struct vcpu_segment_register){
	        .selector = selector,
	        .attributes = (uint16_t)(descriptor.high >> 8 & 0xF0FF),
	        .usable = true,
	        .base = descriptor.low >> 16 | (descriptor.high & 0xFF) << 16 |
	                (descriptor.high & HIGH_BASE),
	        .limit = limit,
	};
}

bool segments_fetch(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                    struct vcpu_segment_register *segment)
{
	struct segments_descriptor descriptor;

	if (segments_is_null(selector))
		return segments_raise(vcpu, vector, 0);
	if (!segments_read_descriptor(vcpu, selector, vector, &descriptor))
		return false;
	*segment = segments_unpack(selector, descriptor);
	return true;
}

struct segments_memo segments_memos[SEGMENTS_MEMOS];

/* What no memo was made of yet is an empty descriptor, and that is not present. */
bool segments_renew_memo(struct segments_memo *memo, struct segments_descriptor descriptor)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_PRESENT | VCPU_ATTRIBUTE_ACCESSED;
	struct vcpu_segment_register segment = segments_unpack(0, descriptor);

	if (!segments_has(&segment, kind, kind))
		return false;
	*memo = (struct segments_memo){descriptor, segment};
	return true;
}

/* `set` and `clear` are bits of the descriptor's type, which stands in its sixth byte. */
bool segments_mark_descriptor(struct vcpu *vcpu, uint16_t selector, uint32_t set, uint32_t clear)
{
	gva_t at;
	uint8_t old, changed;

	if (!find_descriptor(vcpu, selector, &at))
		return segments_raise(vcpu, FAULT_GP, selector);
	at.value += 5;
	if (!linear_read(vcpu, at, &old, 1, LINEAR_AS_SUPERVISOR))
		return false;
	changed = (uint8_t)((old | set) & ~clear);
	return changed == old || linear_write(vcpu, at, &changed, 1, LINEAR_AS_SUPERVISOR);
}

bool segments_touch_first(struct vcpu *vcpu, struct vcpu_segment_register *segment)
{
	if (!segments_mark_descriptor(vcpu, segment->selector, VCPU_ATTRIBUTE_ACCESSED, 0))
		return false;
	segment->attributes |= VCPU_ATTRIBUTE_ACCESSED;
	return true;
}

bool segments_check_stack(struct vcpu *vcpu, uint16_t selector, unsigned int level, uint8_t vector,
                          struct vcpu_segment_register *loaded)
{
	if (!segments_fetch(vcpu, selector, vector, loaded))
		return false;
	if ((selector & 3u) != level || segments_dpl(loaded) != level ||
	    !segments_is_writable(loaded))
		return segments_raise(vcpu, vector, selector);
	if (!segments_is_present(loaded))
		return segments_raise(vcpu, FAULT_SS, selector);
	return true;
}

bool segments_check_data(struct vcpu *vcpu, uint16_t selector, unsigned int level, uint8_t vector,
                         struct vcpu_segment_register *loaded)
{
	if (segments_is_null(selector)) {
		*loaded = (struct vcpu_segment_register){.selector = selector};
		return true;
	}
	if (!segments_fetch(vcpu, selector, vector, loaded))
		return false;
	if (!segments_is_readable(loaded))
		return segments_raise(vcpu, vector, selector);
	if (!segments_is_conforming(loaded) &&
	    ((selector & 3u) > segments_dpl(loaded) || level > segments_dpl(loaded)))
		return segments_raise(vcpu, vector, selector);
	if (!segments_is_present(loaded))
		return segments_raise(vcpu, FAULT_NP, selector);
	return true;
}

bool segments_check_code(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                         struct vcpu_segment_register *loaded)
{
	unsigned int level = selector & 3u;

	if (!segments_fetch(vcpu, selector, vector, loaded))
		return false;
	if (!segments_is_code(loaded))
		return segments_raise(vcpu, vector, selector);
	if (segments_is_conforming(loaded) ? segments_dpl(loaded) > level
	                                   : segments_dpl(loaded) != level)
		return segments_raise(vcpu, vector, selector);
	if (!segments_is_present(loaded))
		return segments_raise(vcpu, FAULT_NP, selector);
	return true;
}

void segments_load_v86(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector)
{
	vcpu->loads++;
	vcpu->segments[segment] = (struct vcpu_segment_register){
	        .selector = selector,
	        .attributes = V86_ATTRIBUTES,
	        .usable = true,
	        .base = (uint32_t)selector << 4,
	        .limit = V86_LIMIT,
	};
}

void segments_invalidate(struct vcpu *vcpu, enum vcpu_segment segment)
{
	vcpu->loads++;
	vcpu->segments[segment] = (struct vcpu_segment_register){.usable = false};
}

bool segments_load(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector)
{
	struct vcpu_segment_register loaded;

	if (segments_is_v86(vcpu)) {
		segments_load_v86(vcpu, segment, selector);
		return true;
	}
	if (segment == VCPU_SS) {
		if (!segments_check_stack(vcpu, selector, vcpu->cpl, FAULT_GP, &loaded))
			return false;
	} else if (!segments_check_data(vcpu, selector, vcpu->cpl, FAULT_GP, &loaded)) {
		return false;
	}
	if (loaded.usable && !segments_touch(vcpu, &loaded))
		return false;
	vcpu->loads++;
	vcpu->segments[segment] = loaded;
	return true;
}

/* A descriptor that only the GDT may have, of a type that lldt or ltr takes. */
static bool fetch_system(struct vcpu *vcpu, uint16_t selector, unsigned int type, unsigned int mask,
                         struct vcpu_segment_register *loaded)
{
	if (selector & SEGMENTS_LOCAL)
		return segments_raise(vcpu, FAULT_GP, selector);
	if (!segments_fetch(vcpu, selector, FAULT_GP, loaded))
		return false;
	if ((segments_system_type(loaded) & mask) != type)
		return segments_raise(vcpu, FAULT_GP, selector);
	if (!segments_is_present(loaded))
		return segments_raise(vcpu, FAULT_NP, selector);
	return true;
}

bool segments_load_ldt(struct vcpu *vcpu, uint16_t selector)
{
	struct vcpu_segment_register loaded = {.selector = selector};

	if (!segments_is_null(selector) &&
	    !fetch_system(vcpu, selector, SEGMENTS_TYPE_LDT, UINT32_MAX, &loaded))
		return false;
	vcpu->loads++;
	vcpu->ldtr = loaded;
	return true;
}

bool segments_load_task(struct vcpu *vcpu, uint16_t selector)
{
	struct vcpu_segment_register loaded;

	if (!fetch_system(vcpu, selector, SEGMENTS_TYPE_TSS16, ~SEGMENTS_TYPE_32BIT, &loaded) ||
	    !segments_mark_descriptor(vcpu, selector, SEGMENTS_TYPE_TSS_BUSY, 0))
		return false;
	loaded.attributes |= SEGMENTS_TYPE_TSS_BUSY;
	vcpu->tr = loaded;
	return true;
}

/* Which system descriptors lar and lsl know, a bit for each type. */
#define TYPES_WITH_RIGHTS 0x1A3Eu /* TSS, LDT, call and task gates */
#define TYPES_WITH_LIMIT  0x0A0Eu /* TSS, LDT */

/* What all four have in common: a descriptor that is there, and that this level may see. */
static bool query(struct vcpu *vcpu, uint16_t selector, uint32_t types, bool *good,
                  struct segments_descriptor *descriptor)
{
	struct vcpu_segment_register seen;
	gva_t at;

	*good = false;
	if (segments_is_null(selector) || !find_descriptor(vcpu, selector, &at))
		return true;
	if (!linear_read_descriptor(vcpu, at, descriptor))
		return false;
	seen = segments_unpack(selector, *descriptor);
	if (!(seen.attributes & VCPU_ATTRIBUTE_S) && !(types >> segments_system_type(&seen) & 1))
		return true;
	*good = segments_is_conforming(&seen) ||
	        (vcpu->cpl <= segments_dpl(&seen) && (selector & 3u) <= segments_dpl(&seen));
	return true;
}

bool segments_query_rights(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *rights)
{
	struct segments_descriptor descriptor;

	if (!query(vcpu, selector, TYPES_WITH_RIGHTS, good, &descriptor))
		return false;
	if (*good)
		*rights = descriptor.high & HIGH_RIGHTS;
	return true;
}

bool segments_query_limit(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *limit)
{
	struct segments_descriptor descriptor;

	if (!query(vcpu, selector, TYPES_WITH_LIMIT, good, &descriptor))
		return false;
	if (*good)
		*limit = segments_unpack(selector, descriptor).limit;
	return true;
}

bool segments_query_access(struct vcpu *vcpu, uint16_t selector, bool write, bool *good)
{
	struct segments_descriptor descriptor;

	if (!query(vcpu, selector, 0, good, &descriptor))
		return false;
	if (*good) {
		struct vcpu_segment_register seen = segments_unpack(selector, descriptor);
		*good = write ? segments_is_writable(&seen) : segments_is_readable(&seen);
	}
	return true;
}
