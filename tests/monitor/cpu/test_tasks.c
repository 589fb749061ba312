#include "tests/monitor/cpu/rings.h"

static struct small_machine machine;

#define NEXT_EIP 0x600u

/* Offsets in a 32-bit TSS, as the manual has them. */
enum {
	T_CR3 = 28,
	T_EIP = 32,
	T_EFLAGS = 36,
	T_EAX = 40,
	T_ESP = 56,
	T_ES = 72,
	T_LDT = 96,
	T_TRAP = 100
};

static void put_next(uint32_t field, uint32_t value)
{
	small_put32(&machine, AT_TSS_NEXT + field, value);
}

static uint32_t get_old(uint32_t field)
{
	return small_get32(&machine, AT_TSS + field);
}

/* TSS_NEXT is a good task of ring 0. */
static struct vcpu *start(void)
{
	struct vcpu *vcpu = start_kernel(&machine);

	put_next(T_EIP, NEXT_EIP);
	put_next(T_EFLAGS, 0x202);
	for (uint32_t i = 0; i < 8; i++)
		put_next(T_EAX + 4 * i, 0x1000 + i);
	put_next(T_ESP, KERNEL_STACK);
	for (uint32_t i = 0; i < 6; i++)
		put_next(T_ES + 4 * i, i == VCPU_CS ? KERNEL_CODE : KERNEL_DATA);
	return vcpu;
}

static uint8_t type_of(uint16_t selector)
{
	return machine.ram[AT_GDT + selector + 5] & 0xF;
}

TEST(a_jump_saves_and_loads_everything)
{
	struct vcpu *vcpu = start();

	vcpu->registers[VCPU_EDI] = 0x77;
	vcpu->eflags |= VCPU_EFLAGS_CF;
	vcpu->debug[7] |= 0x3FF;
	small_put32(&machine, AT_TSS + T_ES, 0xABCD0000);
	CHECK(transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK_EQ(get_old(T_EIP), BEGIN);
	CHECK_EQ(get_old(T_EFLAGS), 3);
	CHECK_EQ(get_old(T_ESP), KERNEL_STACK);
	CHECK_EQ(get_old(T_EAX + 28), 0x77);
	CHECK_EQ(get_old(T_ES), 0xABCD0000 | KERNEL_DATA);
	CHECK_EQ(get_old(T_ES + 4), KERNEL_CODE);
	CHECK_EQ(vcpu->eip, NEXT_EIP);
	CHECK_EQ(vcpu->eflags, 0x202);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x1001);
	CHECK_EQ(vcpu->registers[VCPU_EDI], 0x1007);
	CHECK(vcpu->segments[VCPU_GS].usable);
	CHECK_EQ(vcpu->tr.selector, TSS_NEXT);
	CHECK_EQ(vcpu->cr0 & VCPU_CR0_TS, VCPU_CR0_TS);
	CHECK_EQ(vcpu->debug[7] & 0x3FF, 0x2AA);
	CHECK_EQ(type_of(TSS), 9);
	CHECK_EQ(type_of(TSS_NEXT), 11);
}

TEST(a_call_nests_and_iret_goes_back)
{
	struct vcpu *vcpu = start();

	CHECK(transfer_far_call(vcpu, TASK_GATE, 0, 4));
	CHECK_EQ(type_of(TSS), 11);
	CHECK_EQ(type_of(TSS_NEXT), 11);
	CHECK_EQ(small_get32(&machine, AT_TSS_NEXT), TSS);
	CHECK_EQ(vcpu->eflags, 0x202 | VCPU_EFLAGS_NT);
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK_EQ(vcpu->tr.selector, TSS);
	CHECK_EQ(vcpu->eip, BEGIN);
	CHECK_EQ(type_of(TSS), 11);
	CHECK_EQ(type_of(TSS_NEXT), 9);
	CHECK_EQ(small_get32(&machine, AT_TSS_NEXT + T_EFLAGS), 0x202);
}

TEST(iret_to_a_bad_back_link)
{
	static const struct {
		uint16_t link;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {0, FAULT_TS, 0},
	        {TSS | 4, FAULT_TS, TSS | 4},
	        {OUTSIDE, FAULT_TS, OUTSIDE},
	        {TSS_NEXT, FAULT_TS, TSS_NEXT}, /* not busy */
	        {LDT, FAULT_TS, LDT},
	        {ABSENT_TSS, FAULT_NP, ABSENT_TSS},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();
		struct vcpu before;

		machine.ram[AT_GDT + ABSENT_TSS + 5] |= 2;
		vcpu->eflags |= VCPU_EFLAGS_NT;
		before = *vcpu;
		small_put32(&machine, AT_TSS, rows[i].link);
		CHECK(!transfer_interrupt_return(vcpu, 4));
		CHECK_UNCHANGED(vcpu, before);
		CHECK(small_took(vcpu, rows[i].vector, rows[i].error));
	}
}

TEST(what_fails_before_the_switch_changes_nothing)
{
	struct vcpu *vcpu = start();
	struct vcpu before = *vcpu;

	machine.ram[AT_GDT + TSS_NEXT] = 0x66;
	CHECK(!transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK_UNCHANGED(vcpu, before);
	CHECK(small_took(vcpu, FAULT_TS, TSS_NEXT));
	machine.ram[AT_GDT + TSS_NARROW] = 0x2A;
	CHECK(!transfer_far_jump(vcpu, TSS_NARROW, 0, 4));
	CHECK(small_took(vcpu, FAULT_TS, TSS_NARROW));
	machine.ram[AT_GDT + TSS_NEXT] = 0x67;
	vcpu->tr.limit = 0x66;
	CHECK(!transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK(small_took(vcpu, FAULT_TS, TSS));
	put_gate(&machine, AT_GDT + TASK_GATE, TSS_NEXT | 4, 0, 0xE5, 0);
	CHECK(!transfer_far_call(vcpu, TASK_GATE, 0, 4));
	CHECK(small_took(vcpu, FAULT_GP, TSS_NEXT | 4));
	CHECK_EQ(type_of(TSS), 11);
	CHECK_EQ(type_of(TSS_NEXT), 9);
}

TEST(what_fails_after_the_switch_belongs_to_the_new_task)
{
	static const struct {
		uint32_t field, value;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {T_LDT, LDT | 4, FAULT_TS, LDT | 4},
	        {T_LDT, OUTSIDE, FAULT_TS, OUTSIDE},
	        {T_LDT, KERNEL_DATA, FAULT_TS, KERNEL_DATA},
	        {T_ES + 4, 0, FAULT_TS, 0},
	        {T_ES + 4, OUTSIDE, FAULT_TS, OUTSIDE},
	        {T_ES + 4, KERNEL_DATA, FAULT_TS, KERNEL_DATA},
	        {T_ES + 4, KERNEL_CODE | 3, FAULT_TS, KERNEL_CODE},
	        {T_ES + 4, ABSENT_CODE, FAULT_NP, ABSENT_CODE},
	        {T_ES + 8, 0, FAULT_TS, 0},
	        {T_ES + 8, USER_DATA | 3, FAULT_TS, USER_DATA},
	        {T_ES + 8, ABSENT_STACK, FAULT_SS, ABSENT_STACK},
	        {T_ES, KERNEL_DATA | 3, FAULT_TS, KERNEL_DATA},
	        {T_ES + 12, EXECUTE_ONLY, FAULT_TS, EXECUTE_ONLY},
	        {T_ES + 16, ABSENT_DATA, FAULT_NP, ABSENT_DATA},
	        {T_ES + 20, OUTSIDE, FAULT_TS, OUTSIDE},
	        {T_ES + 4, SHORT_CODE, FAULT_GP, 0},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();

		put_next(rows[i].field, rows[i].value);
		CHECK(!transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
		CHECK_EQ(vcpu->tr.selector, TSS_NEXT);
		CHECK_EQ(vcpu->eip, NEXT_EIP);
		CHECK_EQ(vcpu->instruction_eip, NEXT_EIP);
		CHECK_EQ(vcpu->eflags, 0x202);
		CHECK(small_took(vcpu, rows[i].vector, rows[i].error));
	}
}

TEST(a_task_gate_delivers_with_error_code_and_rf)
{
	struct vcpu *vcpu = start();

	put_gate(&machine, AT_IDT + FAULT_DF * 8, TSS_NEXT, 0, 0x85, 0);
	fault_raise_with_error(vcpu, FAULT_DF, 0x5A);
	events_deliver(vcpu);
	CHECK_EQ(vcpu->tr.selector, TSS_NEXT);
	CHECK_EQ(vcpu->eip, NEXT_EIP);
	CHECK_EQ(vcpu->registers[VCPU_ESP], KERNEL_STACK - 4);
	CHECK_EQ(small_get32(&machine, KERNEL_STACK - 4), 0x5A);
	CHECK_EQ(get_old(T_EFLAGS), VCPU_EFLAGS_RF | 2);
	CHECK_EQ(vcpu->eflags, 0x202 | VCPU_EFLAGS_NT);
	CHECK_EQ(small_get32(&machine, AT_TSS_NEXT), TSS);
}

TEST(a_16_bit_task)
{
	struct vcpu *vcpu = start();
	static const uint16_t words[22] = {
	        [7] = 0x600,        [8] = 0x203,        [9] = 0x1111,       [13] = 0x7000,
	        [17] = KERNEL_DATA, [18] = KERNEL_CODE, [19] = KERNEL_DATA, [20] = KERNEL_DATA};

	memcpy(machine.ram + AT_TSS_NARROW, words, sizeof(words));
	CHECK(transfer_far_call(vcpu, TSS_NARROW, 0, 4));
	CHECK_EQ(vcpu->eip, 0x600);
	CHECK_EQ(vcpu->eflags, 0x203 | VCPU_EFLAGS_NT);
	CHECK_EQ(vcpu->registers[VCPU_EAX] & 0xFFFF, 0x1111);
	CHECK(!vcpu->segments[VCPU_FS].usable);
	CHECK_EQ(type_of(TSS_NARROW), 3);
	vcpu->registers[VCPU_EDX] = 0x12345678;
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK_EQ(vcpu->tr.selector, TSS);
	CHECK_EQ(vcpu->eip, BEGIN);
	CHECK_EQ(small_get32(&machine, AT_TSS_NARROW + 22) & 0xFFFF, 0x5678);
	CHECK_EQ(small_get32(&machine, AT_TSS_NARROW + 36) & 0xFFFF, KERNEL_CODE);
}

TEST(a_task_in_virtual_8086_mode)
{
	struct vcpu *vcpu = start();

	put_next(T_EFLAGS, VCPU_EFLAGS_VM | 2);
	for (uint32_t i = 0; i < 6; i++)
		put_next(T_ES + 4 * i, 0x2000 + i);
	CHECK(transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK(segments_is_v86(vcpu));
	CHECK_EQ(vcpu->cpl, 3);
	CHECK_EQ(vcpu->segments[VCPU_GS].base, 0x20050);
}

TEST(the_t_bit_traps_before_the_task_s_first_instruction)
{
	struct vcpu *vcpu = start();

	put_interrupt(&machine, FAULT_DB, KERNEL_CODE, 0x8E);
	put_next(T_TRAP, 1);
	CHECK(transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER);
	CHECK_EQ(small_get32(&machine, vcpu->registers[VCPU_ESP]), NEXT_EIP);
	CHECK_EQ(vcpu->debug[6] & 0x8000, 0x8000);
	vcpu = start();
	put_interrupt(&machine, FAULT_DB, KERNEL_CODE, 0x8E);
	put_gate(&machine, AT_IDT + 0x30 * 8, TSS_NEXT, 0, 0x85, 0);
	put_next(T_TRAP, 1);
	vcpu->event = (struct vcpu_event){.pending = true, .vector = 0x30};
	events_deliver(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER);
	CHECK_EQ(small_get32(&machine, vcpu->registers[VCPU_ESP]), NEXT_EIP);
}

/* The new CR3 counts only with paging: here both page directories map everything to itself, but
 * only the second one's accessed bits are set by what comes after the switch. */
TEST(a_task_brings_its_page_tables)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, 0xB000, BITS_ALL | BIT_PS);
	small_put32(&machine, 0xC000, BITS_ALL | BIT_PS);
	vcpu->cr4 |= VCPU_CR4_PSE;
	vcpu->cr3 = 0xB000;
	put_next(T_CR3, 0xC000);
	CHECK(control_write_cr(vcpu, 0, vcpu->cr0 | VCPU_CR0_PG));
	CHECK(transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK_EQ(vcpu->cr3, 0xC000);
	CHECK_EQ(small_get32(&machine, 0xC000) & BIT_A, BIT_A);
	vcpu = start();
	vcpu->cr3 = 0xB000;
	put_next(T_CR3, 0xC000);
	CHECK(transfer_far_jump(vcpu, TSS_NEXT, 0, 4));
	CHECK_EQ(vcpu->cr3, 0xB000);
}

UNIT_MAIN
