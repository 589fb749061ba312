#include "tests/monitor/instructions/run_bytes.h"

TEST(registers_of_every_size)
{
	struct vcpu *vcpu = run_start();

	CHECK_EQ(RUN(vcpu, 0xB8, 0x78, 0x56, 0x34, 0x12), INTERPRET_COMPLETED);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x12345678);
	RUN(vcpu, 0xB4, 0xAA);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x1234AA78);
	RUN(vcpu, 0x66, 0xB8, 0x01, 0x02);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x12340201);
	RUN(vcpu, 0x88, 0xE3); /* mov bl, ah */
	CHECK_EQ(vcpu->registers[VCPU_EBX], 0x44444402);
	RUN(vcpu, 0x0F, 0xBE, 0xD7); /* movsx edx, bh */
	CHECK_EQ(vcpu->registers[VCPU_EDX], 0x44);
	RUN(vcpu, 0x0F, 0xB7, 0xC8); /* movzx ecx, ax */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x0201);
	CHECK_EQ(vcpu->eip, RUN_CODE + 3);
}

TEST(memory_by_every_kind_of_address)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	vcpu->registers[VCPU_ESI] = 4;
	small_put32(&run_machine, RUN_DATA + 0x1C, 0xCAFEBABE);
	RUN(vcpu, 0x8B, 0x44, 0xB3, 0x0C); /* mov eax, [ebx + esi*4 + 12] */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0xCAFEBABE);
	RUN(vcpu, 0xA2, 0x00, 0x00, 0x02, 0x00); /* mov [RUN_DATA], al */
	CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0xBE);
	run_set_segment(vcpu, VCPU_DS, RUN_SMALL);
	vcpu->registers[VCPU_EBX] = 0xFFFF0010;
	RUN(vcpu, 0x67, 0x66, 0x89, 0x40, 0x06); /* mov [bx + si + 6], ax */
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x1A), 0xBABEBABE);
	RUN(vcpu, 0x67, 0x8D, 0x47, 0xFF); /* lea eax, [bx - 1] */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x0F);
}

TEST(limits_and_rights_of_segments)
{
	struct vcpu *vcpu = run_start();

	run_set_segment(vcpu, VCPU_DS, RUN_SMALL);
	CHECK_EQ(RUN(vcpu, 0xA1, 0xFC, 0x0F, 0x00, 0x00), INTERPRET_COMPLETED);
	CHECK_EQ(RUN(vcpu, 0xA1, 0xFD, 0x0F, 0x00, 0x00), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE));

	vcpu = run_start();
	run_set_segment(vcpu, VCPU_DS, RUN_RONLY);
	CHECK_EQ(RUN(vcpu, 0xA3, 0x00, 0x00, 0x00, 0x00), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE));

	vcpu = run_start();
	run_set_segment(vcpu, VCPU_SS, RUN_SMALL);
	vcpu->registers[VCPU_EBP] = 0xFFE;
	RUN(vcpu, 0x8B, 0x45, 0x00); /* mov eax, [ebp]: ss is as small */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11111111);
}

TEST(a_fault_of_a_write_says_write_even_when_it_reads_first)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	run_change_page(vcpu, RUN_DATA, BIT_P | BIT_US);
	vcpu->registers[VCPU_EBX] = RUN_DATA;
	vcpu->eflags |= VCPU_EFLAGS_CF;
	CHECK_EQ(RUN(vcpu, 0x11, 0x03), INTERPRET_DELIVERED); /* adc [ebx], eax */
	CHECK(run_faulted(vcpu, FAULT_PF, 3, RUN_CODE));
	CHECK_EQ(vcpu->cr2, RUN_DATA);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4) & 0x8D5, VCPU_EFLAGS_CF);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0);
}

TEST(an_exchange_that_faults_changes_nothing)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	run_change_page(vcpu, RUN_DATA + 0x1000, 0);
	vcpu->registers[VCPU_EBX] = RUN_DATA + 0xFFE;
	small_put32(&run_machine, RUN_DATA + 0xFFC, 0x55AA55AA);
	CHECK_EQ(RUN(vcpu, 0x87, 0x03), INTERPRET_DELIVERED); /* xchg [ebx], eax */
	CHECK(run_faulted(vcpu, FAULT_PF, 2, RUN_CODE));
	CHECK_EQ(vcpu->cr2, RUN_DATA + 0x1000);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11111111);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0xFFC), 0x55AA55AA);
}

TEST(pushes_and_pops)
{
	struct vcpu *vcpu = run_start();

	RUN(vcpu, 0x54); /* push esp: its old value */
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4), RUN_STACK);
	RUN(vcpu, 0x6A, 0xFE);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 8), 0xFFFFFFFE);
	RUN(vcpu, 0x66, 0x68, 0x34, 0x12);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 10);
	RUN(vcpu, 0x66, 0x5A);
	CHECK_EQ(vcpu->registers[VCPU_EDX], 0x33331234);
	RUN(vcpu, 0x8F, 0x44, 0x24, 0x10); /* pop [esp + 16], with the ESP after the pop */
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4 + 0x10), 0xFFFFFFFE);
	RUN(vcpu, 0x5C);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK);
}

TEST(a_pop_to_where_nobody_may_write_leaves_the_stack_alone)
{
	struct vcpu *vcpu = run_start();

	run_set_segment(vcpu, VCPU_DS, RUN_RONLY);
	CHECK_EQ(RUN(vcpu, 0x8F, 0x05, 0, 0, 0, 0), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 16);
}

TEST(all_registers_at_once)
{
	struct vcpu *vcpu = run_start();

	RUN(vcpu, 0x60);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 32);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 20), RUN_STACK);
	memset(vcpu->registers, 0, 4 * 4);
	RUN(vcpu, 0x61);
	CHECK_EQ(vcpu->registers[VCPU_EBX], 0x44444444);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK);

	/* The last of the eight does not fit. */
	run_set_segment(vcpu, VCPU_SS, RUN_SMALL);
	vcpu->registers[VCPU_ESP] = 28;
	vcpu->idtr.limit = 0;
	CHECK_EQ(RUN(vcpu, 0x60), INTERPRET_ENDED);
	CHECK_EQ(vcpu->registers[VCPU_ESP], 28);
}

TEST(frames_of_nested_procedures)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBP] = RUN_STACK + 0x100;
	small_put32(&run_machine, RUN_STACK + 0xFC, 0xABCD);
	RUN(vcpu, 0xC8, 0x10, 0x00, 0x02); /* enter 16, 2 */
	CHECK_EQ(vcpu->registers[VCPU_EBP], RUN_STACK - 4);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK - 12 - 16);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4), RUN_STACK + 0x100);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 8), 0xABCD);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 12), RUN_STACK - 4);
	RUN(vcpu, 0xC9);
	CHECK_EQ(vcpu->registers[VCPU_EBP], RUN_STACK + 0x100);
	CHECK_EQ(vcpu->registers[VCPU_ESP], RUN_STACK);
}

TEST(segment_registers)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EAX] = RUN_SMALL;
	CHECK_EQ(RUN(vcpu, 0x8E, 0xC0), INTERPRET_COMPLETED); /* mov es, ax */
	CHECK_EQ(vcpu->segments[VCPU_ES].base, RUN_DATA);
	RUN(vcpu, 0x8C, 0xC1); /* mov ecx, es */
	CHECK_EQ(vcpu->registers[VCPU_ECX], RUN_SMALL);
	RUN(vcpu, 0x06);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4), RUN_SMALL);
	RUN(vcpu, 0x0F, 0xA1); /* pop fs */
	CHECK_EQ(vcpu->segments[VCPU_FS].selector, RUN_SMALL);
	vcpu->registers[VCPU_EAX] = 0x1000;
	CHECK_EQ(RUN(vcpu, 0x8E, 0xE8), INTERPRET_DELIVERED); /* mov gs, ax: behind the table */
	CHECK(run_faulted(vcpu, FAULT_GP, 0x1000, RUN_CODE));
	CHECK_EQ(vcpu->segments[VCPU_GS].selector, RUN_DATA0);
}

TEST(a_far_pointer_loads_both_or_neither)
{
	struct vcpu *vcpu = run_start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	small_put32(&run_machine, RUN_DATA, 0x12345678);
	small_put32(&run_machine, RUN_DATA + 4, RUN_SMALL);
	RUN(vcpu, 0xC4, 0x0B); /* les ecx, [ebx] */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x12345678);
	CHECK_EQ(vcpu->segments[VCPU_ES].selector, RUN_SMALL);
	small_put32(&run_machine, RUN_DATA + 4, RUN_TSS);
	CHECK_EQ(RUN(vcpu, 0x0F, 0xB4, 0x13), INTERPRET_DELIVERED); /* lfs edx, [ebx] */
	CHECK(run_faulted(vcpu, FAULT_GP, RUN_TSS, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_EDX], 0x33333333);
}

TEST(flags_through_the_stack)
{
	struct vcpu *vcpu = run_start();

	vcpu->eflags = VCPU_EFLAGS_ONE | VCPU_EFLAGS_RF | VCPU_EFLAGS_ZF;
	RUN(vcpu, 0x9C);
	CHECK_EQ(small_get32(&run_machine, RUN_STACK - 4), VCPU_EFLAGS_ONE | VCPU_EFLAGS_ZF);
	small_put32(&run_machine, RUN_STACK - 4, VCPU_EFLAGS_IOPL | VCPU_EFLAGS_IF);
	RUN(vcpu, 0x9D);
	CHECK_EQ(vcpu->eflags, VCPU_EFLAGS_ONE | VCPU_EFLAGS_IOPL | VCPU_EFLAGS_IF);
	run_set_ring(vcpu, 3);
	vcpu->eflags = VCPU_EFLAGS_ONE | VCPU_EFLAGS_IF;
	vcpu->registers[VCPU_ESP] = RUN_STACK - 4;
	small_put32(&run_machine, RUN_STACK - 4, VCPU_EFLAGS_IOPL | VCPU_EFLAGS_CF);
	CHECK_EQ(RUN(vcpu, 0x9D), INTERPRET_COMPLETED);
	CHECK_EQ(vcpu->eflags, VCPU_EFLAGS_ONE | VCPU_EFLAGS_IF | VCPU_EFLAGS_CF);
}

UNIT_MAIN
