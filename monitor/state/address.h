/* The guest's two kinds of address, which cannot be mixed up with each other or with ours. */
#ifndef MONITOR_STATE_ADDRESS_H
#define MONITOR_STATE_ADDRESS_H

#include <stdint.h>

/* Linear, as the guest's segments make it and its page tables take it. */
typedef struct {
	uint32_t value;
} gva_t;

/* Physical, as the guest's page tables make it. With PAE it has more than 32 bits. */
typedef struct {
	uint64_t value;
} gpa_t;

static inline gva_t gva(uint32_t value)
{
	return (gva_t){value};
}

static inline gpa_t gpa(uint64_t value)
{
	return (gpa_t){value};
}

#define GUEST_PAGE_SIZE 4096u

#endif
