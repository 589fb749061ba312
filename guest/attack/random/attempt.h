/*
 * What all attempts at random share: the numbers, the memory to attack with, and how an attempt is
 * made and told of. The same seed gives the same attempts everywhere, so nothing here may depend
 * on the machine.
 */
#pragma once

#include <stddef.h>

#include "guest/library/catch.h"
#include "guest/library/paging.h"

#define BORDER     0xFFC00000u /* where a monitor may have put itself: the last 4 MB begin */
#define IDENTITY   (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define FRAMES     4
#define PLACES     8
#define LARGEST    16 /* bytes of the longest access */
#define CHOOSE(of) (pick(sizeof(of) / sizeof(*(of))))
#define OPERATION(name)     \
	{                   \
#name, name \
	}

struct operation {
	const char *name;
	catch_function *function;
};

extern const uint32_t places[PLACES]; /* pages that may be mapped at will */
extern struct paging paging;
extern uint8_t *frames[FRAMES]; /* what they are mapped to */

uint32_t pick(uint32_t below);
unsigned pick_ring(void);

/* Into the digest. */
void note(uint32_t value);

/* Maps one of the places and says where. */
uint32_t map_place(uint32_t rights, unsigned *frame);

void report(const struct operation *operation, unsigned ring, uint32_t argument,
            struct outcome outcome);
void run(const struct operation *operation, unsigned ring, uint32_t argument);

/* In machinery.c. */
void try_directory(void);
void try_port(void);
void try_stack(void);
void try_own_code(void);
void try_storm(void);
void machinery_start(void);
