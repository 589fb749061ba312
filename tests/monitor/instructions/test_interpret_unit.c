/* What goes to the unit and what comes back. The unit itself is a stand-in that notes what it is
 * given: what real ones compute is seen by the guests in guest/privileged/fpu. */
#include "tests/monitor/instructions/run_bytes.h"

#include "monitor/cpu/identity.h"

#define UNIT_ADDRESS 0x00ABC000u
#define UNIT_CODE    0xFFD00000u

static uint8_t unit_memory[512 + 16] __attribute__((aligned(16)));
static struct vm_unit_run given;
static unsigned int runs;
static uint8_t answer;
static uint32_t skew; /* where the stand-in finds the operand */

static uint8_t stand_in(struct vm_unit_run *run)
{
	uint32_t fip = UNIT_CODE;

	given = *run;
	runs++;
	memcpy(run->state + 8, &fip, sizeof(fip));
	run->registers[VCPU_EAX] ^= 0xFFFFFFFF;
	run->flags = VCPU_EFLAGS_ZF | VCPU_EFLAGS_CF;
	for (unsigned int i = 0; i < 16; i++)
		unit_memory[skew + i] ^= 0xFF;
	return answer;
}

static struct vcpu *start(void)
{
	static const struct vm_unit unit = {
	        .memory = unit_memory, .address = UNIT_ADDRESS, .code = UNIT_CODE, .run = stand_in};
	struct vcpu *vcpu = run_start();

	identity_start(&(struct identity_host){true, true, true, true, true});
	run_machine.vm.unit = &unit;
	vcpu->cr4 = VCPU_CR4_OSFXSR;
	runs = 0;
	skew = 0;
	answer = VM_UNIT_NO_FAULT;
	return vcpu;
}

#define CHECK_GIVEN(...)                                                \
	do {                                                            \
		const uint8_t wanted[] = {__VA_ARGS__};                 \
		CHECK_EQ(given.length, sizeof(wanted));                 \
		CHECK(memcmp(given.code, wanted, sizeof(wanted)) == 0); \
	} while (0)

TEST(a_store_goes_through_the_buffer)
{
	struct vcpu *vcpu = start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	skew = 4;
	small_put32(&run_machine, RUN_DATA + 0x14, 0x01020304);
	CHECK_EQ(RUN(vcpu, 0xD9, 0x5B, 0x14), INTERPRET_COMPLETED); /* fstp dword [ebx + 20] */
	CHECK_GIVEN(0xD9, 0x1C, 0x25, 0x04, 0xC0, 0xAB, 0x00);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x14), 0xFEFDFCFB);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x18), 0);
}

TEST(a_load_leaves_memory_alone)
{
	struct vcpu *vcpu = start();

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	small_put32(&run_machine, RUN_DATA, 0x01020304);
	RUN(vcpu, 0xD8, 0x03); /* fadd dword [ebx] */
	CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0x01020304);
	CHECK_EQ(runs, 1);
}

TEST(the_guest_finds_its_own_address_in_the_state)
{
	struct vcpu *vcpu = start();
	uint32_t words[4];

	vcpu->registers[VCPU_EBX] = RUN_DATA;
	RUN(vcpu, 0xDC, 0x43, 0x08); /* fadd qword [ebx + 8] */
	memcpy(words, vcpu->fpu + 8, sizeof(words));
	CHECK_EQ(words[0], RUN_CODE);
	CHECK_EQ(words[1] & 0xFFFF, RUN_CODE0);
	CHECK_EQ(words[2], RUN_DATA + 8);
	CHECK_EQ(words[3] & 0xFFFF, RUN_DATA0);
	CHECK_EQ(vcpu->fpu[6] | vcpu->fpu[7] << 8, 0x443);
}

TEST(general_registers_are_always_eax_for_the_unit)
{
	struct vcpu *vcpu = start();

	vcpu->registers[VCPU_ESP] = 0x12345678;
	RUN(vcpu, 0x0F, 0x6E, 0xCC); /* movd mm1, esp */
	CHECK_GIVEN(0x0F, 0x6E, 0xC8);
	CHECK_EQ(given.registers[VCPU_EAX], 0x12345678);
	CHECK_EQ(vcpu->registers[VCPU_ESP], 0x12345678);
	RUN(vcpu, 0xF2, 0x0F, 0x2C, 0xF2); /* cvttsd2si esi, xmm2 */
	CHECK_GIVEN(0xF2, 0x0F, 0x2C, 0xC2);
	CHECK_EQ(vcpu->registers[VCPU_ESI], 0x88888888);
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11111111);
	RUN(vcpu, 0xDF, 0xE0); /* fnstsw ax */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x1111EEEE);
}

TEST(flags_come_back)
{
	struct vcpu *vcpu = start();

	vcpu->eflags |= VCPU_EFLAGS_SF | VCPU_EFLAGS_DF;
	RUN(vcpu, 0x66, 0x0F, 0x2F, 0xC1); /* comisd xmm0, xmm1 */
	CHECK_EQ(given.flags, VCPU_EFLAGS_SF);
	CHECK_EQ(vcpu->eflags, VCPU_EFLAGS_ONE | VCPU_EFLAGS_ZF | VCPU_EFLAGS_CF | VCPU_EFLAGS_DF);
}

TEST(segments_and_16_bit_addresses_are_left_behind)
{
	struct vcpu *vcpu = start();

	vcpu->registers[VCPU_EDI] = 0x10008;
	run_set_segment(vcpu, VCPU_FS, RUN_SMALL);
	skew = 8;
	CHECK_EQ(RUN(vcpu, 0x64, 0x67, 0x0F, 0x7F, 0x05),
	         INTERPRET_COMPLETED); /* movq fs:[di], mm0 */
	CHECK_GIVEN(0x0F, 0x7F, 0x04, 0x25, 0x08, 0xC0, 0xAB, 0x00);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 8), 0xFFFFFFFF);
	skew = 0;
	vcpu->registers[VCPU_EDI] = RUN_DATA;
	RUN(vcpu, 0x66, 0x0F, 0xF7, 0xC1); /* maskmovdqu xmm0, xmm1 */
	CHECK_GIVEN(0x66, 0x0F, 0xF7, 0xC1);
	CHECK_EQ(given.registers[VCPU_EDI], UNIT_ADDRESS);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0xFFFFFFFF);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 12), 0);
}

TEST(the_units_faults_are_the_guests)
{
	static const struct {
		uint8_t vector;
		unsigned int raised;
		int64_t error;
	} rows[] = {{FAULT_MF, FAULT_MF, -1},
	            {FAULT_GP, FAULT_GP, 0},
	            {FAULT_UD, FAULT_UD, -1},
	            {FAULT_XM, FAULT_UD, -1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();
		answer = rows[i].vector;
		vcpu->registers[VCPU_EBX] = RUN_DATA;
		CHECK_EQ(RUN(vcpu, 0x0F, 0x29, 0x03), INTERPRET_DELIVERED); /* movaps [ebx], xmm0 */
		CHECK(run_faulted(vcpu, rows[i].raised, rows[i].error, RUN_CODE));
		CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0);
	}
	struct vcpu *vcpu = start();
	answer = FAULT_XM;
	vcpu->cr4 |= VCPU_CR4_OSXMMEXCPT;
	RUN(vcpu, 0x0F, 0x58, 0xC1);
	CHECK(run_faulted(vcpu, FAULT_XM, -1, RUN_CODE));
}

/* Row G6 of docs/limitations.md: with CR0.NE clear a PC would raise IRQ 13 instead. */
TEST(an_error_is_mf_whatever_ne_says)
{
	static const uint32_t rows[] = {0, VCPU_CR0_NE};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();
		answer = FAULT_MF;
		vcpu->cr0 = (vcpu->cr0 & ~VCPU_CR0_NE) | rows[i];
		CHECK_EQ(RUN(vcpu, 0x9B), INTERPRET_DELIVERED); /* fwait */
		CHECK(run_faulted(vcpu, FAULT_MF, -1, RUN_CODE));
	}
}

/* Behind the limit of the segment nothing can be read: the error that waits comes first, unless the
 * instruction is one that waits for none. 0F DD /6 is no fnsave. */
TEST(an_error_that_waits_comes_before_the_memory)
{
	static const struct {
		uint8_t bytes[3];
		int vector;
	} rows[] = {
	        {{0x0F, 0xDD, 0x37}, FAULT_MF}, /* paddusw mm6,[edi] */
	        {{0x0F, 0x2C, 0x37}, FAULT_MF}, /* cvttps2pi mm6,[edi] */
	        {{0x0F, 0xD9, 0x37}, FAULT_MF}, /* psubusw mm6,[edi] */
	        {{0xDD, 0x07, 0x90}, FAULT_MF}, /* fld qword [edi] */
	        {{0xDD, 0x37, 0x90}, FAULT_GP}, /* fnsave [edi] */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();
		answer = FAULT_MF;
		vcpu->fpu[2] = 0x80; /* the status: one that is not masked */
		vcpu->segments[VCPU_DS].limit = 0xFFF;
		vcpu->registers[VCPU_EDI] = 0x2000;
		run_write_bytes(rows[i].bytes, sizeof(rows[i].bytes));
		vcpu->eip = RUN_CODE;
		interpret_step(vcpu);
		CHECK(run_faulted(vcpu, rows[i].vector, rows[i].vector == FAULT_GP ? 0 : -1,
		                  RUN_CODE));
	}
}

TEST(who_may_use_the_unit)
{
	static const struct {
		uint8_t bytes[3];
		uint32_t cr0, cr4;
		int vector; /* -1: it runs */
	} rows[] = {
	        {{0xD9, 0xE8}, VCPU_CR0_TS, 0, FAULT_NM},
	        {{0xD9, 0xE8}, VCPU_CR0_EM, 0, FAULT_NM},
	        {{0x9B}, VCPU_CR0_TS, 0, -1},
	        {{0x9B}, VCPU_CR0_TS | VCPU_CR0_MP, 0, FAULT_NM},
	        {{0x9B}, VCPU_CR0_EM | VCPU_CR0_MP, 0, -1},
	        {{0x0F, 0x77}, VCPU_CR0_EM, 0, FAULT_UD},
	        {{0x0F, 0x77}, VCPU_CR0_TS, 0, FAULT_NM},
	        {{0x0F, 0x58, 0xC1}, 0, 0, FAULT_UD},
	        {{0x0F, 0x58, 0xC1}, VCPU_CR0_TS, VCPU_CR4_OSFXSR, FAULT_NM},
	        {{0x0F, 0x58, 0xC1}, VCPU_CR0_EM, VCPU_CR4_OSFXSR, FAULT_UD},
	        {{0x0F, 0xE0, 0xC1}, 0, 0, -1},       /* pavgb mm0, mm1 came with SSE but is MMX */
	        {{0x0F, 0x2C, 0x0F}, 0, 0, FAULT_UD}, /* cvttps2pi mm1,[edi] asks for both */
	        {{0x0F, 0xAE, 0xE8}, VCPU_CR0_TS, 0, -1}, /* lfence */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = start();
		vcpu->cr0 |= rows[i].cr0;
		vcpu->cr4 = rows[i].cr4;
		run_write_bytes(rows[i].bytes, sizeof(rows[i].bytes));
		vcpu->eip = RUN_CODE;
		CHECK_EQ(interpret_step(vcpu),
		         rows[i].vector < 0 ? INTERPRET_COMPLETED : INTERPRET_DELIVERED);
		if (rows[i].vector >= 0)
			CHECK(run_faulted(vcpu, (unsigned int)rows[i].vector, -1, RUN_CODE));
	}
}

UNIT_MAIN
