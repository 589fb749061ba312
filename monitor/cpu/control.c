#include "monitor/cpu/control.h"

#include "kernel/string.h"
#include "monitor/cpu/identity.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/page_walk.h"
#include "monitor/state/fault.h"
#include "monitor/state/stop.h"

/* Every other bit stays 0 whatever is written, ET stays 1. */
#define CR0_WRITABLE                                                                         \
	(VCPU_CR0_PE | VCPU_CR0_MP | VCPU_CR0_EM | VCPU_CR0_TS | VCPU_CR0_NE | VCPU_CR0_WP | \
	 VCPU_CR0_AM | VCPU_CR0_NW | VCPU_CR0_CD | VCPU_CR0_PG)
#define CR0_MACHINE_STATUS (VCPU_CR0_PE | VCPU_CR0_MP | VCPU_CR0_EM | VCPU_CR0_TS)

/* A change of one of these loads the page-directory pointers again, when PAE paging is on. */
#define CR0_LOADS_PDPTES (VCPU_CR0_CD | VCPU_CR0_NW | VCPU_CR0_PG)
#define CR4_LOADS_PDPTES (VCPU_CR4_PAE | VCPU_CR4_PGE | VCPU_CR4_PSE)

/* WP is among them because the rights in our buffer are worked out with it. */
#define CR0_FLUSHES (VCPU_CR0_PG | VCPU_CR0_WP)
#define CR4_FLUSHES (VCPU_CR4_PAE | VCPU_CR4_PGE | VCPU_CR4_PSE)

#define DR6_WRITABLE 0x0000E00Fu
#define DR6_FIXED    0xFFFF0FF0u
#define DR6_BD       (1u << 13)
#define DR7_WRITABLE 0xFFFF23FFu
#define DR7_FIXED    0x00000400u
#define DR7_GD       (1u << 13)

#define TASK_TYPE_32      0x9u /* bit 1 says busy */
#define TASK_TYPE_BUSY    0x2u
#define TASK_LAST_BYTE    103u
#define TASK_BITMAP_FIELD 102u

#define FLAT_ATTRIBUTES                                                        \
	(VCPU_ATTRIBUTE_PRESENT | VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_ACCESSED | \
	 VCPU_ATTRIBUTE_BIG | VCPU_ATTRIBUTE_GRANULAR)
#define LDT_TYPE 0x2u

/* Where fxsave puts what a reset sets: the control word, the tags (all registers hold +0.0), and
 * the control word of SSE. */
#define FPU_CONTROL_AT 0
#define FPU_TAGS_AT    4
#define FPU_MXCSR_AT   24

static void reset_segments(struct vcpu *vcpu)
{
	struct vcpu_segment_register flat = {.usable = true, .limit = 0xFFFFFFFF};

	flat.attributes = FLAT_ATTRIBUTES | VCPU_ATTRIBUTE_WRITABLE;
	for (int i = 0; i < VCPU_SEGMENTS; i++)
		vcpu->segments[i] = flat;
	vcpu->segments[VCPU_CS].attributes |= VCPU_ATTRIBUTE_CODE;

	vcpu->ldtr = vcpu->tr = (struct vcpu_segment_register){.usable = true, .limit = 0xFFFF};
	vcpu->ldtr.attributes = VCPU_ATTRIBUTE_PRESENT | LDT_TYPE;
	vcpu->tr.attributes = VCPU_ATTRIBUTE_PRESENT | TASK_TYPE_32 | TASK_TYPE_BUSY;
	vcpu->gdtr.limit = vcpu->idtr.limit = 0xFFFF;
}

static void reset_fpu(struct vcpu *vcpu)
{
	const uint16_t control = 0x0040;
	const uint32_t mxcsr = 0x1F80;

	memcpy(vcpu->fpu + FPU_CONTROL_AT, &control, sizeof(control));
	vcpu->fpu[FPU_TAGS_AT] = 0xFF;
	memcpy(vcpu->fpu + FPU_MXCSR_AT, &mxcsr, sizeof(mxcsr));
}

void control_reset(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->vm = vm;
	vcpu->eflags = VCPU_EFLAGS_ONE;
	vcpu->registers[VCPU_EDX] = identity_signature();
	vcpu->cr0 = VCPU_CR0_PE | VCPU_CR0_ET;
	vcpu->debug[6] = DR6_FIXED;
	vcpu->debug[7] = DR7_FIXED;
	vcpu->pat = IDENTITY_PAT_AT_RESET;
	reset_segments(vcpu);
	reset_fpu(vcpu);
}

static bool refuse(struct vcpu *vcpu)
{
	return fault_raise_with_error(vcpu, FAULT_GP, 0);
}

/* With the registers as they are going to be. */
static bool load_pdptes(struct vcpu *vcpu, uint32_t cr0, uint32_t cr3, uint32_t cr4)
{
	if (!(cr0 & VCPU_CR0_PG) || !(cr4 & VCPU_CR4_PAE))
		return true;
	return page_walk_read_pdptes(vcpu, cr3, vcpu->pdptes) || refuse(vcpu);
}

static bool write_cr0(struct vcpu *vcpu, uint32_t value)
{
	uint32_t changed;

	value = (value & CR0_WRITABLE) | VCPU_CR0_ET;
	changed = value ^ vcpu->cr0;
	if ((value & VCPU_CR0_PG) && !(value & VCPU_CR0_PE))
		return refuse(vcpu);
	if ((value & VCPU_CR0_NW) && !(value & VCPU_CR0_CD))
		return refuse(vcpu);
	if (!(value & VCPU_CR0_PE)) {
		vm_stop(vcpu,
		        "the guest loads CR0 with %08x, leaving protected mode: there is no "
		        "real mode here",
		        value);
		return false;
	}
	if ((changed & CR0_LOADS_PDPTES) && !load_pdptes(vcpu, value, vcpu->cr3, vcpu->cr4))
		return false;
	vcpu->cr0 = value;
	if (changed & CR0_FLUSHES)
		linear_flush(vcpu, true);
	return true;
}

static bool write_cr3(struct vcpu *vcpu, uint32_t value)
{
	if (!load_pdptes(vcpu, vcpu->cr0, value, vcpu->cr4))
		return false;
	vcpu->cr3 = value;
	linear_flush(vcpu, false);
	return true;
}

static bool write_cr4(struct vcpu *vcpu, uint32_t value)
{
	uint32_t changed = value ^ vcpu->cr4;

	if (value & ~identity_cr4_bits())
		return refuse(vcpu);
	if ((changed & CR4_LOADS_PDPTES) && !load_pdptes(vcpu, vcpu->cr0, vcpu->cr3, value))
		return false;
	vcpu->cr4 = value;
	if (changed & CR4_FLUSHES)
		linear_flush(vcpu, true);
	return true;
}

bool control_write_cr(struct vcpu *vcpu, unsigned int number, uint32_t value)
{
	switch (number) {
	case 0:
		return write_cr0(vcpu, value);
	case 2:
		vcpu->cr2 = value;
		return true;
	case 3:
		return write_cr3(vcpu, value);
	case 4:
		return write_cr4(vcpu, value);
	default:
		return fault_raise(vcpu, FAULT_UD);
	}
}

bool control_read_cr(struct vcpu *vcpu, unsigned int number, uint32_t *value)
{
	switch (number) {
	case 0:
		*value = vcpu->cr0;
		return true;
	case 2:
		*value = vcpu->cr2;
		return true;
	case 3:
		*value = vcpu->cr3;
		return true;
	case 4:
		*value = vcpu->cr4;
		return true;
	default:
		return fault_raise(vcpu, FAULT_UD);
	}
}

/* lmsw can set PE and not clear it. */
bool control_load_machine_status(struct vcpu *vcpu, uint16_t value)
{
	uint32_t cr0 = vcpu->cr0 & ~(CR0_MACHINE_STATUS & ~VCPU_CR0_PE);

	return write_cr0(vcpu, cr0 | (value & CR0_MACHINE_STATUS));
}

/* 4 and 5 are other names of 6 and 7, until CR4.DE takes them away. Any access at all faults while
 * DR7.GD is set; whoever delivers a #DB clears that bit. */
static bool find_debug_register(struct vcpu *vcpu, unsigned int number, uint32_t **found)
{
	if (number > 7)
		return fault_raise(vcpu, FAULT_UD);
	if (number == 4 || number == 5) {
		if (vcpu->cr4 & VCPU_CR4_DE)
			return fault_raise(vcpu, FAULT_UD);
		number += 2;
	}
	if (vcpu->debug[7] & DR7_GD) {
		vcpu->debug[6] |= DR6_BD;
		return fault_raise(vcpu, FAULT_DB);
	}
	*found = &vcpu->debug[number];
	return true;
}

bool control_write_debug(struct vcpu *vcpu, unsigned int number, uint32_t value)
{
	uint32_t *found;

	if (!find_debug_register(vcpu, number, &found))
		return false;
	if (found == &vcpu->debug[6])
		value = (value & DR6_WRITABLE) | DR6_FIXED;
	else if (found == &vcpu->debug[7])
		value = (value & DR7_WRITABLE) | DR7_FIXED;
	*found = value;
	/* Whether a page is buffered depends on what is watched. */
	linear_flush(vcpu, true);
	return true;
}

bool control_read_debug(struct vcpu *vcpu, unsigned int number, uint32_t *value)
{
	uint32_t *found;

	if (!find_debug_register(vcpu, number, &found))
		return false;
	*value = *found;
	return true;
}

static unsigned int iopl_of(const struct vcpu *vcpu)
{
	return (vcpu->eflags & VCPU_EFLAGS_IOPL) / (VCPU_EFLAGS_IOPL / 3);
}

static bool has_bitmap(const struct vcpu *vcpu)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | (VCPU_ATTRIBUTE_TYPE & ~TASK_TYPE_BUSY);

	return vcpu->tr.usable && (vcpu->tr.attributes & kind) == TASK_TYPE_32 &&
	       vcpu->tr.limit >= TASK_LAST_BYTE;
}

static bool read_task_word(struct vcpu *vcpu, uint32_t offset, uint16_t *word)
{
	return linear_read(vcpu, gva(vcpu->tr.base + offset), word, sizeof(*word),
	                   LINEAR_AS_SUPERVISOR);
}

/* The processor always reads two bytes of the map, so the limit must cover both, even where the
 * bits are all in the first. */
bool control_check_port(struct vcpu *vcpu, uint16_t port, unsigned int size)
{
	uint16_t map, bits;
	uint32_t offset;

	if (!(vcpu->eflags & VCPU_EFLAGS_VM) && vcpu->cpl <= iopl_of(vcpu))
		return true;
	if (!has_bitmap(vcpu))
		return refuse(vcpu);
	if (!read_task_word(vcpu, TASK_BITMAP_FIELD, &map))
		return false;
	offset = map + port / 8u;
	if (offset + 1 > vcpu->tr.limit)
		return refuse(vcpu);
	if (!read_task_word(vcpu, offset, &bits))
		return false;
	return !(bits >> port % 8 & ((1u << size) - 1)) || refuse(vcpu);
}

uint32_t control_merge_eflags(const struct vcpu *vcpu, uint32_t wanted, unsigned int size)
{
	uint32_t may_change = VCPU_EFLAGS_CF | VCPU_EFLAGS_PF | VCPU_EFLAGS_AF | VCPU_EFLAGS_ZF |
	                      VCPU_EFLAGS_SF | VCPU_EFLAGS_TF | VCPU_EFLAGS_DF | VCPU_EFLAGS_OF |
	                      VCPU_EFLAGS_NT;

	if (vcpu->cpl == 0)
		may_change |= VCPU_EFLAGS_IOPL;
	if (vcpu->cpl <= iopl_of(vcpu))
		may_change |= VCPU_EFLAGS_IF;
	if (size == 4)
		may_change |= VCPU_EFLAGS_RF | VCPU_EFLAGS_AC | VCPU_EFLAGS_ID;
	return (vcpu->eflags & ~may_change) | (wanted & may_change);
}
