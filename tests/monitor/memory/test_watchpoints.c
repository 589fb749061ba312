/* Data breakpoints: what is met, by which access, and that no access goes by. When the #DB comes is
 * the business of test_interpret_system.c. */
#include "tests/monitor/instructions/run_bytes.h"

#include "monitor/memory/watchpoints.h"

#define PAGE 0x20000u

enum kind { EXECUTE, WRITE, PORT, ACCESS };

/* DR7 with breakpoint i switched on for this kind of access to `length` bytes. */
static uint32_t enable(unsigned int i, enum kind kind, unsigned int length)
{
	static const uint8_t codes[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

	return 1u << 2 * i | (kind | (uint32_t)codes[length] << 2) << (16 + 4 * i);
}

static struct vcpu *start(unsigned int i, enum kind kind, uint32_t at, unsigned int length)
{
	struct vcpu *vcpu = run_start();

	vcpu->debug[i] = at;
	vcpu->debug[7] = enable(i, kind, length);
	return vcpu;
}

static uint32_t met_by_data(struct vcpu *vcpu, uint32_t at, size_t size, bool write)
{
	vcpu->debug_met = 0;
	watchpoints_note_data(vcpu, gva(at), size, write);
	return vcpu->debug_met;
}

static uint32_t met_by_port(struct vcpu *vcpu, uint16_t port, unsigned int size)
{
	vcpu->debug_met = 0;
	watchpoints_note_port(vcpu, port, size);
	return vcpu->debug_met;
}

TEST(an_access_meets_what_it_overlaps)
{
	static const struct {
		uint32_t watched, length, at, size;
		bool met;
	} rows[] = {
	        {PAGE + 4, 1, PAGE + 4, 1, true},
	        {PAGE + 4, 1, PAGE + 3, 1, false},
	        {PAGE + 4, 1, PAGE + 5, 4, false},
	        {PAGE + 4, 1, PAGE + 1, 4, true},
	        {PAGE + 4, 1, PAGE, 4, false},
	        {PAGE + 4, 2, PAGE + 5, 1, true},
	        {PAGE + 4, 2, PAGE + 6, 1, false},
	        {PAGE + 5, 2, PAGE + 4, 1, true}, /* the low bit of the address does not count */
	        {PAGE + 5, 2, PAGE + 6, 1, false},
	        {PAGE + 7, 4, PAGE + 4, 1, true},
	        {PAGE + 7, 4, PAGE + 8, 4, false},
	        {PAGE + 8, 8, PAGE + 15, 1, true},
	        {PAGE + 8, 8, PAGE + 16, 1, false},
	        {PAGE, 4, PAGE - 2, 4, true},
	        {PAGE, 4, PAGE - 4, 4, false},
	        {0xFFFFFFFC, 4, 0xFFFFFFFF, 1, true},
	        {0xFFFFFFFC, 4, 0, 4, false},
	        {0, 4, 0xFFFFFFFE, 4, true}, /* an access that wraps */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start(0, ACCESS, rows[i].watched, rows[i].length);
		CHECK_EQ(met_by_data(vcpu, rows[i].at, rows[i].size, false), rows[i].met);
	}
}

TEST(each_kind_is_met_by_its_own)
{
	static const struct {
		enum kind kind;
		bool read, write, port;
	} rows[] = {{EXECUTE, false, false, false},
	            {WRITE, false, true, false},
	            {PORT, false, false, true},
	            {ACCESS, true, true, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start(0, rows[i].kind, 0x60, 1);
		vcpu->cr4 = VCPU_CR4_DE;
		CHECK_EQ(met_by_data(vcpu, 0x60, 1, false), rows[i].read);
		CHECK_EQ(met_by_data(vcpu, 0x60, 1, true), rows[i].write);
		CHECK_EQ(met_by_port(vcpu, 0x60, 1), rows[i].port);
		CHECK_EQ(watchpoints_touch_page(vcpu, gva(0)), rows[i].read || rows[i].write);
	}
}

TEST(either_bit_switches_on_and_each_breakpoint_has_a_bit_of_its_own)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct vcpu *vcpu = start(i, WRITE, PAGE, 4);
		uint32_t local = vcpu->debug[7];

		CHECK(watchpoints_are_on(vcpu));
		CHECK_EQ(met_by_data(vcpu, PAGE, 4, true), 1u << i);
		vcpu->debug[7] = (local & ~0xFFu) | 2u << 2 * i;
		CHECK_EQ(met_by_data(vcpu, PAGE, 4, true), 1u << i);
		vcpu->debug[7] = local & ~0xFFu;
		CHECK_EQ(met_by_data(vcpu, PAGE, 4, true), 0);
		CHECK(!watchpoints_are_on(vcpu));
	}
}

TEST(several_are_met_at_once)
{
	struct vcpu *vcpu = start(1, WRITE, PAGE, 4);

	vcpu->debug[3] = PAGE + 2;
	vcpu->debug[7] |= enable(3, ACCESS, 1);
	CHECK_EQ(met_by_data(vcpu, PAGE, 4, true), 1u << 1 | 1u << 3);
	CHECK_EQ(met_by_data(vcpu, PAGE, 4, false), 1u << 3);
	CHECK_EQ(met_by_data(vcpu, PAGE, 2, true), 1u << 1);
}

TEST(only_its_own_page_is_touched)
{
	struct vcpu *vcpu = start(2, WRITE, PAGE + 0xFFF, 1);

	CHECK(watchpoints_touch_page(vcpu, gva(PAGE)));
	CHECK(watchpoints_touch_page(vcpu, gva(PAGE + 0x123)));
	CHECK(!watchpoints_touch_page(vcpu, gva(PAGE + 0x1000)));
	CHECK(!watchpoints_touch_page(vcpu, gva(PAGE - 1)));
}

TEST(ports_need_de)
{
	struct vcpu *vcpu = start(0, PORT, 0x61, 1);

	CHECK_EQ(met_by_port(vcpu, 0x61, 1), 0);
	vcpu->cr4 = VCPU_CR4_DE;
	CHECK_EQ(met_by_port(vcpu, 0x61, 1), 1);
	CHECK_EQ(met_by_port(vcpu, 0x60, 1), 0);
	CHECK_EQ(met_by_port(vcpu, 0x60, 2), 1);
	CHECK_EQ(met_by_port(vcpu, 0x62, 4), 0);
}

/* The linear layer keeps no right to this page, whatever was done to it before. */
TEST(no_access_to_its_page_goes_by)
{
	struct vcpu *vcpu = start(0, ACCESS, PAGE + 4, 4);
	uint32_t value;

	run_paging(vcpu);
	for (unsigned int turn = 0; turn < 3; turn++) {
		vcpu->debug_met = 0;
		CHECK(linear_read(vcpu, gva(PAGE + 8), &value, 4, LINEAR_AS_CPL));
		CHECK_EQ(vcpu->debug_met, 0);
		CHECK(linear_read(vcpu, gva(PAGE + 6), &value, 4, LINEAR_AS_CPL));
		CHECK_EQ(vcpu->debug_met, 1);
		vcpu->debug_met = 0;
		CHECK(linear_write(vcpu, gva(PAGE + 7), &value, 1, LINEAR_AS_CPL));
		CHECK_EQ(vcpu->debug_met, 1);
	}
}

TEST(an_access_from_the_page_before_reaches_it)
{
	struct vcpu *vcpu = start(0, WRITE, PAGE, 1);
	uint32_t value = 0;

	run_paging(vcpu);
	CHECK(linear_write(vcpu, gva(PAGE - 4), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(vcpu->debug_met, 0);
	CHECK(linear_write(vcpu, gva(PAGE - 1), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(vcpu->debug_met, 1);
}

TEST(what_faults_has_met_nothing)
{
	struct vcpu *vcpu = start(0, ACCESS, PAGE, 4);
	uint32_t value = 0;

	run_paging(vcpu);
	run_change_page(vcpu, PAGE, 0);
	CHECK(!linear_read(vcpu, gva(PAGE), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(vcpu->debug_met, 0);
}

/* mov to DR7 and to DR0 after the page has been in use. */
TEST(one_that_is_set_later_is_met_as_well)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	RUN(vcpu, 0xA3, 0x00, 0x00, 0x02, 0x00); /* mov [PAGE], eax */
	vcpu->registers[VCPU_EAX] = enable(0, WRITE, 4);
	RUN(vcpu, 0x0F, 0x23, 0xF8); /* mov dr7, eax */
	vcpu->registers[VCPU_EAX] = PAGE;
	RUN(vcpu, 0xA3, 0x00, 0x00, 0x02, 0x00);
	CHECK_EQ(vcpu->eip, RUN_CODE + 5);
	RUN(vcpu, 0x0F, 0x23, 0xC0); /* mov dr0, eax */
	RUN(vcpu, 0xA3, 0x00, 0x00, 0x02, 0x00);
	CHECK(run_faulted(vcpu, FAULT_DB, -1, RUN_CODE + 5));
}

/* One that copies stops where it has met one, with what is left to do in the registers. */
TEST(a_string_stops_behind_the_element_that_meets_one)
{
	struct vcpu *vcpu = start(0, WRITE, PAGE + 4, 4);

	run_paging(vcpu);
	vcpu->registers[VCPU_EDI] = PAGE;
	vcpu->registers[VCPU_ECX] = 8;
	run_write(0xF3, 0xAB); /* rep stosd */
	vcpu->eip = RUN_CODE;
	for (unsigned int i = 0; i < 8 && vcpu->eip == RUN_CODE; i++)
		interpret_step(vcpu);
	CHECK(run_faulted(vcpu, FAULT_DB, -1, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_ECX], 6);
	CHECK_EQ(vcpu->registers[VCPU_EDI], PAGE + 8);
	CHECK_EQ(small_get32(&run_machine, PAGE + 8), 0);
}

UNIT_MAIN
