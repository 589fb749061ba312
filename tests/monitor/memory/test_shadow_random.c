/* Random page tables of all formats, recursive and shared ones among them, random writes to them,
 * random loads of control registers, random accesses. The real processor, walking the shadow, must
 * never be allowed what the guest's tables forbid, never get another address, never write to a
 * watched page or without the guest's accessed and dirty bits; and what shadow_fault() says is
 * mended must work at the next try. Where tables are loose, what they have said since the last
 * flush will do. The guest's walk here is an own one. */
#include "tests/monitor/memory/shadow_machine.h"

#include "kernel/statistics.h"
#include "monitor/memory/shadow_state.h"

#define ROUNDS      60
#define STEPS       9000
#define TABLE_PAGES 12u
#define TABLES_END  (TABLE_PAGES * 0x1000)

static struct shadow_machine machine;
static struct vcpu *const vcpu = &machine.vm.vcpu;
static uint64_t state = 0x853C49E6748FEA9Bull;
static uint32_t slot;
static bool has_slot;
static unsigned long accesses, mapped, emulated, true_faults, larges, stale;

/* All tables as they were before each write since the last flush, while any was loose; and which of
 * them the leaves are to be read from. */
#define PASTS_MAX 64
static uint8_t pasts[PASTS_MAX][TABLES_END];
static unsigned int past_count;
static const uint8_t *leaves;

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

/* The guest's walk, by the manual. */

struct plain {
	int error; /* -1: none */
	uint64_t physical;
	bool writable;  /* by the entries alone */
	bool is_marked; /* the accessed and dirty bits are already as the access sets them */
};

static uint64_t plain_entry(uint64_t at, bool wide)
{
	uint64_t entry = wide ? UINT64_MAX : UINT32_MAX;

	if (at < SHADOW_RAM)
		memcpy(&entry, machine.ram + at, wide ? 8 : 4);
	return entry;
}

static uint64_t plain_leaf(uint64_t at, bool wide)
{
	uint64_t entry = 0;

	if (at >= TABLES_END || !leaves)
		return plain_entry(at, wide);
	memcpy(&entry, leaves + at, wide ? 8 : 4);
	return entry;
}

static void before_a_write(void)
{
	if (!machine.vm.shadow->loose)
		return;
	if (past_count == PASTS_MAX) {
		linear_flush(vcpu, true);
		shadow_root(vcpu);
		past_count = 0;
		return;
	}
	memcpy(pasts[past_count++], machine.ram, TABLES_END);
}

static bool plain_is_marked(uint64_t pde, uint64_t pte, uint32_t access)
{
	uint64_t wanted = BIT_A | (access & PAGE_WALK_WRITE ? BIT_D : 0);

	return (pde & BIT_A) && (pte & wanted) == wanted;
}

/* What both formats have in common, from the two entries on; for a large page they are one. */
static struct plain plain_finish(uint64_t pde, uint64_t pte, uint32_t access, int base,
                                 uint64_t physical)
{
	struct plain result = {base | 1, physical, pde & pte & BIT_RW,
	                       plain_is_marked(pde, pte, access)};
	bool user = access & PAGE_WALK_USER;

	if (user && !(pde & pte & BIT_US))
		return result;
	if ((access & PAGE_WALK_FETCH) && ((pde | pte) & BIT_XD))
		return result;
	if ((access & PAGE_WALK_WRITE) && !result.writable && (user || (vcpu->cr0 & VCPU_CR0_WP)))
		return result;
	result.error = -1;
	return result;
}

static struct plain plain_pae(uint32_t at, uint32_t access)
{
	bool nx = vcpu->efer & VCPU_EFER_NXE;
	int base = (int)(nx ? access : access & ~PAGE_WALK_FETCH);
	uint64_t bad = 0x7FFFFFF000000000ull | (nx ? 0 : BIT_XD);
	uint64_t pointer = vcpu->pdptes[at >> 30], pde, pte;

	if (!(pointer & BIT_P))
		return (struct plain){.error = base};
	pde = plain_entry((pointer & 0xFFFFFF000ull) + 8 * (at >> 21 & 511), true);
	if (!(pde & BIT_P))
		return (struct plain){.error = base};
	if (pde & (bad | (pde & BIT_PS ? 0x1FE000 : 0)))
		return (struct plain){.error = base | 9};
	if (pde & BIT_PS)
		return plain_finish(pde, pde, access, base,
		                    (pde & 0xFFFE00000ull) + (at & 0x1FFFFF));
	pte = plain_leaf((pde & 0xFFFFFF000ull) + 8 * (at >> 12 & 511), true);
	if (!(pte & BIT_P))
		return (struct plain){.error = base};
	if (pte & bad)
		return (struct plain){.error = base | 9};
	return plain_finish(pde, pte, access, base, (pte & 0xFFFFFF000ull) + (at & 0xFFF));
}

static struct plain plain_two_level(uint32_t at, uint32_t access)
{
	int base = (int)(access & ~PAGE_WALK_FETCH);
	uint64_t pde = plain_entry((vcpu->cr3 & 0xFFFFF000) + 4 * (at >> 22), false), pte;

	if (!(pde & BIT_P))
		return (struct plain){.error = base};
	if ((pde & BIT_PS) && (vcpu->cr4 & VCPU_CR4_PSE)) {
		if (pde & 0x3FE000)
			return (struct plain){.error = base | 9};
		return plain_finish(pde, pde, access, base, (pde & 0xFFC00000) + (at & 0x3FFFFF));
	}
	pte = plain_leaf((pde & 0xFFFFF000) + 4ull * (at >> 12 & 1023), false);
	if (!(pte & BIT_P))
		return (struct plain){.error = base};
	return plain_finish(pde, pte, access, base, (pte & 0xFFFFF000) + (at & 0xFFF));
}

static struct plain plain_walk(uint32_t at, uint32_t access)
{
	if (!(vcpu->cr0 & VCPU_CR0_PG))
		return (struct plain){-1, at, true, true};
	return vcpu->cr4 & VCPU_CR4_PAE ? plain_pae(at, access) : plain_two_level(at, access);
}

/* Random tables. Entries for directories lead to table pages more often, leaves to data. */

static uint64_t random_address(bool is_directory)
{
	if (is_directory || chance(6))
		return random_below(TABLE_PAGES) * 0x1000;
	if (chance(12))
		return 0xF0000000;
	return random_below(SHADOW_RAM / 0x1000) * 0x1000;
}

static uint64_t random_entry(bool is_directory, bool wide)
{
	uint64_t entry = random_address(is_directory) | (random_below(512) & ~BIT_PS);

	if (!chance(16))
		entry |= BIT_P;
	if (!chance(4))
		entry |= BIT_RW | BIT_US | BIT_A;
	if (is_directory && chance(3))
		entry = (entry & 0xFFF) | BIT_PS | (chance(6) ? 1 << 14 : 0) |
		        (uint64_t)random_below(6) << 21;
	if (wide && chance(8))
		entry |= BIT_XD;
	if (wide && chance(60))
		entry |= 1ull << (36 + random_below(27));
	return entry;
}

static bool is_wide(void)
{
	return vcpu->cr4 & VCPU_CR4_PAE;
}

/* The first two entries and the last are good for directories, which may also be tables. */
static uint32_t random_index(bool wide)
{
	uint32_t last = wide ? 511 : 1023;

	return chance(3) ? last : random_below(8);
}

static void write_random_entry(void)
{
	bool wide = is_wide();
	uint32_t index = random_index(wide);
	uint64_t entry = random_entry(index < 2 || index > 500, wide);
	uint32_t at = random_below(TABLE_PAGES) * 0x1000 + index * (wide ? 8 : 4);

	before_a_write();
	if (wide && chance(2)) {
		shadow_put32(&machine, at, (uint32_t)entry);
		if (chance(4))
			return;
		before_a_write();
		shadow_put32(&machine, at + 4, (uint32_t)(entry >> 32));
	} else if (wide) {
		shadow_put64(&machine, at, entry);
	} else {
		shadow_put32(&machine, at, (uint32_t)entry);
	}
}

/* Any bytes anywhere in the tables; sometimes a lot of them. */
static void write_random_bytes(void)
{
	uint8_t bytes[64];
	uint32_t size = 1 + random_below(chance(10) ? sizeof(bytes) : 9);
	uint32_t at = random_below(TABLE_PAGES) * 0x1000 + random_below(40);

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_below(256);
	before_a_write();
	guest_memory_write(&machine.vm, gpa(at), bytes, size);
}

static void fill_tables(void)
{
	for (uint32_t i = 0; i < TABLE_PAGES * 60; i++)
		write_random_entry();
}

/* As a kernel does that looks for pages nobody uses, or shares them until they are written to. */
static void take_bits_away(void)
{
	uint32_t size = is_wide() ? 8 : 4;
	uint32_t at = random_below(TABLE_PAGES) * 0x1000 + random_index(is_wide()) * size;
	uint32_t bits = chance(2) ? BIT_A : chance(2) ? BIT_D : BIT_RW;

	before_a_write();
	if (chance(2))
		shadow_put32(&machine, at, shadow_get32(&machine, at) & ~bits);
	else
		guest_memory_write(&machine.vm, gpa(at),
		                   &(uint8_t){(uint8_t)(machine.ram[at] & ~bits)}, 1);
}

static uint32_t random_linear(void)
{
	static const uint32_t corners[] = {0, 1, UINT32_MAX};
	uint32_t at = chance(5) ? UINT32_MAX << 12 : random_below(8) << 12;

	if (!(vcpu->cr0 & VCPU_CR0_PG))
		return random_below(SHADOW_RAM + 0x2000);
	if (chance(20))
		return random_below(0x1000000);
	at += corners[random_below(3)] << (is_wide() ? 21 : 22);
	if (is_wide() && chance(2))
		at ^= random_below(4) << 30;
	return at + random_below(0x1000);
}

static uint32_t random_access(void)
{
	static const uint32_t kinds[] = {0, PAGE_WALK_WRITE, PAGE_WALK_FETCH};

	return kinds[random_below(3)] | (chance(2) ? PAGE_WALK_USER : 0);
}

static void load_cr3(void)
{
	uint32_t cr3 = random_below(TABLE_PAGES) * 0x1000;

	if (chance(30))
		cr3 = 0xF0000000;
	vcpu->cr3 = cr3;
	for (uint32_t i = 0; is_wide() && i < 4; i++)
		vcpu->pdptes[i] = random_below(TABLE_PAGES) * 0x1000 | (chance(8) ? 0 : BIT_P);
	linear_flush(vcpu, true);
}

static void change_mode(void)
{
	vcpu->cr0 = VCPU_CR0_PE | (chance(5) ? 0 : VCPU_CR0_PG) | (chance(2) ? VCPU_CR0_WP : 0);
	vcpu->cr4 = (chance(2) ? VCPU_CR4_PAE : 0) | (chance(4) ? 0 : VCPU_CR4_PSE);
	vcpu->efer = chance(4) ? 0 : VCPU_EFER_NXE;
	fill_tables();
	load_cr3();
}

static void move_slot(void)
{
	static const uint32_t places[] = {0x00400000, 0x00C00000, 0x40000000, 0xFFC00000};

	slot = places[random_below(4)];
	has_slot = true;
	shadow_set_slot(&machine.vm, slot, (uint64_t[2]){SLOT_ENTRY(0), SLOT_ENTRY(1)});
}

static void watch_randomly(void)
{
	gpa_t page = gpa(random_below(SHADOW_RAM / 0x1000) * 0x1000ull);

	if (chance(2))
		watch_start(&machine.vm, page, WATCH_CODE);
	else
		watch_stop(&machine.vm, page, WATCH_CODE);
}

/* The interpreter's write, through its buffer, which may be stale but may not go by a watcher. */
static void interpret_a_write(void)
{
	uint32_t value = (uint32_t)random_entry(chance(2), false);

	vcpu->cpl = chance(2) ? 3 : 0;
	before_a_write();
	linear_write(vcpu, gva(random_linear() & ~(chance(8) ? 0 : 3u)), &value, chance(2) ? 4 : 1,
	             LINEAR_AS_CPL);
	memset(&vcpu->event, 0, sizeof(vcpu->event));
}

static bool is_allowed(uint32_t at, uint32_t access, const struct hardware *real)
{
	struct plain plain = plain_walk(at, access);

	if (plain.error >= 0 || !plain.is_marked ||
	    plain.physical + machine.ram_machine != real->machine || plain.physical >= SHADOW_RAM)
		return false;
	return !(access & PAGE_WALK_WRITE) ||
	       (plain.writable && !watch_is_watched(&machine.vm, gpa(plain.physical)));
}

static bool was_allowed(uint32_t at, uint32_t access, const struct hardware *real)
{
	bool was = false;

	for (unsigned int i = 0; i < past_count && !was; i++) {
		leaves = pasts[i];
		was = is_allowed(at, access, real);
	}
	leaves = NULL;
	stale += was;
	return was;
}

static bool is_rightly_the_slot(uint32_t at, const struct hardware *real)
{
	return real->is_slot == (has_slot && IN_SLOT(at, slot));
}

/* Whether what the processor may do is what the guest's tables allow, or have allowed since the
 * last flush. */
static bool is_sound(uint32_t at, uint32_t access, const struct hardware *real)
{
	if (!machine.vm.shadow->loose)
		past_count = 0;
	if (!is_rightly_the_slot(at, real))
		return false;
	larges += real->allowed && real->is_large;
	return !real->allowed || is_allowed(at, access, real) || was_allowed(at, access, real);
}

/* The same just behind a flush of this page. */
static bool is_up_to_date(uint32_t at)
{
	uint32_t access = random_access();
	struct hardware real = hardware_walk(&machine, at, access);

	return is_rightly_the_slot(at, &real) || !real.allowed || is_allowed(at, access, &real);
}

/* Seldom where tables are kept, or they would all be noise soon. */
static void write_data(uint64_t physical)
{
	if (physical >= TABLES_END || chance(20)) {
		before_a_write();
		machine.ram[physical] = (uint8_t)random_below(256);
	}
}

/* What only the interpreter can do, and nothing else. */
static bool is_rightly_emulated(uint32_t at, uint32_t access, const struct plain *plain)
{
	if (plain->physical >= SHADOW_RAM || (has_slot && IN_SLOT(at, slot)))
		return true;
	return (access & PAGE_WALK_WRITE) &&
	       (!plain->writable || watch_is_watched(&machine.vm, gpa(plain->physical)));
}

static bool handle_fault(uint32_t at, uint32_t access)
{
	struct plain plain = plain_walk(at, access);
	uint32_t error = 0;
	struct hardware real;

	switch (shadow_fault(vcpu, gva(at), access, &error)) {
	case SHADOW_TRUE_FAULT:
		true_faults++;
		return plain.error >= 0 && error == (uint32_t)plain.error;
	case SHADOW_EMULATE:
		emulated++;
		return plain.error < 0 && is_rightly_emulated(at, access, &plain);
	default:
		mapped++;
		real = hardware_walk(&machine, at, access);
		return plain.error < 0 && is_rightly_the_slot(at, &real) && real.allowed &&
		       is_allowed(at, access, &real);
	}
}

static bool access_once(void)
{
	uint32_t at = random_linear(), access = random_access();
	struct hardware real = hardware_walk(&machine, at, access);

	accesses++;
	if (!is_sound(at, access, &real))
		return false;
	if (!real.allowed)
		return handle_fault(at, access);
	if (access & PAGE_WALK_WRITE)
		write_data(real.machine - machine.ram_machine);
	return true;
}

/* After the tables have changed: nothing that is still in the shadow is wrong. */
static bool nothing_is_stale(unsigned int looks)
{
	for (unsigned int i = 0; i < looks; i++) {
		uint32_t at = random_linear(), access = random_access();
		struct hardware real = hardware_walk(&machine, at, access);

		if (!is_sound(at, access, &real))
			return false;
	}
	return true;
}

static bool flush_page(void)
{
	uint32_t at = random_linear();

	linear_flush_page(vcpu, gva(at));
	return is_up_to_date(at) && nothing_is_stale(5);
}

static bool step(void)
{
	switch (random_below(40)) {
	case 0:
		write_random_entry();
		return nothing_is_stale(20);
	case 1:
		load_cr3();
		return nothing_is_stale(20);
	case 2:
		interpret_a_write();
		return nothing_is_stale(10);
	case 3:
		return flush_page();
	case 4:
		watch_randomly();
		break;
	case 5:
		if (chance(5))
			write_random_bytes();
		break;
	case 6:
		if (chance(20))
			move_slot();
		break;
	case 7:
		if (chance(80))
			change_mode();
		break;
	case 8:
		if (chance(300))
			shadow_forget_all(&machine.vm);
		break;
	case 9:
	case 10:
	case 11:
		take_bits_away();
		return nothing_is_stale(3);
	default:
		break;
	}
	for (int i = 0; i < 5; i++)
		if (!access_once())
			return false;
	return true;
}

static void run_round(uint32_t page_count, uint64_t ram_machine)
{
	uint64_t seed = state;

	shadow_machine_start(&machine, page_count, ram_machine);
	has_slot = false;
	past_count = 0;
	change_mode();
	for (unsigned int i = 0; i < STEPS && !unit_failed; i++) {
		if (step())
			continue;
		printf("step %u differs, seed %llx, cr0 %x cr3 %x cr4 %x\n", i,
		       (unsigned long long)seed, vcpu->cr0, vcpu->cr3, vcpu->cr4);
		unit_failed = true;
	}
}

static void run(uint32_t page_count, uint64_t ram_machine)
{
	accesses = mapped = emulated = true_faults = larges = stale = 0;
	for (unsigned int i = 0; i < ROUNDS && !unit_failed; i++)
		run_round(page_count, ram_machine);
	/* The accesses were worth something. */
	CHECK(mapped > accesses / 100);
	CHECK(emulated > accesses / 100);
	CHECK(true_faults > accesses / 50);
	CHECK(true_faults < accesses / 2);
	CHECK(stale > 0);
	CHECK((larges > 0) == (ram_machine == RAM_MACHINE));
}

TEST(random_tables)
{
	run(SHADOW_PAGES, RAM_MACHINE);
}

TEST(random_tables_with_few_shadow_pages)
{
	statistics[STATISTIC_shadow_pages_reclaimed] = 0;
	run(SHADOW_PAGES_MIN, RAM_MACHINE);
	CHECK(statistics[STATISTIC_shadow_pages_reclaimed] > accesses / 1000);
}

TEST(random_tables_in_misaligned_ram)
{
	run(SHADOW_PAGES_MIN + 20, RAM_MISALIGNED);
}

UNIT_MAIN
