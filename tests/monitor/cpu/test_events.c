#include "tests/monitor/cpu/rings.h"

static struct small_machine machine;

#define INTERRUPT32 0x8Eu
#define TRAP32      0x8Fu
#define INTERRUPT16 0x86u
#define OPEN        0x60u /* or-ed in: DPL 3 */

static uint32_t stacked(const struct vcpu *vcpu, unsigned int index)
{
	return small_get32(&machine, vcpu->registers[VCPU_ESP] + 4 * index);
}

static void int_n(struct vcpu *vcpu, uint8_t vector)
{
	vcpu->instruction_eip = BEGIN;
	vcpu->eip = BEGIN + 2;
	events_raise_software(vcpu, vector);
	events_deliver(vcpu);
}

TEST(a_fault_in_ring_0_pushes_three_words_and_its_code)
{
	struct vcpu *vcpu = start_kernel(&machine);

	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT32);
	vcpu->eflags |= VCPU_EFLAGS_IF | VCPU_EFLAGS_TF | VCPU_EFLAGS_NT;
	fault_raise_with_error(vcpu, FAULT_GP, 0x123);
	events_deliver(vcpu);
	CHECK(!vcpu->event.pending);
	CHECK_EQ(vcpu->registers[VCPU_ESP], KERNEL_STACK - 16);
	CHECK_EQ(stacked(vcpu, 0), 0x123);
	CHECK_EQ(stacked(vcpu, 1), BEGIN);
	CHECK_EQ(stacked(vcpu, 2), KERNEL_CODE);
	CHECK_EQ(stacked(vcpu, 3), 0x14302);
	CHECK_EQ(vcpu->eflags, 2);
	CHECK_EQ(vcpu->eip, HANDLER);
}

TEST(an_interrupt_from_ring_3_changes_the_stack)
{
	struct vcpu *vcpu = start_user(&machine);

	put_interrupt(&machine, 0x20, KERNEL_CODE, TRAP32 | OPEN);
	vcpu->eflags |= VCPU_EFLAGS_IF;
	int_n(vcpu, 0x20);
	CHECK_EQ(vcpu->cpl, 0);
	CHECK_EQ(vcpu->registers[VCPU_ESP], INNER_STACK - 20);
	static const uint32_t wanted[] = {BEGIN + 2, USER_CODE | 3, 0x202, USER_STACK,
	                                  USER_DATA | 3};
	for (unsigned int i = 0; i < 5; i++)
		CHECK_EQ(stacked(vcpu, i), wanted[i]);
	CHECK_EQ(vcpu->eflags, 0x202);
	CHECK(vcpu->segments[VCPU_DS].usable);
}

TEST(a_16_bit_gate_pushes_words)
{
	struct vcpu *vcpu = start_kernel(&machine);

	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT16);
	fault_raise_with_error(vcpu, FAULT_GP, 0x10123);
	events_deliver(vcpu);
	CHECK_EQ(vcpu->registers[VCPU_ESP], KERNEL_STACK - 8);
	CHECK_EQ(stacked(vcpu, 0), 0x0123 | BEGIN << 16);
	CHECK_EQ(stacked(vcpu, 1), KERNEL_CODE | 2u << 16);
}

TEST(from_virtual_8086_mode_all_segments_are_pushed)
{
	struct vcpu *vcpu = start_v86(&machine, 0);

	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT32);
	CHECK(!events_check_int(vcpu));
	events_deliver(vcpu);
	CHECK_EQ(vcpu->registers[VCPU_ESP], INNER_STACK - 40);
	static const uint32_t wanted[] = {0,      BEGIN,  0x1001, 0x30002, 0x100,
	                                  0x1002, 0x1000, 0x1003, 0x1004,  0x1005};
	for (unsigned int i = 0; i < 10; i++)
		CHECK_EQ(stacked(vcpu, i), wanted[i]);
	CHECK(!segments_is_v86(vcpu));
	CHECK_EQ(vcpu->cpl, 0);
	CHECK(!vcpu->segments[VCPU_DS].usable && !vcpu->segments[VCPU_GS].usable);
	CHECK_EQ(vcpu->segments[VCPU_ES].selector, 0);
	vcpu = start_v86(&machine, 3);
	CHECK(events_check_int(vcpu));
}

/* Each row: a gate for vector 0x30, and what becomes of int 0x30 and of interrupt 0x30 from ring 3.
 */
TEST(gates_that_are_refused)
{
	static const struct {
		uint16_t selector;
		uint8_t access;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {KERNEL_CODE, 0x00, FAULT_GP, 0x182},
	        {KERNEL_CODE, 0x6E, FAULT_NP, 0x182},
	        {KERNEL_CODE, 0xEC, FAULT_GP, 0x182}, /* a call gate */
	        {0, 0xEE, FAULT_GP, 0},
	        {OUTSIDE, 0xEE, FAULT_GP, OUTSIDE},
	        {KERNEL_DATA, 0xEE, FAULT_GP, KERNEL_DATA},
	        {ABSENT_CODE, 0xEE, FAULT_NP, ABSENT_CODE},
	        {SHORT_CODE, 0xEE, FAULT_GP, 0},
	        {TSS, 0xE5, FAULT_GP, TSS},
	        {ABSENT_TSS, 0xE5, FAULT_NP, ABSENT_TSS},
	        {KERNEL_CODE, 0xE5, FAULT_GP, KERNEL_CODE},
	};

	for (unsigned int i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int row = i / 2, external = i & 1;
		struct vcpu *vcpu = start_user(&machine);

		put_interrupt(&machine, 0x30, rows[row].selector, rows[row].access);
		put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT32);
		put_interrupt(&machine, FAULT_NP, KERNEL_CODE, INTERRUPT32);
		if (external) {
			vcpu->event = (struct vcpu_event){.pending = true, .vector = 0x30};
			events_deliver(vcpu);
		} else {
			int_n(vcpu, 0x30);
		}
		CHECK_EQ(vcpu->chain[0].vector, rows[row].vector);
		CHECK_EQ(stacked(vcpu, 0), rows[row].error | external);
		CHECK_EQ(stacked(vcpu, 1), BEGIN);
		CHECK_EQ(vcpu->registers[VCPU_ESP], INNER_STACK - 24);
	}
}

TEST(int_n_needs_the_gate_s_rights_and_interrupts_do_not)
{
	struct vcpu *vcpu = start_user(&machine);

	put_interrupt(&machine, FAULT_DB, KERNEL_CODE, INTERRUPT32);
	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT32);
	int_n(vcpu, FAULT_DB);
	CHECK_EQ(stacked(vcpu, 0), FAULT_DB * 8 + 2);
	vcpu = start_user(&machine);
	put_interrupt(&machine, FAULT_DB, KERNEL_CODE, INTERRUPT32);
	vcpu->eip = BEGIN + 1;
	events_raise_int1(vcpu);
	events_deliver(vcpu);
	CHECK_EQ(stacked(vcpu, 0), BEGIN + 1);
	CHECK_EQ(stacked(vcpu, 2), 2); /* a trap: no RF */
}

TEST(the_idt_s_limit)
{
	struct vcpu *vcpu = start_kernel(&machine);

	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, INTERRUPT32);
	vcpu->idtr.limit = FAULT_GP * 8 + 7;
	int_n(vcpu, FAULT_GP + 1);
	CHECK_EQ(stacked(vcpu, 0), (FAULT_GP + 1) * 8 + 2);
	CHECK_EQ(stacked(vcpu, 1), BEGIN);
}

TEST(inner_stacks_that_are_refused)
{
	static const struct {
		uint16_t ss;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {0, FAULT_TS, 1},
	        {OUTSIDE, FAULT_TS, OUTSIDE | 1},
	        {KERNEL_DATA | 1, FAULT_TS, KERNEL_DATA | 1},
	        {KERNEL_CODE, FAULT_TS, KERNEL_CODE | 1},
	        {ABSENT_STACK, FAULT_SS, ABSENT_STACK | 1},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start_user(&machine);

		put_interrupt(&machine, 0x30, KERNEL_CODE, INTERRUPT32);
		put_gate(&machine, AT_IDT + FAULT_TS * 8, CONFORMING, HANDLER, INTERRUPT32, 0);
		put_gate(&machine, AT_IDT + FAULT_SS * 8, CONFORMING, HANDLER, INTERRUPT32, 0);
		small_put32(&machine, AT_TSS + 8, rows[i].ss);
		vcpu->event = (struct vcpu_event){.pending = true, .vector = 0x30};
		events_deliver(vcpu);
		CHECK_EQ(vcpu->chain[0].vector, rows[i].vector);
		CHECK_EQ(stacked(vcpu, 0), rows[i].error);
		CHECK_EQ(vcpu->cpl, 3);
	}
}

/* First and second fault, by vector, and whether they make a double fault. */
TEST(which_pairs_of_faults_are_double)
{
	static const uint8_t contributory[] = {FAULT_DE, FAULT_TS, FAULT_NP, FAULT_SS, FAULT_GP};
	struct vcpu *vcpu;

	/* The second is always #NP: the gate of the first is absent. */
	for (unsigned int vector = 0; vector < 20; vector++) {
		bool is_double = vector == FAULT_PF;

		if (vector == FAULT_DF)
			continue;
		for (unsigned int i = 0; i < sizeof(contributory); i++)
			is_double |= vector == contributory[i];
		vcpu = start_kernel(&machine);
		for (unsigned int i = 0; i < 0x20; i++)
			put_interrupt(&machine, i, KERNEL_CODE, INTERRUPT32);
		put_interrupt(&machine, vector, KERNEL_CODE, 0x0E);
		fault_raise(vcpu, (enum fault_vector)vector);
		events_deliver(vcpu);
		CHECK_EQ(vcpu->chain[1].vector, FAULT_NP);
		CHECK_EQ(vcpu->chain[1].error, vector * 8 + 3);
		CHECK_EQ(stacked(vcpu, 0), is_double ? 0 : vector * 8 + 3);
		CHECK(!machine.vm.ended);
	}
}

TEST(an_interrupt_is_benign_whatever_its_vector)
{
	struct vcpu *vcpu = start_kernel(&machine);

	put_interrupt(&machine, FAULT_NP, KERNEL_CODE, INTERRUPT32);
	vcpu->event = (struct vcpu_event){.pending = true, .vector = FAULT_GP};
	put_interrupt(&machine, FAULT_GP, KERNEL_CODE, 0x0E);
	events_deliver(vcpu);
	CHECK_EQ(stacked(vcpu, 0), FAULT_GP * 8 + 3);
}

TEST(a_triple_fault_stops_the_guest_and_tells_the_story)
{
	struct vcpu *vcpu = start_kernel(&machine);

	vcpu->cr2 = 0xCAFE;
	fault_raise_with_error(vcpu, FAULT_PF, 2);
	events_deliver(vcpu);
	CHECK(machine.vm.ended);
	CHECK_EQ(machine.vm.exit, EXIT_stopped);
	CHECK_STR(machine.vm.exit_text,
	          "triple fault: #PF(2) at eip=00000100 esp=00008000 cr2=0000cafe, then "
	          "#GP(73) at eip=00000100 esp=00008000, then "
	          "#GP(43) at eip=00000100 esp=00008000");
	CHECK_EQ(vcpu->chain_length, 3);
	CHECK(!vcpu->delivering);
}

static uint8_t acknowledge(struct vm *vm)
{
	vm->interrupt_waits = false;
	return 0x30;
}

static struct vcpu *start_with_interrupt(void)
{
	struct vcpu *vcpu = start_kernel(&machine);

	machine.vm.interrupt_waits = true;
	machine.vm.acknowledge_interrupt = acknowledge;
	for (unsigned int i = 0; i < 0x40; i++)
		put_gate(&machine, AT_IDT + i * 8, KERNEL_CODE, HANDLER + i, INTERRUPT32, 0);
	return vcpu;
}

/* #AC is benign, so it makes no #DF, and here its own delivery raises it. */
TEST(a_delivery_without_end_stops_the_guest)
{
	struct vcpu *vcpu = start_user(&machine);

	put_interrupt(&machine, FAULT_AC, USER_CODE, 0xEE);
	vcpu->cr0 |= VCPU_CR0_AM;
	vcpu->eflags |= VCPU_EFLAGS_AC;
	vcpu->registers[VCPU_ESP] = USER_STACK - 2;
	fault_raise_with_error(vcpu, FAULT_AC, 0);
	events_deliver(vcpu);
	CHECK(vcpu->vm->ended);
	CHECK(strstr(vcpu->vm->exit_text, "vector 17 runs into itself"));
}

TEST(an_interrupt_waits_for_if_and_for_the_shadow)
{
	struct vcpu *vcpu = start_with_interrupt();

	CHECK(!events_take_interrupt(vcpu));
	vcpu->eflags |= VCPU_EFLAGS_IF;
	vcpu->interrupt_shadow = true;
	vcpu->halted = true;
	CHECK(!events_take_interrupt(vcpu));
	CHECK(vcpu->halted);
	CHECK(events_take_interrupt(vcpu));
	CHECK_EQ(vcpu->eip, HANDLER + 0x30);
	CHECK(!machine.vm.interrupt_waits);
	CHECK(!vcpu->halted);
	CHECK_EQ(stacked(vcpu, 2), 0x202);
	CHECK(!events_take_interrupt(vcpu));
}

TEST(nmis_wait_for_iret)
{
	struct vcpu *vcpu = start_with_interrupt();

	vcpu->nmi_pending = true;
	CHECK(events_take_interrupt(vcpu));
	CHECK_EQ(vcpu->eip, HANDLER + FAULT_NMI);
	CHECK(vcpu->nmi_blocked);
	vcpu->nmi_pending = true;
	CHECK(!events_take_interrupt(vcpu));
	CHECK(transfer_interrupt_return(vcpu, 4));
	CHECK(events_take_interrupt(vcpu));
}

TEST(single_steps_come_after_the_instruction)
{
	struct vcpu *vcpu = start_with_interrupt();

	/* popf that sets TF: the next instruction is the first to be trapped. */
	vcpu->eflags |= VCPU_EFLAGS_TF;
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, BEGIN);
	vcpu->eip = BEGIN + 1;
	vcpu->debug[7] |= 0x2000;
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER + FAULT_DB);
	CHECK_EQ(vcpu->debug[6] & 0x4000, 0x4000);
	CHECK_EQ(vcpu->debug[7] & 0x2000, 0);
	CHECK_EQ(stacked(vcpu, 0), BEGIN + 1);
	CHECK_EQ(stacked(vcpu, 2), 0x102);
	CHECK_EQ(vcpu->eflags & VCPU_EFLAGS_TF, 0);
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER + FAULT_DB);
}

TEST(mov_ss_holds_the_step_off_and_int_n_swallows_it)
{
	struct vcpu *vcpu = start_with_interrupt();

	vcpu->eflags |= VCPU_EFLAGS_TF;
	vcpu->debug_trap = true;
	vcpu->debug_shadow = vcpu->interrupt_shadow = true;
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, BEGIN);
	CHECK(!events_take_interrupt(vcpu));
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER + FAULT_DB);
	vcpu = start_with_interrupt();
	vcpu->eflags |= VCPU_EFLAGS_TF;
	vcpu->debug_trap = true;
	vcpu->eip = BEGIN + 2;
	events_raise_software(vcpu, 0x31);
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER + 0x31);
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eip, HANDLER + 0x31);
}

TEST(instruction_breakpoints_stop_before_and_rf_goes_past_them)
{
	struct vcpu *vcpu = start_with_interrupt();

	vcpu->debug[2] = BEGIN;
	vcpu->debug[7] |= 0x10;
	CHECK(events_take_interrupt(vcpu));
	CHECK_EQ(vcpu->eip, HANDLER + FAULT_DB);
	CHECK_EQ(vcpu->debug[6] & 0xF, 4);
	CHECK_EQ(stacked(vcpu, 2), 2);
	small_put32(&machine, vcpu->registers[VCPU_ESP] + 8, VCPU_EFLAGS_RF | 2);
	CHECK(transfer_interrupt_return(vcpu, 4));
	events_instruction_completed(vcpu);
	CHECK(!events_take_interrupt(vcpu));
	events_instruction_completed(vcpu);
	CHECK_EQ(vcpu->eflags, 2);
	vcpu->debug_shadow = true;
	CHECK(!events_take_interrupt(vcpu));
	CHECK(events_take_interrupt(vcpu));
	vcpu->eip = BEGIN;
	vcpu->debug[7] |= 3u << 24; /* now it waits for data */
	CHECK(!events_take_interrupt(vcpu));
}

UNIT_MAIN
