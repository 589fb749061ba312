/* Every combination of rights on both levels, of CR0.WP, EFER.NXE, ring and access, against the
 * manual's sentences written down once more, one after the other. */
#include "tests/monitor/memory/small_machine.h"

static struct small_machine machine;

#define DIRECTORY 0x1000u
#define POINTERS  0x3000u
#define TABLE     0x2000u
#define PAGE      0x5000u
#define LINEAR    0x5123u

enum format { TWO_LEVEL, TWO_LEVEL_LARGE, PAE_SMALL, PAE_LARGE, FORMATS };
enum access { READ, WRITE, EXECUTE, ACCESSES };

struct combination {
	enum format format;
	enum access access;
	bool wp, nxe, system;
	unsigned int cpl;
	unsigned int directory, leaf; /* P, RW, US, XD, reserved in bits 0 to 4 */
};

struct verdict {
	bool good;
	uint32_t error;
};

static bool is_pae(const struct combination *c)
{
	return c->format == PAE_SMALL || c->format == PAE_LARGE;
}

static bool is_large(const struct combination *c)
{
	return c->format == TWO_LEVEL_LARGE || c->format == PAE_LARGE;
}

/* The bits that the error code has whatever went wrong. */
static uint32_t error_of_access(const struct combination *c)
{
	uint32_t error = 0;

	if (c->access == WRITE)
		error += 2;
	if (c->cpl == 3 && !c->system)
		error += 4;
	if (c->access == EXECUTE && is_pae(c) && c->nxe)
		error += 16;
	return error;
}

static bool reserved_in(const struct combination *c, unsigned int entry)
{
	if (c->format == TWO_LEVEL)
		return false;
	if (is_pae(c) && (entry & 8) && !c->nxe)
		return true;
	return entry & 16;
}

static struct verdict by_the_manual(const struct combination *c)
{
	const struct verdict not_there = {false, error_of_access(c)};
	const struct verdict reserved = {false, error_of_access(c) + 8 + 1};
	const struct verdict not_allowed = {false, error_of_access(c) + 1};
	const struct verdict good = {true, 0};
	unsigned int leaf = is_large(c) ? c->directory : c->leaf;

	if (!(c->directory & 1))
		return not_there;
	if (reserved_in(c, c->directory))
		return reserved;
	if (!(leaf & 1))
		return not_there;
	if (reserved_in(c, leaf))
		return reserved;
	bool writable_page = (c->directory & 2) && (leaf & 2);
	bool user_page = (c->directory & 4) && (leaf & 4);
	bool executable_page = !is_pae(c) || !((c->directory & 8) || (leaf & 8));
	if (c->access == EXECUTE && !executable_page)
		return not_allowed;
	if (c->cpl < 3 || c->system)
		return c->access == WRITE && c->wp && !writable_page ? not_allowed : good;
	if (!user_page)
		return not_allowed;
	return c->access == WRITE && !writable_page ? not_allowed : good;
}

static uint64_t entry(const struct combination *c, unsigned int bits, uint32_t address, bool large)
{
	uint64_t value = address | (bits & 7) | (large ? BIT_PS : 0);

	if (is_pae(c) && (bits & 8))
		value |= BIT_XD;
	if (bits & 16)
		value |= is_pae(c) ? 1ull << 40 : large ? 1u << 13 : 0;
	return value;
}

static struct vcpu *build(const struct combination *c)
{
	struct vcpu *vcpu = &machine.vm.vcpu;
	uint64_t directory = entry(c, c->directory, is_large(c) ? 0 : TABLE, is_large(c));
	uint64_t leaf = entry(c, c->leaf, PAGE, false);

	vcpu->cpl = 0;
	vcpu->cr0 = 0x11;
	vcpu->cr4 = VCPU_CR4_PSE | (is_pae(c) ? VCPU_CR4_PAE : 0);
	vcpu->efer = c->nxe ? VCPU_EFER_NXE : 0;
	if (is_pae(c)) {
		small_put64(&machine, POINTERS, DIRECTORY | BIT_P);
		small_put64(&machine, DIRECTORY, directory);
		small_put64(&machine, TABLE + 5 * 8, leaf);
	} else {
		small_put32(&machine, DIRECTORY, (uint32_t)directory);
		small_put32(&machine, TABLE + 5 * 4, (uint32_t)leaf);
	}
	CHECK(control_write_cr(vcpu, 3, is_pae(c) ? POINTERS : DIRECTORY));
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG | (c->wp ? VCPU_CR0_WP : 0)));
	vcpu->cpl = (uint8_t)c->cpl;
	vcpu->cr2 = 0;
	return vcpu;
}

static bool try_it(struct vcpu *vcpu, const struct combination *c)
{
	enum linear_as as = c->system ? LINEAR_AS_SUPERVISOR : LINEAR_AS_CPL;
	uint32_t value = 0;

	if (c->access == EXECUTE)
		return linear_fetch(vcpu, gva(LINEAR), (uint8_t *)&value, 1) == 1;
	if (c->access == WRITE)
		return linear_write(vcpu, gva(LINEAR), &value, 1, as);
	return linear_read(vcpu, gva(LINEAR), &value, 1, as);
}

static bool is_marked(const struct combination *c, bool good)
{
	uint32_t scale = is_pae(c) ? 8 : 4;
	uint32_t directory = small_get32(&machine, DIRECTORY);
	uint32_t leaf = is_large(c) ? directory : small_get32(&machine, TABLE + 5 * scale);
	uint32_t dirty = good && c->access == WRITE ? BIT_D : 0;

	return (directory & BIT_A) == (good ? BIT_A : 0) && (leaf & BIT_A) == (good ? BIT_A : 0) &&
	       (leaf & BIT_D) == dirty && (is_large(c) || !(directory & BIT_D));
}

static bool agrees(const struct combination *c)
{
	struct verdict wanted = by_the_manual(c);
	struct vcpu *vcpu = build(c);

	if (try_it(vcpu, c) != wanted.good || !is_marked(c, wanted.good))
		return false;
	if (wanted.good)
		return !vcpu->event.pending && vcpu->cr2 == 0;
	return small_took(vcpu, FAULT_PF, wanted.error) && vcpu->cr2 == LINEAR;
}

static unsigned int try_entries(struct combination c)
{
	unsigned int tried = 0;

	for (c.directory = 0; c.directory < 32; c.directory++) {
		for (c.leaf = 0; c.leaf < 32; c.leaf++, tried++) {
			if (agrees(&c))
				continue;
			printf("format %d access %d wp %d nxe %d system %d cpl %u pde %u pte %u\n",
			       c.format, c.access, c.wp, c.nxe, c.system, c.cpl, c.directory,
			       c.leaf);
			unit_failed = true;
			return tried;
		}
	}
	return tried;
}

static unsigned int try_modes(enum format format)
{
	unsigned int tried = 0;

	for (unsigned int mode = 0; mode < 96 && !unit_failed; mode++) {
		struct combination c = {.format = format,
		                        .access = mode / 32,
		                        .wp = mode & 1,
		                        .nxe = mode & 2,
		                        .cpl = mode / 4 % 4,
		                        .system = mode & 16};
		if (c.access != EXECUTE || !c.system)
			tried += try_entries(c);
	}
	return tried;
}

TEST(two_level_pages)
{
	small_start(&machine);
	CHECK_EQ(try_modes(TWO_LEVEL), 80 * 1024);
}

TEST(two_level_large_pages)
{
	small_start(&machine);
	CHECK_EQ(try_modes(TWO_LEVEL_LARGE), 80 * 1024);
}

TEST(pae_pages)
{
	small_start(&machine);
	CHECK_EQ(try_modes(PAE_SMALL), 80 * 1024);
}

TEST(pae_large_pages)
{
	small_start(&machine);
	CHECK_EQ(try_modes(PAE_LARGE), 80 * 1024);
}

/* A bit that is reserved in one format may be free in another. */
static bool faults_with(enum format format, uint64_t directory, uint64_t leaf, uint32_t error)
{
	struct combination c = {.format = format, .directory = 7, .leaf = 7};
	struct vcpu *vcpu = build(&c);
	uint8_t byte;

	if (directory && is_pae(&c))
		small_put64(&machine, DIRECTORY, directory);
	else if (directory)
		small_put32(&machine, DIRECTORY, (uint32_t)directory);
	if (leaf && is_pae(&c))
		small_put64(&machine, TABLE + 5 * 8, leaf);
	else if (leaf)
		small_put32(&machine, TABLE + 5 * 4, (uint32_t)leaf);
	if (linear_read(vcpu, gva(LINEAR), &byte, 1, LINEAR_AS_CPL))
		return error == 0;
	return small_took(vcpu, FAULT_PF, error);
}

TEST(each_reserved_bit)
{
	small_start(&machine);
	for (unsigned int bit = 13; bit <= 21; bit++)
		CHECK(faults_with(TWO_LEVEL_LARGE, BITS_ALL | BIT_PS | 1u << bit, 0, 9));
	CHECK(faults_with(TWO_LEVEL_LARGE, BITS_ALL | BIT_PS | 1u << 12, 0, 0));
	for (unsigned int bit = 13; bit <= 20; bit++)
		CHECK(faults_with(PAE_LARGE, BITS_ALL | BIT_PS | 1u << bit, 0, 9));
	CHECK(faults_with(PAE_LARGE, BITS_ALL | BIT_PS | 1u << 12, 0, 0));
	CHECK(faults_with(PAE_LARGE, BITS_ALL | BIT_PS | 1u << 21, 0, 0));
	for (unsigned int bit = 36; bit <= 63; bit++) {
		CHECK(faults_with(PAE_LARGE, BITS_ALL | BIT_PS | 1ull << bit, 0, 9));
		CHECK(faults_with(PAE_SMALL, BITS_ALL | TABLE | 1ull << bit, 0, 9));
		CHECK(faults_with(PAE_SMALL, 0, BITS_ALL | PAGE | 1ull << bit, 9));
	}
	CHECK(faults_with(PAE_SMALL, 0, BITS_ALL | PAGE | 1ull << 35, 0));
	CHECK(faults_with(PAE_SMALL, 0, BITS_ALL | PAGE | 0xF80, 0));
	CHECK(faults_with(TWO_LEVEL, 0, BITS_ALL | PAGE | 0xF80, 0));
}

TEST(without_pse_the_size_bit_means_nothing)
{
	struct combination c = {.format = TWO_LEVEL, .directory = 7, .leaf = 7};
	struct vcpu *vcpu;
	uint8_t byte = 0;

	small_start(&machine);
	vcpu = build(&c);
	vcpu->cr4 &= ~VCPU_CR4_PSE;
	small_put32(&machine, DIRECTORY, TABLE | BITS_ALL | BIT_PS);
	machine.ram[PAGE + 0x123] = 0x77;
	CHECK(linear_read(vcpu, gva(LINEAR), &byte, 1, LINEAR_AS_CPL));
	CHECK_EQ(byte, 0x77);
}

TEST(tables_where_no_ram_is)
{
	struct vcpu *vcpu = small_start(&machine);
	uint32_t value = 0;

	/* All ones: a table at FFFFF000, whose entries are all ones again. */
	CHECK(control_write_cr(vcpu, 3, 0x80000000));
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG));
	CHECK(linear_read(vcpu, gva(0x1234), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(value, 0xFFFFFFFF);
	/* With large pages, all ones have reserved bits. */
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PSE));
	CHECK(!linear_read(vcpu, gva(0x1234), &value, 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 9));
	/* With PAE they are already refused as page-directory pointers. */
	CHECK(!control_write_cr(vcpu, 4, VCPU_CR4_PAE));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	CHECK_EQ(vcpu->cr4, VCPU_CR4_PSE);
}

TEST(a_pointer_that_is_not_present)
{
	struct vcpu *vcpu = small_start(&machine);
	uint32_t value;

	vcpu->cr4 = VCPU_CR4_PAE;
	small_put64(&machine, POINTERS + 24, DIRECTORY | BIT_P);
	CHECK(control_write_cr(vcpu, 3, POINTERS));
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG));
	small_put64(&machine, POINTERS, DIRECTORY | BIT_P); /* too late: they are latched */
	CHECK(!linear_write(vcpu, gva(0x1234), &(uint32_t){0}, 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 2));
	small_put64(&machine, DIRECTORY, BITS_ALL | BIT_PS);
	CHECK(linear_read(vcpu, gva(0xC0001234), &value, 4, LINEAR_AS_CPL));
}

UNIT_MAIN
