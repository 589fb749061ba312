#include "monitor/memory/watchpoints.h"

#define WATCHPOINTS 4

/* The R/W bits of DR7. */
enum kind { KIND_EXECUTE, KIND_WRITE, KIND_PORT, KIND_ACCESS };

static bool is_on(const struct vcpu *vcpu, unsigned int i)
{
	return vcpu->debug[7] >> 2 * i & 3;
}

static enum kind kind_of(const struct vcpu *vcpu, unsigned int i)
{
	return (enum kind)(vcpu->debug[7] >> (16 + 4 * i) & 3);
}

/* The LEN bits: 2 means eight bytes to later processors, and what it meant to earlier ones nobody
 * has said. */
static uint32_t length_of(const struct vcpu *vcpu, unsigned int i)
{
	static const uint8_t lengths[] = {1, 2, 8, 4};

	return lengths[vcpu->debug[7] >> (18 + 4 * i) & 3];
}

/* The bytes that are watched are aligned to their number, whatever the low bits of the address. */
static bool overlaps(const struct vcpu *vcpu, unsigned int i, uint32_t first, uint32_t size)
{
	uint32_t length = length_of(vcpu, i), start = vcpu->debug[i] & ~(length - 1);

	return first - start < length || start - first < size;
}

static bool watches_data(const struct vcpu *vcpu, unsigned int i)
{
	enum kind kind = kind_of(vcpu, i);

	return is_on(vcpu, i) && (kind == KIND_WRITE || kind == KIND_ACCESS);
}

bool watchpoints_touch_page(const struct vcpu *vcpu, gva_t at)
{
	uint32_t page = at.value & ~(GUEST_PAGE_SIZE - 1);

	for (unsigned int i = 0; i < WATCHPOINTS; i++)
		if (watches_data(vcpu, i) && overlaps(vcpu, i, page, GUEST_PAGE_SIZE))
			return true;
	return false;
}

void watchpoints_note_data(struct vcpu *vcpu, gva_t at, size_t size, bool write)
{
	for (unsigned int i = 0; i < WATCHPOINTS; i++)
		if (watches_data(vcpu, i) && (write || kind_of(vcpu, i) == KIND_ACCESS) &&
		    overlaps(vcpu, i, at.value, (uint32_t)size))
			vcpu->debug_met |= 1u << i;
}

/* Without CR4.DE that kind of breakpoint does not exist. */
void watchpoints_note_port(struct vcpu *vcpu, uint16_t port, unsigned int size)
{
	if (!watchpoints_are_on(vcpu) || !(vcpu->cr4 & VCPU_CR4_DE))
		return;
	for (unsigned int i = 0; i < WATCHPOINTS; i++)
		if (is_on(vcpu, i) && kind_of(vcpu, i) == KIND_PORT &&
		    overlaps(vcpu, i, port, size))
			vcpu->debug_met |= 1u << i;
}
