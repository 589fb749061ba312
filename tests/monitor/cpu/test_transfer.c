#include "tests/monitor/cpu/rings.h"

static struct small_machine machine;

static struct vcpu *start(uint8_t level)
{
	return level == 3 ? start_user(&machine) : start_kernel(&machine);
}

static uint32_t stacked(const struct vcpu *vcpu, unsigned int index)
{
	return small_get32(&machine,
	                   vcpu->segments[VCPU_SS].base + vcpu->registers[VCPU_ESP] + 4 * index);
}

/* Laid on the stack from the top downwards in memory, as a return finds it. */
static void lay(struct vcpu *vcpu, const uint32_t *values, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		small_put32(&machine, vcpu->registers[VCPU_ESP] + 4 * i, values[i]);
}
#define LAY(vcpu, ...)                             \
	lay(vcpu, (const uint32_t[]){__VA_ARGS__}, \
	    sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

TEST(jumps_and_calls_are_refused_with_the_manual_s_error_codes)
{
	static const struct {
		uint8_t level;
		uint16_t selector;
		uint32_t offset;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {0, 0, 0, FAULT_GP, 0},
	        {0, OUTSIDE, 0, FAULT_GP, OUTSIDE},
	        {0, KERNEL_DATA, 0, FAULT_GP, KERNEL_DATA},
	        {0, USER_CODE, 0, FAULT_GP, USER_CODE},
	        {0, KERNEL_CODE | 3, 0, FAULT_GP, KERNEL_CODE},
	        {3, KERNEL_CODE | 3, 0, FAULT_GP, KERNEL_CODE},
	        {0, ABSENT_CODE, 0, FAULT_NP, ABSENT_CODE},
	        {0, SHORT_CODE, 0x100, FAULT_GP, 0},
	        {0, LDT, 0, FAULT_GP, LDT},
	        {0, EMPTY, 0, FAULT_GP, EMPTY},
	        {3, KERNEL_GATE, 0, FAULT_GP, KERNEL_GATE},
	        {0, KERNEL_GATE | 3, 0, FAULT_GP, KERNEL_GATE},
	        {3, ABSENT_GATE, 0, FAULT_NP, ABSENT_GATE},
	        {0, USER_GATE, 0, FAULT_GP, USER_CODE},
	        {0, TSS, 0, FAULT_GP, TSS},
	        {3, TSS_NARROW, 0, FAULT_GP, TSS_NARROW},
	        {0, ABSENT_TSS, 0, FAULT_NP, ABSENT_TSS},
	};

	for (unsigned int i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int row = i / 2;
		struct vcpu *vcpu = start(rows[row].level);
		struct vcpu before = *vcpu;

		CHECK(!(i & 1 ? transfer_far_call : transfer_far_jump)(vcpu, rows[row].selector,
		                                                       rows[row].offset, 4));
		CHECK_UNCHANGED(vcpu, before);
		if (!small_took(vcpu, rows[row].vector, rows[row].error)) {
			printf("row %u, %s\n", row, i & 1 ? "call" : "jump");
			CHECK(false);
		}
	}
}

TEST(a_jump_may_not_change_the_level)
{
	struct vcpu *vcpu = start(3);

	CHECK(!transfer_far_jump(vcpu, CALL_GATE, 0, 4));
	CHECK(small_took(vcpu, FAULT_GP, KERNEL_CODE));
	vcpu = start(0);
	CHECK(transfer_far_jump(vcpu, CALL_GATE, 0xDEAD, 4));
	CHECK_EQ(vcpu->eip, HANDLER);
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, KERNEL_CODE);
	vcpu = start(3);
	CHECK(transfer_far_jump(vcpu, CONFORMING, 0x1234, 4));
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, CONFORMING | 3);
	CHECK_EQ(vcpu->cpl, 3);
	vcpu = start(3);
	CHECK(transfer_far_jump(vcpu, USER_CODE, 0x12345678, 2));
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, USER_CODE | 3);
	CHECK_EQ(vcpu->eip, 0x5678);
}

TEST(a_call_at_the_same_level_pushes_where_it_comes_from)
{
	struct vcpu *vcpu = start(3);

	CHECK(transfer_far_call(vcpu, USER_CODE, 0x777, 4));
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK - 8);
	CHECK_EQ(stacked(vcpu, 0), BEGIN);
	CHECK_EQ(stacked(vcpu, 1), USER_CODE | 3);
	CHECK(transfer_far_return(vcpu, 4, 0));
	CHECK_EQ(vcpu->eip, BEGIN);
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK);
	CHECK(transfer_far_call(vcpu, USER_CODE, 0x777, 2));
	CHECK_EQ(stacked(vcpu, 0), BEGIN | (USER_CODE | 3) << 16);
	CHECK(transfer_far_return(vcpu, 2, 6));
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK + 6);
}

TEST(a_call_through_a_gate_to_an_inner_level_copies_its_parameters)
{
	struct vcpu *vcpu = start(3);

	LAY(vcpu, 0x11, 0x22, 0x33);
	CHECK(transfer_far_call(vcpu, CALL_GATE | 3, 0, 4));
	CHECK_EQ(vcpu->cpl, 0);
	CHECK_EQ(vcpu->eip, HANDLER);
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, KERNEL_CODE);
	CHECK_EQ(vcpu->segments[VCPU_SS].selector, KERNEL_DATA);
	CHECK_EQ(vcpu->registers[VCPU_ESP], INNER_STACK - 24);
	static const uint32_t wanted[] = {BEGIN, USER_CODE | 3, 0x11,
	                                  0x22,  USER_STACK,    USER_DATA | 3};
	for (unsigned int i = 0; i < 6; i++)
		CHECK_EQ(stacked(vcpu, i), wanted[i]);
	/* And back, dropping the parameters from both stacks. */
	CHECK(transfer_far_return(vcpu, 4, 8));
	CHECK_EQ(vcpu->cpl, 3);
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK + 8);
	CHECK_EQ(vcpu->segments[VCPU_SS].selector, USER_DATA | 3);
}

TEST(a_16_bit_gate_pushes_words)
{
	struct vcpu *vcpu = start(3);

	small_put32(&machine, USER_STACK, 0xAAAA5555);
	CHECK(transfer_far_call(vcpu, CALL_GATE16 | 3, 0, 4));
	CHECK_EQ(vcpu->registers[VCPU_ESP], INNER_STACK - 10);
	CHECK_EQ(stacked(vcpu, 0), BEGIN | (USER_CODE | 3) << 16);
	CHECK_EQ(stacked(vcpu, 1), 0x5555 | USER_STACK << 16);
}

/* What the stack in the TSS can be, and which fault it makes. */
static const struct {
	uint16_t ss;
	enum fault_vector vector;
	uint32_t error;
} bad_stacks[] = {
        {0, FAULT_TS, 0},
        {OUTSIDE, FAULT_TS, OUTSIDE},
        {KERNEL_DATA | 3, FAULT_TS, KERNEL_DATA},
        {USER_DATA, FAULT_TS, USER_DATA},
        {KERNEL_CODE, FAULT_TS, KERNEL_CODE},
        {ABSENT_STACK, FAULT_SS, ABSENT_STACK},
        {NARROW_STACK, FAULT_SS, NARROW_STACK}, /* present, but esp is past its limit */
};

TEST(bad_inner_stacks)
{
	for (unsigned int i = 0; i < sizeof(bad_stacks) / sizeof(bad_stacks[0]); i++) {
		struct vcpu *vcpu = start(3);
		struct vcpu before = *vcpu;

		small_put32(&machine, AT_TSS + 8, bad_stacks[i].ss);
		machine.ram[AT_GDT + NARROW_STACK] = 0xFF; /* ends at 0x00FF */
		machine.ram[AT_GDT + NARROW_STACK + 1] = 0;
		CHECK(!transfer_far_call(vcpu, CALL_GATE, 0, 4));
		CHECK_UNCHANGED(vcpu, before);
		CHECK(small_took(vcpu, bad_stacks[i].vector, bad_stacks[i].error));
	}
}

TEST(a_tss_too_short_for_the_stack)
{
	struct vcpu *vcpu = start(3);

	vcpu->tr.limit = 8;
	CHECK(!transfer_far_call(vcpu, CALL_GATE, 0, 4));
	CHECK(small_took(vcpu, FAULT_TS, TSS));
	vcpu->tr.limit = 9;
	CHECK(transfer_far_call(vcpu, CALL_GATE, 0, 4));
	vcpu = start(3);
	vcpu->tr.attributes = 0x83;
	vcpu->tr.limit = 4;
	CHECK(!transfer_far_call(vcpu, CALL_GATE, 0, 4));
	CHECK(small_took(vcpu, FAULT_TS, TSS));
	vcpu->tr.limit = 5;
	small_put32(&machine, AT_TSS, KERNEL_STACK << 16);
	small_put32(&machine, AT_TSS + 4, KERNEL_DATA);
	CHECK(transfer_far_call(vcpu, CALL_GATE, 0, 4));
	CHECK_EQ(vcpu->registers[VCPU_ESP], KERNEL_STACK - 24);
}

TEST(pushes_wrap_at_64_kb_on_a_16_bit_stack)
{
	struct vcpu *vcpu = start(0);
	uint32_t value;

	set_segment(&machine, &vcpu->segments[VCPU_SS], NARROW_STACK);
	vcpu->registers[VCPU_ESP] = 0xABCD0000;
	CHECK(transfer_push(vcpu, 0x12345678, 4));
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0xABCDFFFC);
	CHECK_EQ(small_get32(&machine, 0x2FFFC), 0x12345678);
	CHECK(transfer_pop(vcpu, &value, 2));
	CHECK_EQ(value, 0x5678);
	CHECK(transfer_pop(vcpu, &value, 2));
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0xABCD0000);
	vcpu->registers[VCPU_ESP] = 2;
	CHECK(!transfer_push(vcpu, 0, 4));
	CHECK(small_took(vcpu, FAULT_SS, 0));
	CHECK_EQ(vcpu->registers[VCPU_ESP], 2);
	vcpu->registers[VCPU_ESP] = 4;
	CHECK(transfer_far_call(vcpu, KERNEL_CODE, 0x10, 4));
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0xFFFC);
}

TEST(returns_are_refused_with_the_manual_s_error_codes)
{
	static const struct {
		uint8_t level;
		uint32_t cs, ss;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {0, 0, 0, FAULT_GP, 0},
	        {0, 3, 0, FAULT_GP, 0},
	        {0, OUTSIDE, 0, FAULT_GP, OUTSIDE},
	        {0, KERNEL_DATA, 0, FAULT_GP, KERNEL_DATA},
	        {0, CALL_GATE, 0, FAULT_GP, CALL_GATE},
	        {3, KERNEL_CODE, 0, FAULT_GP, KERNEL_CODE},
	        {0, KERNEL_CODE | 3, 0, FAULT_GP, KERNEL_CODE},
	        {0, USER_CODE, 0, FAULT_GP, USER_CODE},
	        {0, ABSENT_CODE, 0, FAULT_NP, ABSENT_CODE},
	        {0, USER_ABSENT | 3, 0, FAULT_NP, USER_ABSENT},
	        {0, USER_CODE | 3, 0, FAULT_GP, 0},
	        {0, USER_CODE | 3, OUTSIDE | 3, FAULT_GP, OUTSIDE},
	        {0, USER_CODE | 3, USER_DATA, FAULT_GP, USER_DATA},
	        {0, USER_CODE | 3, KERNEL_DATA | 3, FAULT_GP, KERNEL_DATA},
	        {0, USER_CODE | 3, READ_ONLY | 3, FAULT_GP, READ_ONLY},
	        {0, USER_CODE | 3, ABSENT_DATA | 3, FAULT_SS, ABSENT_DATA},
	        {0, SHORT_CODE, 0, FAULT_GP, 0}, /* eip is past its end */
	};

	for (unsigned int i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int row = i / 2;
		struct vcpu *vcpu = start(rows[row].level);
		struct vcpu before = *vcpu;

		if (i & 1) {
			LAY(vcpu, 0x500, rows[row].cs, 2, USER_STACK, rows[row].ss);
			CHECK(!transfer_interrupt_return(vcpu, 4));
		} else {
			LAY(vcpu, 0x500, rows[row].cs, USER_STACK, rows[row].ss);
			CHECK(!transfer_far_return(vcpu, 4, 0));
		}
		CHECK_UNCHANGED(vcpu, before);
		if (!small_took(vcpu, rows[row].vector, rows[row].error)) {
			printf("row %u, %s\n", row, i & 1 ? "iret" : "ret");
			CHECK(false);
		}
	}
}

TEST(a_frame_past_the_stack_s_limit)
{
	struct vcpu *vcpu = start(0);

	vcpu->segments[VCPU_SS].limit = KERNEL_STACK + 7;
	CHECK(!transfer_interrupt_return(vcpu, 4));
	CHECK(small_took(vcpu, FAULT_SS, 0));
	vcpu->segments[VCPU_SS].limit = KERNEL_STACK + 15;
	LAY(vcpu, 0x500, USER_CODE | 3, 2);
	CHECK(!transfer_interrupt_return(vcpu, 4));
	CHECK(small_took(vcpu, FAULT_SS, 0));
	vcpu->segments[VCPU_SS].limit = KERNEL_STACK + 3;
	CHECK(!transfer_far_return(vcpu, 4, 0));
	CHECK(small_took(vcpu, FAULT_SS, 0));
	vcpu->segments[VCPU_SS].limit = KERNEL_STACK - 5;
	CHECK(!transfer_far_call(vcpu, KERNEL_CODE, 0, 4));
	CHECK(small_took(vcpu, FAULT_SS, 0));
}

TEST(segments_of_the_inner_level_do_not_survive_a_return)
{
	struct vcpu *vcpu = start(0);

	set_segment(&machine, &vcpu->segments[VCPU_ES], USER_DATA);
	set_segment(&machine, &vcpu->segments[VCPU_FS], CONFORMING);
	vcpu->segments[VCPU_GS] = (struct vcpu_segment_register){.selector = 2};
	LAY(vcpu, 0x500, USER_CODE | 3, USER_STACK, USER_DATA | 3);
	CHECK(transfer_far_return(vcpu, 4, 0));
	CHECK(!vcpu->segments[VCPU_DS].usable);
	CHECK_EQ(vcpu->segments[VCPU_DS].selector, 0);
	CHECK(vcpu->segments[VCPU_ES].usable);
	CHECK(vcpu->segments[VCPU_FS].usable);
	CHECK_EQ(vcpu->segments[VCPU_GS].selector, 0);
}

TEST(iret_changes_the_flags_that_its_level_may)
{
	uint32_t all = 0x257FD5 & ~VCPU_EFLAGS_VM;
	struct vcpu *vcpu = start(0);

	LAY(vcpu, 0x500, USER_CODE | 3, all, USER_STACK, USER_DATA | 3);
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK_EQ(vcpu->eflags & (VCPU_EFLAGS_IOPL | VCPU_EFLAGS_IF | VCPU_EFLAGS_RF), 0x13200);
	CHECK_EQ(vcpu->cpl, 3);
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK);
	vcpu = start(3);
	vcpu->nmi_blocked = true;
	LAY(vcpu, 0x500, USER_CODE | 3, all);
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK_EQ(vcpu->eflags & (VCPU_EFLAGS_IOPL | VCPU_EFLAGS_IF), 0);
	CHECK_EQ(vcpu->eflags & VCPU_EFLAGS_CF, VCPU_EFLAGS_CF);
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK + 12);
	CHECK(!vcpu->nmi_blocked);
	/* VM in the frame of a level that may not enter it is ignored. */
	vcpu = start(3);
	LAY(vcpu, 0x500, USER_CODE | 3, VCPU_EFLAGS_VM | 2);
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK(!segments_is_v86(vcpu));
}

TEST(iret_of_16_bits)
{
	struct vcpu *vcpu = start(0);

	vcpu->eflags |= VCPU_EFLAGS_ID;
	LAY(vcpu, 0x500 | (uint32_t)KERNEL_CODE << 16, 0x0001);
	CHECK(transfer_interrupt_return(vcpu, 2));
	CHECK_EQ(vcpu->eip, 0x500);
	CHECK_EQ(vcpu->eflags, VCPU_EFLAGS_ID | 3);
	CHECK_EQ(vcpu->registers[VCPU_ESP], KERNEL_STACK + 6);
}

TEST(iret_into_virtual_8086_mode)
{
	struct vcpu *vcpu = start(0);

	LAY(vcpu, 0x10000, 0x1001, 0x20002, 0x200, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006);
	CHECK(!transfer_interrupt_return(vcpu, 4));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	small_put32(&machine, KERNEL_STACK, 0x500);
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK_EQ(vcpu->cpl, 3);
	CHECK_EQ(vcpu->eflags, 0x20002);
	CHECK_EQ(vcpu->segments[VCPU_CS].base, 0x10010);
	CHECK_EQ(vcpu->segments[VCPU_SS].base, 0x10020);
	CHECK_EQ(vcpu->segments[VCPU_ES].base, 0x10030);
	CHECK_EQ(vcpu->segments[VCPU_DS].base, 0x10040);
	CHECK_EQ(vcpu->segments[VCPU_FS].base, 0x10050);
	CHECK_EQ(vcpu->segments[VCPU_GS].base, 0x10060);
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0x200);
}

TEST(in_virtual_8086_mode)
{
	struct vcpu *vcpu = start_v86(&machine, 3);

	CHECK(transfer_far_call(vcpu, 0x2003, 0x10, 2));
	CHECK_EQ(vcpu->segments[VCPU_CS].base, 0x20030);
	CHECK_EQ(stacked(vcpu, 0), BEGIN | 0x1001u << 16);
	CHECK(transfer_far_return(vcpu, 2, 0));
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, 0x1001);
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0x100);
	CHECK(transfer_far_jump(vcpu, 7, 0x10, 2));
	CHECK(!transfer_far_jump(vcpu, 7, 0x10000, 4));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	small_put32(&machine, 0x10020 + 0x100, 0x300 | 0x1111u << 16);
	small_put32(&machine, 0x10020 + 0x104, VCPU_EFLAGS_IF);
	CHECK(transfer_interrupt_return(vcpu, 2));
	CHECK_EQ(vcpu->eip, 0x300);
	CHECK_EQ(vcpu->eflags, VCPU_EFLAGS_VM | VCPU_EFLAGS_IOPL | VCPU_EFLAGS_IF | 2);
	vcpu = start_v86(&machine, 2);
	CHECK(!transfer_interrupt_return(vcpu, 2));
	CHECK(small_took(vcpu, FAULT_GP, 0));
}

/* All pages to themselves, but for the one below the inner stack's top. */
static void page_without_stack(struct vcpu *vcpu)
{
	small_put32(&machine, 0xB000, 0xC000 | BITS_ALL);
	for (uint32_t page = 0; page < SMALL_RAM; page += 0x1000)
		small_put32(&machine, 0xC000 + page / 0x400,
		            page == INNER_STACK - 0x1000 ? 0 : page | BITS_ALL);
	CHECK(control_write_cr(vcpu, 3, 0xB000));
	CHECK(control_write_cr(vcpu, 0, vcpu->cr0 | VCPU_CR0_PG));
}

TEST(a_page_fault_on_the_new_stack_leaves_nothing_half_done)
{
	for (uint32_t above = 0; above <= 4; above += 4) {
		struct vcpu *vcpu = start(3);
		struct vcpu before;

		small_put32(&machine, AT_TSS + 4, INNER_STACK + above);
		small_put32(&machine, INNER_STACK, 0x12345678);
		page_without_stack(vcpu);
		before = *vcpu;
		CHECK(!transfer_far_call(vcpu, CALL_GATE, 0, 4));
		CHECK_UNCHANGED(vcpu, before);
		CHECK(small_took(vcpu, FAULT_PF, 2));
		CHECK_EQ(vcpu->cr2, INNER_STACK - 4);
		CHECK_EQ(small_get32(&machine, INNER_STACK), 0x12345678);
	}
}

TEST(sysenter_and_sysexit)
{
	struct vcpu *vcpu = start(3);

	CHECK(!transfer_sysenter(vcpu));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	vcpu->sysenter_cs = KERNEL_CODE | 3;
	vcpu->sysenter_eip = HANDLER;
	vcpu->sysenter_esp = KERNEL_STACK;
	vcpu->eflags |= VCPU_EFLAGS_IF;
	CHECK(!transfer_sysexit(vcpu));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	CHECK(transfer_sysenter(vcpu));
	CHECK_EQ(vcpu->cpl, 0);
	CHECK_EQ(vcpu->eip, HANDLER);
	CHECK_EQ(vcpu->eflags, 2);
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, KERNEL_CODE);
	CHECK_EQ(vcpu->segments[VCPU_CS].attributes, 0xC09B);
	CHECK_EQ(vcpu->segments[VCPU_SS].selector, KERNEL_DATA);
	vcpu->registers[VCPU_EDX] = 0x500;
	vcpu->registers[VCPU_ECX] = USER_STACK;
	CHECK(transfer_sysexit(vcpu));
	CHECK_EQ(vcpu->cpl, 3);
	CHECK_EQ(vcpu->eip, 0x500);
	CHECK_EQ(vcpu->registers[VCPU_ESP], USER_STACK);
	CHECK_EQ(vcpu->segments[VCPU_CS].selector, USER_CODE | 3);
	CHECK_EQ(vcpu->segments[VCPU_SS].selector, USER_DATA | 3);
	CHECK_EQ(vcpu->segments[VCPU_SS].attributes, 0xC0F3);
}

UNIT_MAIN
