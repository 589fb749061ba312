#include "guest/library/paging.h"

#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/test.h"

#define POOL_PAGES    512
#define ADDRESS_MASK  0x000FFFFFFFFFF000ull
#define TABLE_RIGHTS  (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define DIRECTORY_PAE 4

static uint8_t pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned pool_used;

void *page_take(void)
{
	if (pool_used == POOL_PAGES)
		test_error("the library's pool of pages is used up");
	return memset(pool[pool_used++], 0, PAGE_SIZE);
}

static uint64_t paging_read(const struct paging *paging, uint64_t table, unsigned index)
{
	void *at = (void *)(uintptr_t)(table & ADDRESS_MASK);
	if (paging->mode == PAGING_TWO_LEVEL)
		return ((volatile uint32_t *)at)[index];
	return ((volatile uint64_t *)at)[index];
}

static void paging_write(const struct paging *paging, uint64_t table, unsigned index,
                         uint64_t entry)
{
	void *at = (void *)(uintptr_t)(table & ADDRESS_MASK);
	if (paging->mode == PAGING_TWO_LEVEL) {
		((volatile uint32_t *)at)[index] = (uint32_t)entry;
		return;
	}
	/* The half with the present bit goes last on the way up and first on the way down. */
	volatile uint32_t *halves = (volatile uint32_t *)at + 2 * index;
	halves[0] = 0;
	halves[1] = (uint32_t)(entry >> 32);
	halves[0] = (uint32_t)entry;
}

struct paging paging_create(enum paging_mode mode)
{
	struct paging paging = {mode, (uint32_t)(uintptr_t)page_take()};
	for (unsigned i = 0; mode == PAGING_PAE && i < DIRECTORY_PAE; i++)
		paging_write(&paging, paging.root, i,
		             (uint32_t)(uintptr_t)page_take() | PAGE_PRESENT);
	return paging;
}

uint32_t paging_large_size(const struct paging *paging)
{
	return paging->mode == PAGING_TWO_LEVEL ? 4u << 20 : 2u << 20;
}

/* Where the directory entry of an address stands: the table and the index in it. */
static uint64_t paging_directory(const struct paging *paging, uint32_t address, unsigned *index)
{
	if (paging->mode == PAGING_TWO_LEVEL) {
		*index = address >> 22;
		return paging->root;
	}
	*index = address >> 21 & 511;
	return paging_read(paging, paging->root, address >> 30);
}

uint64_t paging_directory_entry(const struct paging *paging, uint32_t address)
{
	unsigned index;
	uint64_t directory = paging_directory(paging, address, &index);
	return paging_read(paging, directory, index);
}

void paging_set_directory_entry(const struct paging *paging, uint32_t address, uint64_t entry)
{
	unsigned index;
	uint64_t directory = paging_directory(paging, address, &index);
	paging_write(paging, directory, index, entry);
}

static unsigned paging_table_index(const struct paging *paging, uint32_t address)
{
	return address >> 12 & (paging->mode == PAGING_TWO_LEVEL ? 1023 : 511);
}

uint64_t paging_entry(const struct paging *paging, uint32_t address)
{
	uint64_t table = paging_directory_entry(paging, address);
	if (!(table & PAGE_PRESENT) || (table & PAGE_LARGE))
		return table;
	return paging_read(paging, table, paging_table_index(paging, address));
}

static void paging_set_entry(const struct paging *paging, uint32_t address, uint64_t entry)
{
	uint64_t table = paging_directory_entry(paging, address);
	if (!(table & PAGE_PRESENT) || (table & PAGE_LARGE)) {
		table = (uint32_t)(uintptr_t)page_take() | TABLE_RIGHTS;
		paging_set_directory_entry(paging, address, table);
	}
	paging_write(paging, table, paging_table_index(paging, address), entry);
}

void paging_map(const struct paging *paging, uint32_t address, uint64_t physical,
                uint64_t attributes)
{
	paging_set_entry(paging, address, (physical & ADDRESS_MASK) | attributes);
}

void paging_map_large(const struct paging *paging, uint32_t address, uint64_t physical,
                      uint64_t attributes)
{
	paging_set_directory_entry(paging, address,
	                           (physical & ADDRESS_MASK) | attributes | PAGE_LARGE);
}

void paging_map_identity(const struct paging *paging, uint64_t attributes)
{
	for (uint32_t at = 0; at < PAGING_IDENTITY_SIZE; at += PAGE_SIZE)
		paging_map(paging, at, at, attributes);
}

void paging_enable(const struct paging *paging, uint32_t wp)
{
	uint32_t cr4 = cpu_read_cr4() & ~CR4_PAE;
	cpu_write_cr4(paging->mode == PAGING_PAE ? cr4 | CR4_PAE : cr4);
	cpu_write_cr3(paging->root);
	cpu_write_cr0((cpu_read_cr0() & ~CR0_WP) | CR0_PG | wp);
}

void paging_disable(void)
{
	cpu_write_cr0(cpu_read_cr0() & ~CR0_PG);
}

void paging_flush_all(void)
{
	cpu_write_cr3(cpu_read_cr3());
}
