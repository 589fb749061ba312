/* The interpreter, which runs a guest's every instruction in our own address space when it has to:
 * the first bytes choose mode, flags and segments, the rest is code.
 *
 * Nothing goes out of bounds, and the processor obeys the rules of rings after every step. */
#include "monitor/cpu/identity.h"
#include "tests/fuzz/lawful.h"
#include "tests/monitor/instructions/run_bytes.h"

#define STEPS 400
#define FLAGS                                                                                   \
	(VCPU_EFLAGS_TF | VCPU_EFLAGS_IF | VCPU_EFLAGS_DF | VCPU_EFLAGS_IOPL | VCPU_EFLAGS_NT | \
	 VCPU_EFLAGS_RF | VCPU_EFLAGS_AC)

static uint8_t unit_memory[512 + 64] __attribute__((aligned(16)));

static uint8_t unit_run(struct vm_unit_run *run)
{
	MUST(run->length <= sizeof(run->code));
	return VM_UNIT_NO_FAULT;
}

static uint8_t acknowledge(struct vm *vm)
{
	vm->interrupt_waits = false;
	return 0x20;
}

static struct vcpu *start(struct fuzz_input *input)
{
	static const struct vm_unit unit = {
	        .memory = unit_memory, .address = 0x00ABC000, .code = 0xFFD00000, .run = unit_run};
	struct vcpu *vcpu = run_start();
	uint8_t mode = fuzz_take8(input);

	identity_start(&(struct identity_host){true, true, true, true, true});
	run_machine.vm.unit = &unit;
	run_machine.vm.acknowledge_interrupt = acknowledge;
	run_machine.vm.interrupt_waits = mode & 8;
	vcpu->cr4 = VCPU_CR4_OSFXSR;
	if (mode & 1)
		run_paging(vcpu);
	if (mode & 2)
		run_set_ring(vcpu, 3);
	if (mode & 4)
		run_set_segment(vcpu, VCPU_DS, mode & 2 ? RUN_DATA3 : RUN_SMALL);
	vcpu->eflags = VCPU_EFLAGS_ONE | ((uint32_t)fuzz_take16(input) << 4 & FLAGS);
	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		if (mode & 0x10 && i != VCPU_ESP)
			vcpu->registers[i] = RUN_DATA + (uint32_t)(int8_t)fuzz_take8(input);
	return vcpu;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct vcpu *vcpu = start(&input);

	run_write_bytes(input.at, input.left < 0x1000 ? input.left : 0x1000);
	for (unsigned int i = 0; i < STEPS; i++) {
		enum interpret_result result = interpret_step(vcpu);
		if (result == INTERPRET_ENDED || result == INTERPRET_HALTED)
			break;
		lawful_processor(vcpu);
	}
	return 0;
}
