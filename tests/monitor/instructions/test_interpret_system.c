#include "tests/monitor/instructions/run_bytes.h"

#include "monitor/instructions/decode.h"

TEST(the_interrupt_flag_and_its_shadow)
{
	struct vcpu *vcpu = run_start();

	RUN(vcpu, 0xFB);
	CHECK(vcpu->eflags & VCPU_EFLAGS_IF);
	CHECK(vcpu->interrupt_shadow);
	vcpu->interrupt_shadow = false;
	RUN(vcpu, 0xFB); /* was on already: no shadow */
	CHECK(!vcpu->interrupt_shadow);
	RUN(vcpu, 0xFA);
	CHECK(!(vcpu->eflags & VCPU_EFLAGS_IF));
	run_set_ring(vcpu, 3);
	CHECK_EQ(RUN(vcpu, 0xFA), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE));
	run_set_ring(vcpu, 3);
	vcpu->eflags |= VCPU_EFLAGS_IOPL;
	CHECK_EQ(RUN(vcpu, 0xFA), INTERPRET_COMPLETED);
}

TEST(a_stack_segment_holds_interrupts_for_one_instruction)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EAX] = RUN_DATA0;
	RUN(vcpu, 0x8E, 0xD0, 0xBC, 0x00, 0x00, 0x03, 0x00); /* mov ss, ax; mov esp, … */
	vcpu->nmi_pending = true;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_COMPLETED);
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_NMI, -1, RUN_CODE + 7));
}

TEST(halting_waits)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0xF4), INTERPRET_COMPLETED);
	CHECK(vcpu->halted);
	CHECK_EQ(interpret_step(vcpu), INTERPRET_HALTED);
	vcpu->nmi_pending = true;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK(!vcpu->halted);
	CHECK(run_faulted(vcpu, FAULT_NMI, -1, RUN_CODE + 1));
}

TEST(table_registers)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	small_put32(&run_machine, RUN_DATA, 0xABCD0123);
	small_put32(&run_machine, RUN_DATA + 4, 0x1234);
	RUN(vcpu, 0x0F, 0x01, 0x1B); /* lidt [ebx] */
	CHECK_EQ(vcpu->idtr.limit, 0x0123);
	CHECK_EQ(vcpu->idtr.base, 0x1234ABCD);
	RUN(vcpu, 0x66, 0x0F, 0x01, 0x1B);
	CHECK_EQ(vcpu->idtr.base, 0x34ABCD);
	RUN(vcpu, 0x0F, 0x01, 0x4B, 0x10); /* sidt [ebx + 16] */
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x10), 0xABCD0123);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x14), 0x34);
}

TEST(questions_about_selectors)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EAX] = RUN_SMALL;
	RUN(vcpu, 0x0F, 0x03, 0xC8); /* lsl ecx, eax */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0xFFF);
	CHECK(vcpu->eflags & VCPU_EFLAGS_ZF);
	vcpu->registers[VCPU_EAX] = 0x1000;
	RUN(vcpu, 0x0F, 0x02, 0xC8); /* lar ecx, eax */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0xFFF);
	CHECK(!(vcpu->eflags & VCPU_EFLAGS_ZF));
	vcpu->registers[VCPU_EAX] = RUN_RONLY;
	RUN(vcpu, 0x0F, 0x00, 0xE8); /* verw ax */
	CHECK(!(vcpu->eflags & VCPU_EFLAGS_ZF));
	RUN(vcpu, 0x0F, 0x00, 0xE0); /* verr ax */
	CHECK(vcpu->eflags & VCPU_EFLAGS_ZF);
	vcpu->registers[VCPU_ECX] = 3;
	RUN(vcpu, 0x63, 0xC8); /* arpl ax, cx */
	CHECK_EQ(vcpu->registers[VCPU_EAX], RUN_RONLY | 3);
	CHECK(vcpu->eflags & VCPU_EFLAGS_ZF);
}

TEST(debug_registers_that_are_aliases_or_not_there)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0x0F, 0x21, 0xE0), INTERPRET_COMPLETED); /* mov eax, dr4 */
	CHECK_EQ(vcpu->registers[VCPU_EAX], vcpu->debug[6]);
	vcpu->cr4 |= VCPU_CR4_DE;
	run_set_ring(vcpu, 3);
	CHECK_EQ(RUN(vcpu, 0x0F, 0x21, 0xE0), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_UD, -1, RUN_CODE));
}

TEST(watchpoints_are_told_of_behind_the_instruction)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	vcpu->registers[VCPU_EAX] = RUN_DATA + 2;
	RUN(vcpu, 0x0F, 0x23, 0xC0); /* mov dr0, eax */
	vcpu->registers[VCPU_EAX] = 0x00010001;
	RUN(vcpu, 0x0F, 0x23, 0xF8); /* mov dr7, eax: one byte, written */
	RUN(vcpu, 0xA1, 0x00, 0x00, 0x02, 0x00);
	CHECK_EQ(vcpu->eip, RUN_CODE + 5);
	RUN(vcpu, 0xC6, 0x05, 0x03, 0x00, 0x02, 0x00, 0x01); /* the byte beside it */
	CHECK_EQ(vcpu->eip, RUN_CODE + 7);
	RUN(vcpu, 0xA3, 0x00, 0x00, 0x02, 0x00);
	CHECK(run_faulted(vcpu, FAULT_DB, -1, RUN_CODE + 5));
	CHECK_EQ(vcpu->debug[6] & 0xF, 1);
}

TEST(what_the_processor_has_not_got)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0x0F, 0x05), INTERPRET_DELIVERED); /* syscall */
	CHECK(run_faulted(vcpu, FAULT_UD, -1, RUN_CODE));
	CHECK_EQ(RUN(vcpu, 0x0F, 0x38, 0xF0, 0x03), INTERPRET_DELIVERED); /* movbe */
	CHECK_EQ(RUN(vcpu, 0xF3, 0x0F, 0xBD, 0xC3), INTERPRET_COMPLETED); /* lzcnt is bsr */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 30);
}

/* Every row that says PRIVILEGED and that the guest's processor has is refused in ring 3. The rows
 * are found by decoding whatever begins like one. */
TEST(privileged_rows_fault_in_ring_3)
{
	unsigned int tried = 0;

	for (unsigned int code = 0; code < 0x20000; code++) {
		/* 0F xx modrm, or xx modrm */
		uint8_t bytes[16] = {0x0F, (uint8_t)(code >> 8), (uint8_t)code};
		struct instruction in;
		struct vcpu *vcpu;

		if (code >= 0x10000)
			memcpy(bytes, (uint8_t[]){(uint8_t)(code >> 8), (uint8_t)code}, 2);
		if (instruction_decode(bytes, sizeof(bytes), 32, &in) != DECODE_OK ||
		    !(instruction_opcode(&in)->class & CLASS_PRIVILEGED) ||
		    instruction_opcode(&in)->class & CLASS_UNDEFINED || in.prefixes || tried++ % 61)
			continue;
		vcpu = run_start();
		run_set_ring(vcpu, 3);
		run_write_bytes(bytes, sizeof(bytes));
		vcpu->eip = RUN_CODE;
		CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
		CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE) ||
		      run_faulted(vcpu, FAULT_UD, -1, RUN_CODE));
	}
	CHECK(tried > 1000);
}

static struct vcpu *start_v86(unsigned int iopl)
{
	struct vcpu *vcpu = run_start();

	for (int i = 0; i < VCPU_SEGMENTS; i++)
		segments_load_v86(vcpu, (enum vcpu_segment)i, 0x1000);
	vcpu->cpl = 3;
	vcpu->eflags = VCPU_EFLAGS_ONE | VCPU_EFLAGS_VM | iopl << 12;
	vcpu->registers[VCPU_ESP] = 0xFF00;
	return vcpu;
}

/* RUN_CODE is 1000:0000. */
static enum interpret_result step_v86(struct vcpu *vcpu, uint8_t opcode, uint8_t second)
{
	run_write(opcode, second, 0x00, 0x00);
	vcpu->eip = 0;
	return interpret_step(vcpu);
}

TEST(virtual_8086_mode_asks_for_iopl_3)
{
	static const uint8_t sensitive[] = {0xFA, 0xFB, 0x9C, 0x9D, 0xCF, 0xCD};

	for (size_t i = 0; i < sizeof(sensitive); i++) {
		struct vcpu *vcpu = start_v86(0);
		CHECK_EQ(step_v86(vcpu, sensitive[i], 0x80), INTERPRET_DELIVERED);
		CHECK_EQ(vcpu->eip, RUN_HANDLERS + FAULT_GP * 16);
	}
	struct vcpu *vcpu = start_v86(3);
	CHECK_EQ(step_v86(vcpu, 0x9C, 0), INTERPRET_COMPLETED);
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0xFEFE);
	vcpu = start_v86(3);
	CHECK_EQ(step_v86(vcpu, 0x63, 0xC0), INTERPRET_DELIVERED); /* arpl */
	CHECK_EQ(vcpu->eip, RUN_HANDLERS + FAULT_UD * 16);
}

UNIT_MAIN
