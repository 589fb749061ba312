/* Random page tables, random accesses: memory through the translation buffer must look exactly as
 * through a plain walk for each byte, down to every accessed and dirty bit. Two machines have the
 * same memory; the buffer is flushed only when the tables change. */
#include "tests/monitor/memory/plain_walk.h"

#include "monitor/cpu/identity.h"

#define ROUNDS      150
#define ACCESSES    600
#define TABLE_PAGES 16u
#define TABLES_END  (TABLE_PAGES * 0x1000)
#define WIDEST      12

static struct small_machine buffered;
static uint64_t state = 0x853C49E6748FEA9Bull;

static uint32_t random_below(uint32_t end)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545F4914F6CDD1Dull >> 32) % end);
}

static bool chance(uint32_t one_in)
{
	return random_below(one_in) == 0;
}

/* The plain machine. */

struct plain_result {
	int error; /* -1: none */
	uint32_t fault_at;
	bool wrote_table;
};

/* How many bytes come before the first that faults; `size` when none does. */
static size_t plain_translate_bytes(const struct vcpu *vcpu, uint32_t at, size_t size,
                                    enum access access, bool user, uint64_t *physical,
                                    struct plain_result *result)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t byte = at + (uint32_t)i;
		result->error = plain_translate(vcpu, byte, access, user, &physical[i]);
		result->fault_at = byte;
		if (result->error >= 0)
			return i;
	}
	return size;
}

static size_t plain_access(const struct vcpu *vcpu, uint32_t at, uint8_t *bytes, size_t size,
                           enum access access, bool user, struct plain_result *result)
{
	uint64_t physical[WIDEST];
	size_t good;

	*result = (struct plain_result){.error = -1};
	good = plain_translate_bytes(vcpu, at, size, access, user, physical, result);
	if (access != EXECUTE && good < size)
		return 0;
	for (size_t i = 0; i < good; i++) {
		bool is_ram = physical[i] < SMALL_RAM;
		if (access != WRITE)
			bytes[i] = is_ram ? plain.ram[physical[i]] : 0xFF;
		else if (is_ram)
			plain.ram[physical[i]] = bytes[i];
		result->wrote_table |= access == WRITE && physical[i] < TABLES_END;
	}
	return good;
}

/* Both machines. */

static uint64_t random_address(bool is_directory)
{
	if (is_directory)
		return chance(5) ? 0 : random_below(TABLE_PAGES) * 0x1000;
	if (chance(12))
		return 0x80000000;
	return chance(6) ? random_below(TABLE_PAGES) * 0x1000
	                 : TABLES_END + random_below(SMALL_RAM / 0x1000 - TABLE_PAGES) * 0x1000;
}

static uint64_t random_entry(bool is_directory, bool wide)
{
	uint64_t entry = random_address(is_directory) | (random_below(512) & ~BIT_PS);

	if (!chance(8))
		entry |= BIT_P;
	if (!chance(3))
		entry |= BIT_RW | BIT_US;
	if (is_directory && chance(3))
		entry = (entry & 0xFFF) | BIT_PS | (chance(6) ? 1 << 14 : 0);
	if (wide && chance(5))
		entry |= BIT_XD;
	if (wide && chance(30))
		entry |= 1ull << (36 + random_below(27));
	return entry;
}

/* The first two entries and the last are good for directories, which may also be tables. */
static void fill_tables(bool wide)
{
	uint32_t last = wide ? 511 : 1023;

	for (uint32_t page = 0; page < TABLES_END; page += 0x1000) {
		for (uint32_t i = 0; i <= last; i++) {
			uint64_t entry = random_entry(i < 2 || i == last, wide);
			if (wide)
				small_put64(&buffered, page + 8 * i, entry);
			else
				small_put32(&buffered, page + 4 * i, (uint32_t)entry);
		}
	}
}

static uint32_t random_linear(bool wide)
{
	static const uint32_t corners[] = {0, 1, UINT32_MAX};
	uint32_t at = random_below(8) << 12;

	at += corners[random_below(3)] << (wide ? 21 : 22);
	if (wide && chance(2))
		at ^= 0xC0000000;
	at += chance(4) ? 0x1000 - random_below(WIDEST) : random_below(0x1000);
	return chance(2) ? at & ~3u : at;
}

static void change_mode(struct vcpu *vcpu)
{
	uint32_t cr0 = VCPU_CR0_PE | VCPU_CR0_PG | (chance(2) ? VCPU_CR0_WP : 0);

	CHECK(control_write_cr(vcpu, 0, cr0));
	CHECK(identity_write_msr(vcpu, 0xC0000080, chance(2) ? VCPU_EFER_NXE : 0));
}

static struct vcpu *start_round(bool wide)
{
	struct vcpu *vcpu = small_start(&buffered);

	identity_start(&(struct identity_host){.nx = true});
	for (uint32_t i = TABLES_END; i < SMALL_RAM; i += 4)
		small_put32(&buffered, i, i * 0x9E3779B1u);
	fill_tables(wide);
	vcpu->cr3 = random_below(TABLE_PAGES) * 0x1000;
	vcpu->cr4 = (wide ? VCPU_CR4_PAE : 0) | (chance(4) ? 0 : VCPU_CR4_PSE) |
	            (chance(2) ? VCPU_CR4_PGE : 0);
	for (uint32_t i = 0; wide && i < 4; i++)
		small_put64(&buffered, vcpu->cr3 + 8 * i,
		            random_below(TABLE_PAGES) * 0x1000 | (chance(16) ? 0 : BIT_P));
	change_mode(vcpu);
	memcpy(plain.ram, buffered.ram, SMALL_RAM);
	return vcpu;
}

static size_t buffered_access(struct vcpu *vcpu, uint32_t at, uint8_t *bytes, size_t size,
                              enum access access, enum linear_as as)
{
	if (access == EXECUTE)
		return linear_fetch(vcpu, gva(at), bytes, size);
	if (access == READ)
		return linear_read(vcpu, gva(at), bytes, size, as) ? size : 0;
	if (chance(4) && !linear_check_write(vcpu, gva(at), size, as))
		return 0;
	return linear_write(vcpu, gva(at), bytes, size, as) ? size : 0;
}

static bool same_fault(struct vcpu *vcpu, const struct plain_result *wanted, size_t good)
{
	if (wanted->error < 0 || good)
		return !vcpu->event.pending;
	return small_took(vcpu, FAULT_PF, (uint32_t)wanted->error) && vcpu->cr2 == wanted->fault_at;
}

static bool access_both(struct vcpu *vcpu, bool wide)
{
	uint32_t at = random_linear(wide);
	enum access access = random_below(3);
	size_t size = chance(3) ? 1 + random_below(WIDEST) : 1u << random_below(3);
	uint8_t ours[WIDEST], theirs[WIDEST];
	struct plain_result wanted;

	vcpu->cpl = chance(2) ? 3 : (uint8_t)random_below(3);
	enum linear_as as = chance(4) && access != EXECUTE ? LINEAR_AS_SUPERVISOR : LINEAR_AS_CPL;
	bool user = vcpu->cpl == 3 && as == LINEAR_AS_CPL;
	for (size_t i = 0; i < WIDEST; i++)
		ours[i] = theirs[i] = (uint8_t)random_below(256);
	size_t good = buffered_access(vcpu, at, ours, size, access, as);
	if (plain_access(vcpu, at, theirs, size, access, user, &wanted) != good)
		return false;
	if (wanted.wrote_table)
		linear_flush(vcpu, true);
	return same_fault(vcpu, &wanted, good) && memcmp(ours, theirs, WIDEST) == 0;
}

static bool round_agrees(bool wide, unsigned int *faults_of_none)
{
	struct vcpu *vcpu = start_round(wide);

	for (unsigned int i = 0; i < ACCESSES; i++) {
		uint32_t cr2 = vcpu->cr2 = 0xDEADBEEF;
		if (!access_both(vcpu, wide))
			return false;
		*faults_of_none += vcpu->cr2 == cr2;
		if (chance(50))
			linear_flush(vcpu, chance(2));
		if (chance(50))
			linear_flush_page(vcpu, gva(random_linear(wide)));
		if (chance(100))
			change_mode(vcpu);
		if (i % 100 == 99 && memcmp(buffered.ram, plain.ram, SMALL_RAM) != 0)
			return false;
	}
	return true;
}

static void run(bool wide)
{
	unsigned int good = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t seed = state;
		if (round_agrees(wide, &good))
			continue;
		printf("round %u differs, seed %llx\n", i, (unsigned long long)seed);
		unit_failed = true;
		return;
	}
	/* Neither nothing but faults nor none: the accesses were worth something. */
	CHECK(good > ROUNDS * ACCESSES / 5);
	CHECK(good < ROUNDS * ACCESSES * 4 / 5);
}

TEST(two_levels)
{
	run(false);
}

TEST(pae)
{
	run(true);
}

UNIT_MAIN
