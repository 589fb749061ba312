/* Addresses that cannot be mixed up: a machine address is not a pointer and not a number.
 *
 * The guest's own two kinds stand beside the virtual CPU; this floor knows no guest. */
#ifndef KERNEL_ADDRESS_H
#define KERNEL_ADDRESS_H

#include <stdint.h>

/* A physical address of the real machine. */
typedef struct {
	uint64_t value;
} mpa_t;

static inline mpa_t mpa(uint64_t value)
{
	return (mpa_t){value};
}

#define PAGE_SIZE       4096u
#define PAGE_SHIFT      12
#define LARGE_PAGE_SIZE (2u << 20)

static inline uint64_t page_round_down(uint64_t value)
{
	return value & ~(uint64_t)(PAGE_SIZE - 1);
}

static inline uint64_t page_round_up(uint64_t value)
{
	return page_round_down(value + PAGE_SIZE - 1);
}

#endif
