#include "tests/monitor/instructions/run_bytes.h"

TEST(near_calls_and_returns)
{
	struct vcpu *vcpu = run_start();

	RUN(vcpu, 0xE8, 0xFB, 0x0F, 0, 0);
	CHECK_EQ(vcpu->eip, RUN_CODE + 0x1000);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4), RUN_CODE + 5);
	vcpu->registers[VCPU_ESP] = RUN_STACK - 4;
	RUN(vcpu, 0xC2, 0x08, 0x00);
	CHECK_EQ(vcpu->eip, RUN_CODE + 5);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK + 8);
	vcpu->registers[VCPU_EBX] = RUN_DATA;
	small_put32(&run_machine, RUN_DATA, 0x12345678);
	RUN(vcpu, 0xFF, 0x23); /* jmp [ebx] */
	CHECK_EQ(vcpu->eip, 0x12345678);
	RUN(vcpu, 0x66, 0xEB, 0xFE); /* a 16-bit jump cuts eip */
	CHECK_EQ(vcpu->eip, (RUN_CODE + 1) & 0xFFFF);
}

/* A 16-bit segment of 64 KB whose base is RUN_CODE. */
static struct vcpu *start_small_code(void)
{
	struct vcpu *vcpu = run_start();

	run_set_segment(vcpu, VCPU_CS, RUN_CODE16);
	return vcpu;
}

TEST(a_target_behind_the_limit_is_the_jumps_own_fault)
{
	struct vcpu *vcpu = start_small_code();

	vcpu->eip = 0x10;
	run_machine.ram[RUN_CODE + 0x10] = 0x66;
	memcpy(run_machine.ram + RUN_CODE + 0x11, (uint8_t[]){0xE8, 0, 0, 1, 0}, 5);
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK_EQ(vcpu->eip, RUN_HANDLERS + FAULT_GP * 16);
	CHECK_EQ(small_get32(&run_machine, vcpu->registers[VCPU_ESP] + 4), 0x10);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 16); /* nothing but the frame */
}

TEST(an_instruction_may_not_go_past_the_limit)
{
	struct vcpu *vcpu = start_small_code();

	run_machine.ram[RUN_CODE + 0xFFFF] = 0x90;
	vcpu->eip = 0xFFFF;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_COMPLETED);
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK_EQ(vcpu->eip, RUN_HANDLERS + FAULT_GP * 16);

	vcpu = start_small_code();
	memcpy(run_machine.ram + RUN_CODE + 0xFFFF, (uint8_t[]){0xB8, 0, 0}, 3);
	vcpu->eip = 0xFFFF;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK_EQ(vcpu->eip, RUN_HANDLERS + FAULT_GP * 16);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11111111);
}

TEST(an_instruction_across_a_missing_page_faults_there)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	run_change_page(vcpu, RUN_CODE + 0x1000, 0);
	run_machine.ram[RUN_CODE + 0xFFE] = 0xEB;
	run_machine.ram[RUN_CODE + 0xFFF] = 0xFE;
	vcpu->eip = RUN_CODE + 0xFFE;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_COMPLETED); /* ends with the page */
	CHECK_EQ(vcpu->eip, RUN_CODE + 0xFFE);
	run_machine.ram[RUN_CODE + 0xFFE] = 0xB8;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_PF, 0, RUN_CODE + 0xFFE));
	CHECK_EQ(vcpu->cr2, RUN_CODE + 0x1000);
}

TEST(loops_count_in_the_size_of_addresses)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_ECX] = 0x10001;
	vcpu->eflags |= VCPU_EFLAGS_ZF;
	RUN(vcpu, 0x67, 0xE2, 0x10);
	CHECK_EQ(vcpu->eip, RUN_CODE + 3);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x10000);
	RUN(vcpu, 0xE1, 0x10);
	CHECK_EQ(vcpu->eip, RUN_CODE + 0x12);
	RUN(vcpu, 0xE0, 0x10);
	CHECK_EQ(vcpu->eip, RUN_CODE + 2);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0xFFFE);
	RUN(vcpu, 0xE3, 0x10);
	CHECK_EQ(vcpu->eip, RUN_CODE + 2);
	vcpu->registers[VCPU_ECX] = 0x10000;
	RUN(vcpu, 0x67, 0xE3, 0x10);
	CHECK_EQ(vcpu->eip, RUN_CODE + 0x13);
}

TEST(software_interrupts_and_their_failures)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0xCD, 0x80), INTERPRET_COMPLETED);
	CHECK(run_faulted(vcpu, 0x80, -1, RUN_CODE + 2));
	vcpu = run_start();
	run_set_ring(vcpu, 3);
	RUN(vcpu, 0xCD, 0x80); /* the gate is for ring 0 */
	CHECK(run_faulted(vcpu, FAULT_GP, 0x80 * 8 + 2, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK0 - 24);
	vcpu = run_start();
	RUN(vcpu, 0xCE);
	CHECK_EQ(vcpu->eip, RUN_CODE + 1);
	vcpu->eflags |= VCPU_EFLAGS_OF;
	RUN(vcpu, 0xCE);
	CHECK(run_faulted(vcpu, FAULT_OF, -1, RUN_CODE + 1));
}

TEST(far_jumps_fault_before_they_move)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0xEA, 0x34, 0x12, 0, 0, RUN_CODE0, 0), INTERPRET_COMPLETED);
	CHECK_EQ(vcpu->eip, 0x1234);
	CHECK_EQ(RUN(vcpu, 0x9A, 0x34, 0x12, 0, 0, RUN_DATA0, 0), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_GP, RUN_DATA0, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 16);
}

TEST(bounds)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	small_put32(&run_machine, RUN_DATA, (uint32_t)-5);
	small_put32(&run_machine, RUN_DATA + 4, 5);
	vcpu->registers[VCPU_EAX] = (uint32_t)-5;
	CHECK_EQ(RUN(vcpu, 0x62, 0x03), INTERPRET_COMPLETED);
	vcpu->registers[VCPU_EAX] = 6;
	CHECK_EQ(RUN(vcpu, 0x62, 0x03), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_BR, -1, RUN_CODE));
}

TEST(division_faults_keep_registers)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBX] = 1;
	CHECK_EQ(RUN(vcpu, 0xF7, 0xF3), INTERPRET_DELIVERED); /* the quotient does not fit */
	CHECK(run_faulted(vcpu, FAULT_DE, -1, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11111111);
	CHECK_EQ(vcpu->registers[VCPU_EDX], 0x33333333);
}

TEST(code_that_changes_itself)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	vcpu->registers[VCPU_EAX] = 0;
	/* inc eax; mov byte [RUN_CODE + 9], 0x48 (dec eax); and there: inc eax */
	run_write(0x40, 0xC6, 0x05, 0x09, 0x00, 0x01, 0x00, 0x48, 0x90, 0x40, 0xF4);
	for (int round = 0; round < 2; round++) {
		run_machine.ram[RUN_CODE + 9] = 0x40;
		vcpu->registers[VCPU_EAX] = 0;
		vcpu->halted = false;
		vcpu->eip = RUN_CODE;
		for (int i = 0; i < 10 && !vcpu->halted; i++)
			interpret_run(vcpu, 100);
		CHECK(vcpu->halted);
		CHECK_EQ(vcpu->registers[VCPU_EAX], 0);
	}
}

TEST(many_at_once_are_as_many_steps)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	vcpu->registers[VCPU_ECX] = 100;
	run_write(0xE2, 0xFE, 0xFB, 0x90, 0xF4); /* loop to itself; sti; nop; hlt */
	interpret_step(vcpu);
	CHECK_EQ(interpret_run(vcpu, 50), 50);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 49);
	CHECK_EQ(interpret_run(vcpu, 1000), 50); /* to sti, which may let an interrupt in */
	CHECK_EQ(vcpu->eip, RUN_CODE + 3);
	CHECK(vcpu->interrupt_shadow);
	CHECK_EQ(vcpu->instructions, 101);
}

UNIT_MAIN
