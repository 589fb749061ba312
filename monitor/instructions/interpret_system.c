#include "monitor/instructions/interpret_system.h"

#include "monitor/cpu/control.h"
#include "monitor/cpu/identity.h"
#include "monitor/devices/bus.h"
#include "monitor/memory/watchpoints.h"
#include "monitor/state/vm.h"

#define RPL_MASK      3u
#define MSR_TSC       0x10u
#define SHORT_ADDRESS 0x00FFFFFFu /* what lgdt and lidt load of the base with 16-bit operands */

bool interpret_mov_to_control(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_ring0(vcpu) &&
	       control_write_cr(vcpu, in->operands[0].number,
	                        vcpu->registers[in->operands[1].number]);
}

bool interpret_mov_from_control(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_ring0(vcpu) &&
	       control_read_cr(vcpu, in->operands[1].number,
	                       &vcpu->registers[in->operands[0].number]);
}

/* With CR4.DE there are no DR4 and DR5, whoever asks. */
static bool require_debug_register(struct vcpu *vcpu, unsigned int number)
{
	if ((vcpu->cr4 & VCPU_CR4_DE) && (number == 4 || number == 5))
		return fault_raise(vcpu, FAULT_UD);
	return interpret_require_ring0(vcpu);
}

bool interpret_mov_to_debug(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int number = in->operands[0].number;

	return require_debug_register(vcpu, number) &&
	       control_write_debug(vcpu, number, vcpu->registers[in->operands[1].number]);
}

bool interpret_mov_from_debug(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int number = in->operands[1].number;

	return require_debug_register(vcpu, number) &&
	       control_read_debug(vcpu, number, &vcpu->registers[in->operands[0].number]);
}

bool interpret_clts(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	if (!interpret_require_ring0(vcpu))
		return false;
	vcpu->cr0 &= ~VCPU_CR0_TS;
	return true;
}

bool interpret_smsw(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_set(vcpu, in, 0, vcpu->cr0);
}

bool interpret_lmsw(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	return interpret_require_ring0(vcpu) && interpret_get(vcpu, in, 0, &value) &&
	       control_load_machine_status(vcpu, (uint16_t)value);
}

static bool store_table(struct vcpu *vcpu, const struct instruction *in,
                        const struct vcpu_table *table)
{
	uint8_t image[6];

	__builtin_memcpy(image, &table->limit, 2);
	__builtin_memcpy(image + 2, &table->base, 4);
	return interpret_write(vcpu, in->memory.segment, interpret_offset(vcpu, in), image,
	                       sizeof(image));
}

static bool load_table(struct vcpu *vcpu, const struct instruction *in, struct vcpu_table *table)
{
	uint8_t image[6];

	if (!interpret_require_ring0(vcpu) ||
	    !interpret_read(vcpu, in->memory.segment, interpret_offset(vcpu, in), image,
	                    sizeof(image)))
		return false;
	vcpu->loads++;
	__builtin_memcpy(&table->limit, image, 2);
	__builtin_memcpy(&table->base, image + 2, 4);
	if (in->operand_size == 2)
		table->base &= SHORT_ADDRESS;
	return true;
}

bool interpret_sgdt(struct vcpu *vcpu, const struct instruction *in)
{
	return store_table(vcpu, in, &vcpu->gdtr);
}

bool interpret_sidt(struct vcpu *vcpu, const struct instruction *in)
{
	return store_table(vcpu, in, &vcpu->idtr);
}

bool interpret_lgdt(struct vcpu *vcpu, const struct instruction *in)
{
	return load_table(vcpu, in, &vcpu->gdtr);
}

bool interpret_lidt(struct vcpu *vcpu, const struct instruction *in)
{
	return load_table(vcpu, in, &vcpu->idtr);
}

bool interpret_sldt(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_protected(vcpu) && interpret_set(vcpu, in, 0, vcpu->ldtr.selector);
}

bool interpret_str(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_protected(vcpu) && interpret_set(vcpu, in, 0, vcpu->tr.selector);
}

bool interpret_lldt(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t selector;

	return interpret_require_protected(vcpu) && interpret_require_ring0(vcpu) &&
	       interpret_get(vcpu, in, 0, &selector) && segments_load_ldt(vcpu, (uint16_t)selector);
}

bool interpret_ltr(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t selector;

	return interpret_require_protected(vcpu) && interpret_require_ring0(vcpu) &&
	       interpret_get(vcpu, in, 0, &selector) &&
	       segments_load_task(vcpu, (uint16_t)selector);
}

static void set_zero_flag(struct vcpu *vcpu, bool on)
{
	vcpu->eflags = (vcpu->eflags & ~VCPU_EFLAGS_ZF) | (on ? VCPU_EFLAGS_ZF : 0);
}

/* lar and lsl: an answer in a register, or none and a clear ZF. */
static bool query(struct vcpu *vcpu, const struct instruction *in,
                  bool (*answer)(struct vcpu *, uint16_t, bool *, uint32_t *))
{
	uint32_t selector, value = 0;
	bool good = false;

	if (!interpret_require_protected(vcpu) || !interpret_get(vcpu, in, 1, &selector) ||
	    !answer(vcpu, (uint16_t)selector, &good, &value))
		return false;
	set_zero_flag(vcpu, good);
	return !good || interpret_set(vcpu, in, 0, value);
}

bool interpret_lar(struct vcpu *vcpu, const struct instruction *in)
{
	return query(vcpu, in, segments_query_rights);
}

bool interpret_lsl(struct vcpu *vcpu, const struct instruction *in)
{
	return query(vcpu, in, segments_query_limit);
}

static bool verify(struct vcpu *vcpu, const struct instruction *in, bool write)
{
	uint32_t selector;
	bool good = false;

	if (!interpret_require_protected(vcpu) || !interpret_get(vcpu, in, 0, &selector) ||
	    !segments_query_access(vcpu, (uint16_t)selector, write, &good))
		return false;
	set_zero_flag(vcpu, good);
	return true;
}

bool interpret_verr(struct vcpu *vcpu, const struct instruction *in)
{
	return verify(vcpu, in, false);
}

bool interpret_verw(struct vcpu *vcpu, const struct instruction *in)
{
	return verify(vcpu, in, true);
}

bool interpret_arpl(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t selector, other;
	bool lower;
	gva_t at;

	if (!interpret_require_protected(vcpu) || !interpret_get(vcpu, in, 1, &other) ||
	    !interpret_open(vcpu, in, &at, &selector))
		return false;
	lower = (selector & RPL_MASK) < (other & RPL_MASK);
	if (lower && !interpret_close(vcpu, in, at, (selector & ~RPL_MASK) | (other & RPL_MASK)))
		return false;
	set_zero_flag(vcpu, lower);
	return true;
}

/* In virtual-8086 mode CPL is 3, so the same comparison asks for IOPL 3 there. */
static bool require_interrupt_flag(struct vcpu *vcpu)
{
	return vcpu->cpl <= interpret_iopl(vcpu) || fault_raise_with_error(vcpu, FAULT_GP, 0);
}

bool interpret_cli(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	if (!require_interrupt_flag(vcpu))
		return false;
	vcpu->eflags &= ~VCPU_EFLAGS_IF;
	return true;
}

/* Interrupts that were off stay off for one instruction more. */
bool interpret_sti(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	if (!require_interrupt_flag(vcpu))
		return false;
	vcpu->interrupt_shadow |= !(vcpu->eflags & VCPU_EFLAGS_IF);
	vcpu->eflags |= VCPU_EFLAGS_IF;
	return true;
}

bool interpret_hlt(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	if (!interpret_require_ring0(vcpu))
		return false;
	vcpu->halted = true;
	return true;
}

/* The address is not checked against the segment, and need not be mapped. */
bool interpret_invlpg(struct vcpu *vcpu, const struct instruction *in)
{
	if (!interpret_require_ring0(vcpu))
		return false;
	linear_flush_page(
	        vcpu, gva(vcpu->segments[in->memory.segment].base + interpret_offset(vcpu, in)));
	return true;
}

/* Caches do not show. */
bool interpret_wbinvd(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return interpret_require_ring0(vcpu);
}

bool interpret_cpuid(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	identity_cpuid(vcpu);
	return true;
}

static void set_edx_eax(struct vcpu *vcpu, uint64_t value)
{
	vcpu->registers[VCPU_EAX] = (uint32_t)value;
	vcpu->registers[VCPU_EDX] = (uint32_t)(value >> 32);
}

bool interpret_rdtsc(struct vcpu *vcpu, const struct instruction *in)
{
	uint64_t value;

	(void)in;
	if ((vcpu->cr4 & VCPU_CR4_TSD) && !interpret_require_ring0(vcpu))
		return false;
	if (!identity_read_msr(vcpu, MSR_TSC, &value))
		return false;
	set_edx_eax(vcpu, value);
	return true;
}

/* There are no counters, so no number of one is right. */
bool interpret_rdpmc(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return fault_raise_with_error(vcpu, FAULT_GP, 0);
}

bool interpret_rdmsr(struct vcpu *vcpu, const struct instruction *in)
{
	uint64_t value;

	(void)in;
	if (!interpret_require_ring0(vcpu) ||
	    !identity_read_msr(vcpu, vcpu->registers[VCPU_ECX], &value))
		return false;
	set_edx_eax(vcpu, value);
	return true;
}

bool interpret_wrmsr(struct vcpu *vcpu, const struct instruction *in)
{
	const uint32_t *registers = vcpu->registers;

	(void)in;
	return interpret_require_ring0(vcpu) &&
	       identity_write_msr(vcpu, registers[VCPU_ECX],
	                          (uint64_t)registers[VCPU_EDX] << 32 | registers[VCPU_EAX]);
}

/* A port is given by an immediate byte or by DX; never sign-extended. */
bool interpret_in(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int size = in->operands[0].size;
	struct vm *vm = vcpu->vm;
	uint32_t port, stirred, value;

	if (!interpret_get(vcpu, in, 1, &port) || !control_check_port(vcpu, (uint16_t)port, size))
		return false;
	watchpoints_note_port(vcpu, (uint16_t)port, size);
	stirred = vm->bus->stirred;
	value = bus_read(vm->bus, vm->read_time(vm), (uint16_t)port, size);
	vm->device_accesses += vm->bus->stirred != stirred;
	return interpret_set(vcpu, in, 0, value);
}

bool interpret_out(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int size = in->operands[1].size;
	struct vm *vm = vcpu->vm;
	uint32_t port, stirred;

	if (!interpret_get(vcpu, in, 0, &port) || !control_check_port(vcpu, (uint16_t)port, size))
		return false;
	watchpoints_note_port(vcpu, (uint16_t)port, size);
	stirred = vm->bus->stirred;
	bus_write(vm->bus, vm->read_time(vm), (uint16_t)port, size,
	          interpret_get_register(vcpu, VCPU_EAX, size));
	vm->device_accesses += vm->bus->stirred != stirred;
	return true;
}
