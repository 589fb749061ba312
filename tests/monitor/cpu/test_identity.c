#include "tests/monitor/memory/small_machine.h"

#include "monitor/cpu/identity.h"
#include "monitor/devices/local_apic.h"

static struct small_machine machine;

struct answer {
	uint32_t eax, ebx, ecx, edx;
};

static struct answer ask(uint32_t leaf)
{
	struct vcpu *vcpu = &machine.vm.vcpu;

	vcpu->registers[VCPU_EAX] = leaf;
	identity_cpuid(vcpu);
	return (struct answer){vcpu->registers[VCPU_EAX], vcpu->registers[VCPU_EBX],
	                       vcpu->registers[VCPU_ECX], vcpu->registers[VCPU_EDX]};
}

static uint64_t read_tsc(const struct vm *vm)
{
	(void)vm;
	return 1000;
}

TEST(who_it_is)
{
	char text[49] = {0};
	struct answer answer;

	small_start(&machine);
	answer = ask(0);
	CHECK_EQ(answer.eax, 7);
	memcpy(text, (uint32_t[]){answer.ebx, answer.edx, answer.ecx}, 12);
	CHECK_STR(text, "GenuineIntel");
	answer = ask(0x40000000);
	CHECK_EQ(answer.eax, 0x40000000);
	memcpy(text, &answer.ebx, 12);
	CHECK_STR(text, "RingfenceVMM");
	for (uint32_t i = 0; i < 3; i++) {
		answer = ask(0x80000002 + i);
		memcpy(text + 16 * i, &answer, 16);
	}
	CHECK_STR(text, "Ringfence virtual processor");
	CHECK_EQ(ask(0x80000000).eax, 0x80000008);
	CHECK_EQ(ask(0x80000008).eax, 0x2024);
}

TEST(features_with_and_without_vectors)
{
	small_start(&machine);
	identity_start(&(struct identity_host){0});
	CHECK_EQ(ask(1).eax, 0x686);
	CHECK_EQ(ask(1).edx, 0x0001E1FD);
	CHECK_EQ(ask(1).ecx, 0x80000000);
	CHECK_EQ(ask(0x80000001).edx, 0);
	identity_start(&(struct identity_host){true, true, true, true, true});
	CHECK_EQ(ask(0x80000001).edx, 1u << 20);
	CHECK_EQ(ask(1).edx, 0x0781E1FD);
	CHECK(identity_has(IDENTITY_SSE2));
	identity_start(&(struct identity_host){.mmx = true, .sse = true, .sse2 = true});
	CHECK_EQ(ask(1).edx, 0x0081E1FD);
	CHECK(!identity_has(IDENTITY_SSE2));
}

TEST(a_leaf_that_does_not_exist_gives_the_last_basic_one)
{
	static const uint32_t leaves[] = {8, 0x40000001, 0x80000009, 0xFFFFFFFF};
	struct answer last;

	small_start(&machine);
	machine.vm.vcpu.registers[VCPU_ECX] = 0;
	last = ask(7);
	for (unsigned int i = 0; i < 4; i++) {
		machine.vm.vcpu.registers[VCPU_ECX] = 0;
		struct answer answer = ask(leaves[i]);
		CHECK(memcmp(&answer, &last, sizeof(last)) == 0);
	}
}

static bool write_refused(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
	return !identity_write_msr(vcpu, number, value) && small_took(vcpu, FAULT_GP, 0);
}

TEST(unknown_registers)
{
	struct vcpu *vcpu = small_start(&machine);
	static const uint32_t numbers[] = {0, 0x1B, 0x1A0, 0xFE, 0x200, 0x40000000, 0xC0000081};
	uint64_t value;

	for (unsigned int i = 0; i < 7; i++) {
		CHECK(write_refused(vcpu, numbers[i], 0));
		CHECK(!identity_read_msr(vcpu, numbers[i], &value));
		CHECK(small_took(vcpu, FAULT_GP, 0));
	}
}

static uint64_t msr_after(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
	uint64_t read = 0;

	CHECK(identity_write_msr(vcpu, number, value));
	CHECK(identity_read_msr(vcpu, number, &read));
	return read;
}

TEST(registers_keep_what_they_are_given)
{
	struct vcpu *vcpu = small_start(&machine);

	machine.vm.read_tsc = read_tsc;
	CHECK_EQ(msr_after(vcpu, 0x10, 0x123456789ABC), 0x123456789ABC);
	CHECK_EQ(msr_after(vcpu, 0x10, 5), 5);
	CHECK_EQ(msr_after(vcpu, 0x8B, 5), 0);
	CHECK_EQ(msr_after(vcpu, 0x174, 0x12345678), 0x12345678);
	CHECK_EQ(msr_after(vcpu, 0x175, 0xFFFFFFFF80000001), 0x80000001);
	CHECK_EQ(msr_after(vcpu, 0x176, 0xC0001234), 0xC0001234);
	CHECK_EQ(vcpu->sysenter_cs, 0x12345678);
	CHECK_EQ(vcpu->sysenter_esp, 0x80000001);
	CHECK_EQ(vcpu->sysenter_eip, 0xC0001234);
}

/* Linux compares the counter with its own ticks until it has found a better clock, unless the
 * processor says that this is no use; on a busy computer, where ticks come late, it gave it up. */
TEST(the_counter_needs_no_watchdog_and_tells_who_has_moved_it)
{
	struct vcpu *vcpu = small_start(&machine);
	uint64_t value;

	CHECK_EQ(ask(0x80000007).edx, 1u << 8);
	vcpu->registers[VCPU_ECX] = 0;
	CHECK_EQ(ask(7).ebx, 1u << 1);
	vcpu->registers[VCPU_ECX] = 1;
	CHECK_EQ(ask(7).ebx, 0);
	machine.vm.read_tsc = read_tsc;
	vcpu->tsc_offset = 7;
	CHECK(identity_read_msr(vcpu, 0x3B, &value));
	CHECK_EQ(value, 0);
	CHECK_EQ(msr_after(vcpu, 0x3B, 100), 100);
	CHECK(identity_read_msr(vcpu, 0x10, &value));
	CHECK_EQ(value, 1107);
	CHECK_EQ(msr_after(vcpu, 0x10, 1007), 1007);
	CHECK(identity_read_msr(vcpu, 0x3B, &value));
	CHECK_EQ(value, 0);
}

TEST(machine_checks_have_no_bank)
{
	struct vcpu *vcpu = small_start(&machine);
	uint64_t value = 1;

	CHECK(identity_read_msr(vcpu, 0x179, &value));
	CHECK_EQ(value, 0);
	CHECK(write_refused(vcpu, 0x179, 0));
	CHECK_EQ(msr_after(vcpu, 0x17A, 5), 5);
	CHECK_EQ(msr_after(vcpu, 0x17A, 0), 0);
	CHECK(write_refused(vcpu, 0x17A, 8));
	CHECK(write_refused(vcpu, 0x400, 0));
}

static uint64_t read_time(const struct vm *vm)
{
	(void)vm;
	return 0;
}

TEST(the_local_apic_is_seen_where_there_is_one_and_it_is_on)
{
	static struct local_apic apic;
	struct vcpu *vcpu = small_start(&machine);

	CHECK(!(ask(1).edx & 1u << 9));
	local_apic_reset(&apic);
	machine.vm.local_apic = &apic;
	machine.vm.read_time = read_time;
	CHECK(ask(1).edx & 1u << 9);
	CHECK_EQ(msr_after(vcpu, 0x1B, 0xFEE00100), 0xFEE00100);
	CHECK(!(ask(1).edx & 1u << 9));
	CHECK_EQ(msr_after(vcpu, 0x1B, 0xFEE00900), 0xFEE00900);
	CHECK(ask(1).edx & 1u << 9);
	CHECK(write_refused(vcpu, 0x1B, 0xFED00900));
}

TEST(memory_types)
{
	struct vcpu *vcpu = small_start(&machine);
	uint64_t value = 0;

	CHECK(identity_read_msr(vcpu, 0x277, &value));
	CHECK_EQ(value, 0x0007040600070406);
	for (uint64_t type = 0; type < 256; type++) {
		bool good = type < 2 || (type >= 4 && type < 8);
		for (unsigned int at = 0; at < 64; at += 8)
			CHECK(good ? msr_after(vcpu, 0x277, type << at) == type << at
			           : write_refused(vcpu, 0x277, type << at));
	}
}

TEST(efer_has_one_bit_and_flushes)
{
	struct vcpu *vcpu = small_start(&machine);

	identity_start(&(struct identity_host){0});
	CHECK(write_refused(vcpu, 0xC0000080, 1u << 11));
	identity_start(&(struct identity_host){.nx = true});
	for (unsigned int bit = 0; bit < 64; bit++)
		CHECK(bit == 11 ? msr_after(vcpu, 0xC0000080, 1u << 11) == 1u << 11
		                : write_refused(vcpu, 0xC0000080, 1ull << bit));
	vcpu->tlb[1] = (struct vcpu_tlb_entry){.tag = 0x1001, .global = true, .listed = true};
	vcpu->tlb_listed[vcpu->tlb_listed_count++] = 1;
	vcpu->tlb_has_global = true;
	CHECK_EQ(msr_after(vcpu, 0xC0000080, 0), 0);
	CHECK_EQ(vcpu->tlb[1].tag, 0);
}

UNIT_MAIN
