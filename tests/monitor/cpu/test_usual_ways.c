/* Events and iret have a usual way and an exact one: from any state both lead to the same.
 *
 * Two machines are made alike, one knows its memory in the translation buffer and the other does
 * not: so the one can go the usual way, and the other must go the exact one. */
#include "tests/monitor/cpu/rings.h"

#include "monitor/memory/linear.h"

#define ROUNDS 10000

static struct small_machine usual, exact;
static uint32_t state;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static uint32_t below(uint32_t bound)
{
	return random32() % bound;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

#define PICK(list) (list)[below(sizeof(list) / sizeof((list)[0]))]

static uint16_t any_selector(const uint16_t *usual_ones)
{
	return one_in(4) ? (uint16_t)below(OUTSIDE + 8) : usual_ones[below(4)];
}

static uint16_t any_code(void)
{
	static const uint16_t codes[] = {KERNEL_CODE, USER_CODE | 3, KERNEL_CODE, SHORT_CODE};

	return any_selector(codes);
}

static uint16_t any_data(void)
{
	static const uint16_t data[] = {KERNEL_DATA, USER_DATA | 3, KERNEL_DATA, USER_DATA | 3};

	return any_selector(data);
}

/* Where a stack pointer is interesting. */
static uint32_t any_esp(uint32_t good)
{
	static const uint32_t odd[] = {0,      4,      8,      16,         0x8002,     0x9001,
	                               0x9008, 0xA004, 0xAFFC, 0xFFFFFFFC, 0xFFFFFFF2, 0xFFF0};

	return one_in(3) ? PICK(odd) : good - 4 * below(3);
}

static void change_tables(void)
{
	static const uint8_t bits[] = {0, 1, 2, 3, 4, 5, 6, 7};
	static const uint16_t described[] = {KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA};
	uint32_t at = AT_GDT + PICK(described);

	if (one_in(3))
		usual.ram[at + 5] ^= (uint8_t)(1u << PICK(bits)); /* access */
	if (one_in(8))
		usual.ram[at + 6] ^= (uint8_t)(1u << PICK(bits)); /* limit and flags */
	if (one_in(8))
		small_put32(&usual, AT_TSS + 4 + 8 * below(2), any_esp(INNER_STACK));
	if (one_in(8))
		small_put32(&usual, AT_TSS + 8 + 8 * below(2), any_data());
}

static void change_registers(struct vcpu *vcpu)
{
	vcpu->eflags |= random32() & (VCPU_EFLAGS_AC | VCPU_EFLAGS_IF | VCPU_EFLAGS_CF);
	if (one_in(8))
		vcpu->eflags |= random32() & (VCPU_EFLAGS_NT | VCPU_EFLAGS_TF | VCPU_EFLAGS_IOPL);
	if (one_in(4))
		vcpu->cr0 |= VCPU_CR0_AM;
	vcpu->registers[VCPU_ESP] = any_esp(vcpu->registers[VCPU_ESP]);
	if (one_in(8))
		vcpu->segments[VCPU_SS].limit = below(0x10000);
	if (one_in(8))
		vcpu->segments[VCPU_SS].attributes ^= (uint16_t)(1u << below(16));
	if (one_in(8))
		vcpu->segments[VCPU_DS].usable = false;
	if (one_in(16))
		vcpu->gdtr.limit = (uint16_t)below(EMPTY);
	if (one_in(16))
		vcpu->idtr.limit = (uint16_t)below(0x40 * 8);
	if (one_in(8)) {
		vcpu->debug[0] = (INNER_STACK - 16) + below(16);
		vcpu->debug[7] = 0x000F0001; /* reads and writes of four bytes */
	}
}

static void make(void)
{
	struct vcpu *vcpu = one_in(2) ? start_kernel(&usual) : start_user(&usual);

	for (unsigned int vector = 0; vector < 0x40; vector++) {
		uint32_t access = one_in(4) ? below(256) : 0x8E | below(2) | below(4) << 5;
		put_interrupt(&usual, vector, any_code(), access);
	}
	change_tables();
	change_registers(vcpu);
}

/* A frame for iret on top of the stack. */
static void put_return(void)
{
	const struct vcpu *vcpu = &usual.vm.vcpu;
	uint32_t at = vcpu->segments[VCPU_SS].base + vcpu->registers[VCPU_ESP];
	const uint32_t frame[] = {BEGIN, any_code(), random32() & 0x3F7FD7, any_esp(USER_STACK),
	                          any_data()};

	if (at > SMALL_RAM - sizeof(frame))
		return;
	for (unsigned int i = 0; i < 5; i++)
		small_put32(&usual, at + 4 * i, frame[i]);
	if (!one_in(8))
		small_put32(&usual, at + 8, frame[2] & ~VCPU_EFLAGS_VM);
}

static void copy(void)
{
	memcpy(&exact, &usual, sizeof(exact));
	exact.vm.ram = exact.ram;
	exact.vm.vcpu.vm = &exact.vm;
}

static void know_memory(struct vcpu *vcpu)
{
	uint8_t byte;

	for (uint32_t page = 0; page < 0x30; page++) {
		linear_read(vcpu, gva(page * GUEST_PAGE_SIZE), &byte, 1, LINEAR_AS_SUPERVISOR);
		linear_check_write(vcpu, gva(page * GUEST_PAGE_SIZE), 1, LINEAR_AS_SUPERVISOR);
	}
	vcpu->debug_met = 0;
}

static void check_same_segments(const struct vcpu *a, const struct vcpu *b)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		CHECK_EQ(a->segments[i].selector, b->segments[i].selector);
		CHECK(segments_hold_the_same(&a->segments[i], &b->segments[i]));
	}
}

static void check_same(void)
{
	const struct vcpu *a = &usual.vm.vcpu, *b = &exact.vm.vcpu;

	check_same_segments(a, b);
	CHECK(!memcmp(a->registers, b->registers, sizeof(a->registers)));
	CHECK(!memcmp(usual.ram, exact.ram, SMALL_RAM));
	CHECK_EQ(a->eip, b->eip);
	CHECK_EQ(a->eflags, b->eflags);
	CHECK_EQ(a->cpl, b->cpl);
	CHECK_EQ(a->tr.selector, b->tr.selector);
	CHECK_EQ(a->event.pending, b->event.pending);
	CHECK_EQ(a->event.vector, b->event.vector);
	CHECK_EQ(a->event.error, b->event.error);
	CHECK_EQ(a->chain_length, b->chain_length);
	CHECK_EQ(a->debug_met, b->debug_met);
	CHECK_EQ(a->debug_trap, b->debug_trap);
	CHECK_EQ(a->nmi_blocked, b->nmi_blocked);
	CHECK_EQ(a->keeps_resume, b->keeps_resume);
	CHECK_EQ(a->vm->ended, b->vm->ended);
}

static struct vcpu_event any_event(void)
{
	bool software = one_in(3);

	return (struct vcpu_event){.pending = true,
	                           .vector = (uint8_t)below(0x44),
	                           .has_error = !software && one_in(2),
	                           .is_fault = !software && one_in(2),
	                           .is_software = software,
	                           .by_instruction = software,
	                           .error = below(0x10000)};
}

TEST(an_event_is_delivered_the_same_both_ways)
{
	uint32_t without_nesting = 0;

	state = 0x2545F491;
	for (unsigned int i = 0; i < ROUNDS && !unit_failed; i++) {
		make();
		usual.vm.vcpu.event = any_event();
		copy();
		know_memory(&usual.vm.vcpu);
		events_deliver(&usual.vm.vcpu);
		events_deliver(&exact.vm.vcpu);
		check_same();
		without_nesting += usual.vm.vcpu.chain_length < 2;
	}
	CHECK(without_nesting > ROUNDS / 4);
}

TEST(an_iret_returns_the_same_both_ways)
{
	uint32_t returned = 0;

	state = 0x9E3779B9;
	for (unsigned int i = 0; i < ROUNDS && !unit_failed; i++) {
		unsigned int size = one_in(8) ? 2 : 4;

		make();
		put_return();
		copy();
		know_memory(&usual.vm.vcpu);
		returned += transfer_interrupt_return(&usual.vm.vcpu, size);
		transfer_interrupt_return(&exact.vm.vcpu, size);
		check_same();
	}
	CHECK(returned > ROUNDS / 8);
}

UNIT_MAIN
