#include "monitor/cpu/identity.h"

#include "monitor/devices/local_apic.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/page_walk.h"
#include "monitor/state/fault.h"
#include "monitor/state/vm.h"

#define LAST_BASIC_LEAF 7u /* it alone has parts, by ECX; there is but one */
#define SIGNATURE_LEAF  1u

#define MSR_TSC          0x10u
#define MSR_APIC_BASE    0x1Bu
#define MSR_TSC_ADJUST   0x3Bu
#define MSR_MICROCODE    0x8Bu
#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_MCG_CAP      0x179u
#define MSR_MCG_STATUS   0x17Au
#define MSR_PAT          0x277u
#define MSR_EFER         0xC0000080u

#define MCG_STATUS_BITS 0x7u

enum leaf_register { LEAF_eax, LEAF_ebx, LEAF_ecx, LEAF_edx, LEAF_REGISTERS };

struct leaf {
	uint32_t number;
	uint32_t registers[LEAF_REGISTERS];
};

struct feature {
	uint32_t leaf;
	enum leaf_register reg;
	unsigned int bit;
};

static const struct leaf leaves[] = {
#define CPUID_LEAF(leaf, eax, ebx, ecx, edx, what) {leaf, {eax, ebx, ecx, edx}},
#include "monitor/cpu/cpuid.def"
};

static const struct feature features[IDENTITY_FEATURES] = {
#define CPUID_FEATURE(name, leaf, reg, bit, seen, why) {leaf, LEAF_##reg, bit},
#include "monitor/cpu/cpuid.def"
};

static struct identity_host real;

void identity_start(const struct identity_host *host)
{
	real = *host;
}

bool identity_has(enum identity_feature feature)
{
	const struct identity_host *host = &real;
	const bool seen[IDENTITY_FEATURES] = {
#define CPUID_FEATURE(name, leaf, reg, bit, is_seen, why) is_seen,
#include "monitor/cpu/cpuid.def"
	};

	return seen[feature];
}

/* A leaf that does not exist is answered with the last basic one, as Intel's parts do. */
static struct leaf find_leaf(uint32_t number)
{
	struct leaf last = {0, {0}};

	for (unsigned int i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		if (leaves[i].number == number)
			return leaves[i];
		if (leaves[i].number == LAST_BASIC_LEAF)
			last = leaves[i];
	}
	return last;
}

uint32_t identity_signature(void)
{
	return find_leaf(SIGNATURE_LEAF).registers[LEAF_eax];
}

uint32_t identity_cr4_bits(void)
{
	uint32_t bits = VCPU_CR4_TSD | VCPU_CR4_DE | VCPU_CR4_PSE | VCPU_CR4_PAE | VCPU_CR4_MCE |
	                VCPU_CR4_PGE;

	if (identity_has(IDENTITY_FXSR))
		bits |= VCPU_CR4_OSFXSR;
	if (identity_has(IDENTITY_SSE))
		bits |= VCPU_CR4_OSXMMEXCPT;
	return bits;
}

/* Other bits are the processor's own; this one depends on the machine it sits in. */
static bool is_offered(const struct vcpu *vcpu, enum identity_feature feature)
{
	const struct local_apic *apic = vcpu->vm->local_apic;

	if (feature == IDENTITY_APIC && !(apic && apic->base & LOCAL_APIC_ENABLED))
		return false;
	return identity_has(feature);
}

void identity_cpuid(struct vcpu *vcpu)
{
	struct leaf leaf = find_leaf(vcpu->registers[VCPU_EAX]);
	bool is_part = leaf.number != LAST_BASIC_LEAF || !vcpu->registers[VCPU_ECX];

	for (unsigned int i = 0; i < IDENTITY_FEATURES; i++)
		if (is_part && features[i].leaf == leaf.number &&
		    is_offered(vcpu, (enum identity_feature)i))
			leaf.registers[features[i].reg] |= 1u << features[i].bit;
	vcpu->registers[VCPU_EAX] = leaf.registers[LEAF_eax];
	vcpu->registers[VCPU_EBX] = leaf.registers[LEAF_ebx];
	vcpu->registers[VCPU_ECX] = leaf.registers[LEAF_ecx];
	vcpu->registers[VCPU_EDX] = leaf.registers[LEAF_edx];
}

static bool refuse(struct vcpu *vcpu)
{
	return fault_raise_with_error(vcpu, FAULT_GP, 0);
}

static bool read_apic_base(struct vcpu *vcpu, uint64_t *value)
{
	if (!vcpu->vm->local_apic)
		return refuse(vcpu);
	*value = vcpu->vm->local_apic->base;
	return true;
}

static bool write_apic_base(struct vcpu *vcpu, uint64_t value)
{
	struct vm *vm = vcpu->vm;

	if (!vm->local_apic || !local_apic_set_base(vm->local_apic, vm->read_time(vm), value))
		return refuse(vcpu);
	return true;
}

bool identity_read_msr(struct vcpu *vcpu, uint32_t number, uint64_t *value)
{
	switch (number) {
	case MSR_TSC:
		*value = vcpu->vm->read_tsc(vcpu->vm) + vcpu->tsc_offset;
		return true;
	case MSR_APIC_BASE:
		return read_apic_base(vcpu, value);
	case MSR_TSC_ADJUST:
		*value = vcpu->tsc_adjust;
		return true;
	case MSR_MICROCODE:
		*value = 0;
		return true;
	case MSR_SYSENTER_CS:
		*value = vcpu->sysenter_cs;
		return true;
	case MSR_SYSENTER_ESP:
		*value = vcpu->sysenter_esp;
		return true;
	case MSR_SYSENTER_EIP:
		*value = vcpu->sysenter_eip;
		return true;
	case MSR_MCG_CAP:
		*value = 0; /* no bank */
		return true;
	case MSR_MCG_STATUS:
		*value = vcpu->machine_check_status;
		return true;
	case MSR_PAT:
		*value = vcpu->pat;
		return true;
	case MSR_EFER:
		*value = vcpu->efer;
		return true;
	default:
		return refuse(vcpu);
	}
}

/* Eight types, one a byte: 2 and 3 are reserved, and so is everything above 7. */
static bool is_good_pat(uint64_t value)
{
	for (; value; value >>= 8) {
		unsigned int type = value & 0xFF;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool write_machine_check_status(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~(uint64_t)MCG_STATUS_BITS)
		return refuse(vcpu);
	vcpu->machine_check_status = (uint8_t)value;
	return true;
}

static bool write_pat(struct vcpu *vcpu, uint64_t value)
{
	if (!is_good_pat(value))
		return refuse(vcpu);
	vcpu->pat = value;
	return true;
}

/* The rights in the translation buffer were worked out with the old value. */
static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~(uint64_t)(identity_has(IDENTITY_NX) ? VCPU_EFER_NXE : 0))
		return refuse(vcpu);
	vcpu->efer = value;
	linear_flush(vcpu, true);
	return true;
}

/* By either of two registers, and the second one tells how far in all. */
static void move_tsc(struct vcpu *vcpu, uint64_t by)
{
	vcpu->tsc_offset += by;
	vcpu->tsc_adjust += by;
}

bool identity_write_msr(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
	switch (number) {
	case MSR_TSC:
		move_tsc(vcpu, value - vcpu->vm->read_tsc(vcpu->vm) - vcpu->tsc_offset);
		return true;
	case MSR_TSC_ADJUST:
		move_tsc(vcpu, value - vcpu->tsc_adjust);
		return true;
	case MSR_APIC_BASE:
		return write_apic_base(vcpu, value);
	case MSR_MICROCODE:
		/* Written before CPUID leaf 1 to ask for the revision; there is never any. */
		return true;
	case MSR_SYSENTER_CS:
		vcpu->sysenter_cs = (uint32_t)value;
		return true;
	case MSR_SYSENTER_ESP:
		vcpu->sysenter_esp = (uint32_t)value;
		return true;
	case MSR_SYSENTER_EIP:
		vcpu->sysenter_eip = (uint32_t)value;
		return true;
	case MSR_MCG_STATUS:
		return write_machine_check_status(vcpu, value);
	case MSR_PAT:
		return write_pat(vcpu, value);
	case MSR_EFER:
		return write_efer(vcpu, value);
	default:
		return refuse(vcpu);
	}
}
