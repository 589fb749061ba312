/* One guest with shadow tables, in two formats, and short words for what is asked of it. */
#ifndef TESTS_MONITOR_MEMORY_SHADOW_GUEST_H
#define TESTS_MONITOR_MEMORY_SHADOW_GUEST_H

#include "tests/monitor/memory/shadow_machine.h"

#include "kernel/statistics.h"

static struct shadow_machine machine;
static struct vcpu *const vcpu = &machine.vm.vcpu;

#define POINTERS  0x1000u
#define DIRECTORY 0x2000u
#define OTHER     0x3000u /* a second directory */
#define TABLE     0x4000u
#define DATA      0x10000u
#define LINEAR    0x7000u /* entry 7 of the first table */
#define LEAF      (TABLE + 4 * 7)
#define WIDE_LEAF (TABLE + 8 * 7)

#define READ    0u
#define WRITE   PAGE_WALK_WRITE
#define USER    PAGE_WALK_USER
#define EXECUTE PAGE_WALK_FETCH

static inline void start(uint32_t page_count)
{
	shadow_machine_start(&machine, page_count, RAM_MACHINE);
	memset(statistics, 0, sizeof(statistics));
	vcpu->cr0 |= VCPU_CR0_WP;
}

/* LINEAR is DATA, with all rights. */
static inline void start_two_level(void)
{
	start(SHADOW_PAGES);
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_ALL);
	shadow_put32(&machine, LEAF, DATA | BITS_ALL);
	vcpu->cr3 = DIRECTORY;
	vcpu->cr4 = VCPU_CR4_PSE;
	vcpu->cr0 |= VCPU_CR0_PG;
}

static inline void start_pae(void)
{
	start(SHADOW_PAGES);
	shadow_put64(&machine, DIRECTORY, TABLE | BITS_ALL);
	shadow_put64(&machine, WIDE_LEAF, DATA | BITS_ALL);
	vcpu->pdptes[0] = DIRECTORY | BIT_P;
	vcpu->cr4 = VCPU_CR4_PAE;
	vcpu->efer = VCPU_EFER_NXE;
	vcpu->cr0 |= VCPU_CR0_PG;
}

static inline enum shadow_result fault(uint32_t at, uint32_t access)
{
	uint32_t error;

	return shadow_fault(vcpu, gva(at), access, &error);
}

static inline bool is_true_fault(uint32_t at, uint32_t access, uint32_t wanted)
{
	uint32_t error = 0;

	return shadow_fault(vcpu, gva(at), access, &error) == SHADOW_TRUE_FAULT && error == wanted;
}

static inline bool may(uint32_t at, uint32_t access)
{
	return hardware_walk(&machine, at, access).allowed;
}

/* Faults first, then leads there. */
static inline bool maps(uint32_t at, uint32_t access, uint32_t physical)
{
	if (may(at, access) || fault(at, access) != SHADOW_MAPPED)
		return false;
	return hardware_walk(&machine, at, access).machine == RAM_MACHINE + physical;
}

static inline uint64_t pages_made(void)
{
	return statistics[STATISTIC_shadow_pages_made];
}

static inline bool is_watched(uint32_t page)
{
	return machine.watchers[page / GUEST_PAGE_SIZE] & WATCH_PAGE_TABLE;
}

#endif
