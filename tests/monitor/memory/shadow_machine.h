/* A virtual machine with shadow tables for the tests, and the real processor's walk over them.
 *
 * The walk is a model written from the manual: PAE, CR0.WP set, no-execute on. It must not know how
 * the shadow is made; it sees machine addresses and entries. */
#ifndef TESTS_MONITOR_MEMORY_SHADOW_MACHINE_H
#define TESTS_MONITOR_MEMORY_SHADOW_MACHINE_H

#include <stdlib.h>

#include "tests/unit.h"

#include "monitor/cpu/control.h"
#include "monitor/cpu/identity.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow.h"
#include "monitor/memory/watch.h"
#include "monitor/state/vm.h"

/* Bits of the entries, as the manual numbers them. */
#define BIT_P    0x001u
#define BIT_RW   0x002u
#define BIT_US   0x004u
#define BIT_A    0x020u
#define BIT_D    0x040u
#define BIT_PS   0x080u
#define BIT_XD   (1ull << 63)
#define BITS_ALL (BIT_P | BIT_RW | BIT_US)
#define BITS_AD  (BITS_ALL | BIT_A | BIT_D)

/* Four whole large pages and a piece. */
#define SHADOW_RAM      0x8FF000u
#define SHADOW_PAGES    256u
#define PAGES_MACHINE   0x30000000u
#define RAM_MACHINE     0x40000000u
#define RAM_MISALIGNED  0x40100000u
#define SLOT_MACHINE    0x50000000u
#define SLOT_ENTRY(n)   ((uint64_t)(SLOT_MACHINE + (n)*0x1000u) | BIT_P | BIT_RW)
#define IN_SLOT(at, to) ((at) >> 22 == (to) >> 22)

struct shadow_machine {
	struct vm vm;
	uint8_t watchers[SHADOW_RAM / GUEST_PAGE_SIZE];
	uint8_t pages[SHADOW_PAGES * GUEST_PAGE_SIZE] __attribute__((aligned(4096)));
	uint8_t ram[SHADOW_RAM] __attribute__((aligned(8)));
	void *storage;
	uint32_t page_count;
	uint64_t ram_machine;
	unsigned int told; /* how often a watcher of code was */
};

static inline void shadow_machine_told(struct vm *vm, gpa_t at, uint32_t size)
{
	(void)at;
	(void)size;
	((struct shadow_machine *)(void *)vm)->told++;
}

/* `machine` is static, and starts as often as one likes. */
static inline struct vcpu *shadow_machine_start(struct shadow_machine *machine, uint32_t page_count,
                                                uint64_t ram_machine)
{
	size_t size = shadow_storage_size(page_count, SHADOW_RAM);
	void *storage = realloc(machine->storage, size);

	memset(machine, 0, sizeof(*machine));
	machine->storage = storage;
	machine->page_count = page_count;
	machine->ram_machine = ram_machine;
	machine->vm.ram = machine->ram;
	machine->vm.ram_size = SHADOW_RAM;
	machine->vm.watchers = machine->watchers;
	machine->vm.vcpu.vm = &machine->vm;
	watch_register(&machine->vm, WATCH_CODE, shadow_machine_told);
	control_reset(&machine->vm.vcpu);
	CHECK(shadow_start(&machine->vm, &(struct shadow_setup){
	                                         .pages = machine->pages,
	                                         .pages_machine = PAGES_MACHINE,
	                                         .page_count = page_count,
	                                         .ram_machine = ram_machine,
	                                         .no_execute = true,
	                                         .storage = storage,
	                                         .storage_size = size,
	                                 }));
	return &machine->vm.vcpu;
}

static inline void shadow_put32(struct shadow_machine *machine, uint32_t at, uint32_t value)
{
	guest_memory_write(&machine->vm, gpa(at), &value, 4);
}

static inline void shadow_put64(struct shadow_machine *machine, uint32_t at, uint64_t value)
{
	guest_memory_write(&machine->vm, gpa(at), &value, 8);
}

static inline uint32_t shadow_get32(const struct shadow_machine *machine, uint32_t at)
{
	uint32_t value;

	memcpy(&value, machine->ram + at, 4);
	return value;
}

static inline uint64_t shadow_get64(const struct shadow_machine *machine, uint32_t at)
{
	uint64_t value;

	memcpy(&value, machine->ram + at, 8);
	return value;
}

/* The real processor. */

struct hardware {
	bool allowed;
	bool is_slot; /* the directory's entry is one of the slot's */
	bool is_large;
	uint64_t machine; /* the byte's address */
};

static inline uint64_t *hardware_entry(struct shadow_machine *machine, uint64_t table,
                                       uint32_t index)
{
	uint64_t at = (table & 0x000FFFFFFFFFF000ull) + 8 * index - PAGES_MACHINE;

	if (at >= machine->page_count * GUEST_PAGE_SIZE) {
		printf("the shadow points to 0x%llx, which is no shadow page\n",
		       (unsigned long long)table);
		abort();
	}
	return (uint64_t *)(void *)(machine->pages + at);
}

static inline bool hardware_allows(uint64_t both, uint64_t any, uint32_t access)
{
	return (both & BIT_P) && !((access & PAGE_WALK_USER) && !(both & BIT_US)) &&
	       !((access & PAGE_WALK_WRITE) && !(both & BIT_RW)) &&
	       !((access & PAGE_WALK_FETCH) && (any & BIT_XD));
}

static inline struct hardware hardware_walk(struct shadow_machine *machine, uint32_t at,
                                            uint32_t access)
{
	uint64_t root = shadow_root(&machine->vm.vcpu);
	uint64_t pointer = *hardware_entry(machine, root, at >> 30), *directory, *leaf;
	struct hardware result = {0};

	if (!(pointer & BIT_P))
		return result;
	leaf = directory = hardware_entry(machine, pointer, at >> 21 & 511);
	result.is_slot = *directory == SLOT_ENTRY(0) || *directory == SLOT_ENTRY(1);
	if (result.is_slot || !(*directory & BIT_P))
		return result;
	if (!(*directory & BIT_PS))
		leaf = hardware_entry(machine, *directory, at >> 12 & 511);
	if (!hardware_allows(*directory & *leaf, *directory | *leaf, access))
		return result;
	*directory |= BIT_A;
	*leaf |= BIT_A | (access & PAGE_WALK_WRITE ? BIT_D : 0);
	result.allowed = true;
	result.is_large = leaf == directory;
	result.machine = result.is_large ? (*leaf & 0x000FFFFFFFE00000ull) + (at & 0x1FFFFF)
	                                 : (*leaf & 0x000FFFFFFFFFF000ull) + (at & 0xFFF);
	return result;
}

#endif
