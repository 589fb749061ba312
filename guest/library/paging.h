/*
 * Page tables, two-level or PAE, that a test can bend as it likes. Tables and spare pages come
 * from a fixed pool inside the image, where physical and linear addresses are the same as long
 * as the first megabytes are mapped one to one. Nothing flushes the TLB unless its name says so.
 */
#pragma once

#include <stdint.h>

#define PAGE_SIZE    4096u
#define PAGE_PRESENT 0x001u
#define PAGE_WRITE   0x002u
#define PAGE_USER    0x004u
#define PAGE_WT      0x008u
#define PAGE_CD      0x010u
#define PAGE_A       0x020u
#define PAGE_D       0x040u
#define PAGE_LARGE   0x080u
#define PAGE_GLOBAL  0x100u
#define PAGE_NX      (1ull << 63)

/* What a page fault's error code is made of. */
#define FAULT_PRESENT  0x01u
#define FAULT_WRITE    0x02u
#define FAULT_USER     0x04u
#define FAULT_RESERVED 0x08u
#define FAULT_FETCH    0x10u

enum paging_mode { PAGING_TWO_LEVEL, PAGING_PAE };

struct paging {
	enum paging_mode mode;
	uint32_t root; /* what belongs into CR3 */
};

/* A zeroed page from the pool; the guest ends with ERROR when none is left. */
void *page_take(void);

/* Empty tables. */
struct paging paging_create(enum paging_mode mode);

/* Maps the first megabytes one to one in small pages: enough for the image and its pool. */
#define PAGING_IDENTITY_SIZE 0x1000000u
void paging_map_identity(const struct paging *paging, uint64_t attributes);

void paging_map(const struct paging *paging, uint32_t address, uint64_t physical,
                uint64_t attributes);
/* A page of 4 MB, with PAE of 2 MB. */
void paging_map_large(const struct paging *paging, uint32_t address, uint64_t physical,
                      uint64_t attributes);
uint32_t paging_large_size(const struct paging *paging);

/* Entries as they stand in memory, each read and written at once as a whole. */
uint64_t paging_entry(const struct paging *paging, uint32_t address);
uint64_t paging_directory_entry(const struct paging *paging, uint32_t address);
void paging_set_directory_entry(const struct paging *paging, uint32_t address, uint64_t entry);

/* CR4.PAE as the tables need it, CR3, CR0.PG with or without WP. */
void paging_enable(const struct paging *paging, uint32_t wp);
void paging_disable(void);
void paging_flush_all(void);
