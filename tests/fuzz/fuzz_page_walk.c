/* The guest's page tables: entries, control registers and accesses from the input, on two machines.
 *
 * Walk and translation buffer answer as the plain walk does, which knows nothing of either: the
 * same address or the same page fault, the same byte, the same accessed and dirty bits at the end.
 */
#include "monitor/memory/page_walk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/monitor/memory/plain_walk.h"

#define TABLE_PAGES 8u
#define TABLES_END  (TABLE_PAGES * 0x1000u)

static struct small_machine machine;

static void set_registers(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint8_t bits = fuzz_take8(input);

	vcpu->cr0 = VCPU_CR0_PE | VCPU_CR0_PG | (bits & 1 ? VCPU_CR0_WP : 0);
	vcpu->cr4 = (bits & 2 ? VCPU_CR4_PAE : 0) | (bits & 4 ? VCPU_CR4_PSE : 0) |
	            (bits & 8 ? VCPU_CR4_PGE : 0);
	vcpu->efer = bits & 16 ? VCPU_EFER_NXE : 0;
	vcpu->cr3 = (bits >> 5) % TABLE_PAGES * 0x1000u;
	if (vcpu->cr4 & VCPU_CR4_PAE && !page_walk_read_pdptes(vcpu, vcpu->cr3, vcpu->pdptes))
		memset(vcpu->pdptes, 0, sizeof(vcpu->pdptes));
	linear_flush(vcpu, true);
}

/* Addresses are made small where the input says so, to lead to another table more often. */
static void set_entry(struct vcpu *vcpu, struct fuzz_input *input)
{
	bool wide = vcpu->cr4 & VCPU_CR4_PAE;
	uint8_t place = fuzz_take8(input);
	uint32_t index = place & 0x80 ? fuzz_take16(input) : fuzz_take8(input);
	uint32_t at = (place % TABLE_PAGES * 0x1000u) + (wide ? index % 512 * 8 : index % 1024 * 4);
	uint64_t entry = place & 0x40 ? fuzz_take(input, 8)
	                              : fuzz_take8(input) % 32 * 0x1000u | fuzz_take16(input) % 512;

	if (wide) {
		small_put64(&machine, at, entry);
		small_put64(&plain, at, entry);
	} else {
		small_put32(&machine, at, (uint32_t)entry);
		small_put32(&plain, at, (uint32_t)entry);
	}
	linear_flush(vcpu, true);
}

static void compare_access(struct vcpu *vcpu, uint32_t at, enum access access, uint8_t byte)
{
	bool user = vcpu->cpl == 3;
	uint64_t physical = 0;
	uint8_t theirs = 0xFF, ours = 0xFF;
	int error = plain_translate(vcpu, at, access, user, &physical);
	bool is_ram = error < 0 && physical < SMALL_RAM;
	bool good;

	if (access == WRITE)
		good = linear_write(vcpu, gva(at), &byte, 1, LINEAR_AS_CPL);
	else if (access == READ)
		good = linear_read(vcpu, gva(at), &ours, 1, LINEAR_AS_CPL);
	else
		good = linear_fetch(vcpu, gva(at), &ours, 1) == 1;
	MUST(good == (error < 0));
	if (!good) {
		MUST(small_took(vcpu, FAULT_PF, (uint32_t)error));
		MUST(vcpu->cr2 == at);
		return;
	}
	if (is_ram && access == WRITE)
		plain.ram[physical] = byte;
	else if (is_ram)
		theirs = plain.ram[physical];
	MUST(ours == theirs);
	/* A write to a table is seen by the plain walk at once, by the buffer after a flush. */
	if (is_ram && access == WRITE && physical < TABLES_END)
		linear_flush(vcpu, true);
}

static void compare_walk(struct vcpu *vcpu, uint32_t at, enum access access)
{
	bool user = vcpu->cpl == 3;
	uint32_t error = 0, kind = (access == WRITE ? PAGE_WALK_WRITE : 0) |
	                           (access == EXECUTE ? PAGE_WALK_FETCH : 0) |
	                           (user ? PAGE_WALK_USER : 0);
	struct page_walk found, again;
	uint64_t physical = 0;
	int wanted = plain_translate(vcpu, at, access, user, &physical);
	bool good = page_walk(vcpu, gva(at), kind, &found, &error);

	MUST(good == (wanted < 0));
	if (!good) {
		MUST(error == (uint32_t)wanted);
		return;
	}
	MUST(found.page.value == (physical & ~0xFFFull));
	MUST(page_walk(vcpu, gva(at), kind | PAGE_WALK_AGAIN, &again, &error));
}

static void make_access(struct vcpu *vcpu, struct fuzz_input *input)
{
	uint8_t how = fuzz_take8(input);
	uint32_t at = how & 0x80 ? fuzz_take32(input)
	                         : (uint32_t)fuzz_take8(input) << 12 | fuzz_take8(input) << 4;
	enum access access = how % 3;

	vcpu->cpl = how & 0x40 ? 3 : 0;
	if (how & 0x20)
		compare_walk(vcpu, at, access);
	else
		compare_access(vcpu, at, access, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct vcpu *vcpu = small_start(&machine);

	memset(plain.ram, 0, sizeof(plain.ram));
	set_registers(vcpu, &input);
	while (input.left) {
		switch (fuzz_take8(&input) & 7) {
		case 0:
			set_registers(vcpu, &input);
			break;
		case 1:
		case 2:
		case 3:
			set_entry(vcpu, &input);
			break;
		default:
			make_access(vcpu, &input);
		}
	}
	MUST(memcmp(machine.ram, plain.ram, SMALL_RAM) == 0);
	return 0;
}
