/* What the translator remembers: blocks, their maps, the links between them, the pages they lie on.
 *
 * No behaviour. All of it is in memory that only the host sees; in the cache there are nothing but
 * instructions. References are indices, so that they survive wherever the tables are mapped. */
#ifndef MONITOR_TRANSLATOR_BLOCK_H
#define MONITOR_TRANSLATOR_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_NONE 0xFFFFFFFFu

#define BLOCK_INSTRUCTIONS_MAX 64  /* guest instructions in a block */
#define BLOCK_GUEST_MAX        224 /* after this many bytes of them no other one begins */
#define BLOCK_HOST_MAX         6144
#define BLOCK_MAP_MAX          (BLOCK_INSTRUCTIONS_MAX * 6 + 16)
#define BLOCK_CALLS_MAX        4 /* that do not end it */
#define BLOCK_LINKS_MAX        (2 * BLOCK_CALLS_MAX + 3)
#define BLOCK_JUMP_SIZE        5 /* of jmp rel32; no block is shorter */

/* How the guest's state follows from the real one at a place in the cache. Without a bit all is the
 * guest's already and eip is that of the guest instruction in the entry: nothing of it is done. */
enum block_recovery {
	RECOVER_NOTHING = 0,     /* a piece of guest code: as far into it as into its copy */
	RECOVER_ECX = 1 << 0,    /* the guest's is in the window */
	RECOVER_EDX = 1 << 1,    /* the same */
	RECOVER_UNPUSH = 1 << 2, /* a dword has been pushed that must not be there yet */
	RECOVER_UNPOP = 1 << 3,  /* one has been popped that must still be there */
	RECOVER_HOLD = 1 << 4,   /* behind sti: no interrupt before the next instruction is done */
	RECOVER_FLAG = 1 << 5,   /* ECX holds what becomes the interrupt flag */
	RECOVER_GONE = 1 << 6,   /* eip is the target of the block's link with the entry's number */
	RECOVER_STUB = 1 << 7,   /* of level.c, with the phase in the place of a link's number */

	/* Both cannot be: EDX has the upper half of the real counter, without what is to be added.
	 */
	RECOVER_TSC = RECOVER_UNPUSH | RECOVER_UNPOP,
};

/* In the place of a link's number: eip is in window.target. */
#define BLOCK_ENTRY_TARGET 0xFF

/* Holds for all host bytes from `host` up to the next entry's. */
struct block_entry {
	uint16_t host; /* from the block's first byte in the cache */
	uint8_t guest; /* from the block's first byte in the guest; or the number of a link */
	uint8_t kind;  /* enum block_recovery */
};

_Static_assert(BLOCK_GUEST_MAX + 2 * 15 <= 255 && BLOCK_HOST_MAX <= 65535, "an entry has room");
_Static_assert(sizeof(struct block_entry) == 4, "maps are the largest part of what is kept");

struct block {
	uint32_t eip;
	uint32_t host; /* offset in the cache */
	uint16_t host_size;
	uint16_t guest_size;   /* 0 for what stands for no guest code: stubs and landings */
	uint16_t instructions; /* guest instructions */
	uint16_t map_count;
	uint32_t map;  /* its first entry */
	uint32_t link; /* its first link */
	uint8_t links;
	uint8_t segment; /* which code segment it was made for */
	bool dead;
	uint32_t page[2];         /* the second one when an instruction crosses, else BLOCK_NONE */
	uint32_t next_on_page[2]; /* the next block on the same page, for each of the two */
	uint32_t next_in_bucket;
	uint32_t incoming; /* the first link that leads here without the host */
	uint32_t landing;  /* where an indirect transfer lands that means it, or BLOCK_NONE */
	uint32_t room[2];  /* for what else a block may need, and so that an index is a shift */
};

_Static_assert(sizeof(struct block) == 64, "found by a shift");

/* A way out of a block: the rel32 of a jump. It leads to the link's own stub, whose exit tells the
 * host which link it was, until it leads to another block. */
struct block_link {
	uint32_t at;     /* of the rel32 in the cache; BLOCK_NONE when the jump has been left out */
	uint32_t target; /* guest eip */
	uint32_t block;  /* whose it is */
	uint32_t to;     /* the block it leads to, or BLOCK_NONE */
	uint32_t next;   /* the next one that leads there */
	/* For the place where an indirect transfer has not been seen yet: where the prediction
	 * stands in the code, and BLOCK_NONE otherwise. The link behind it is the predicted way. */
	uint32_t prediction;
};

#define BLOCK_PAGE_PIECE 32u /* bytes */
#define BLOCK_PAGE_WORDS (4096u / BLOCK_PAGE_PIECE / 32)

/* A page of guest code: where it is and where it was seen. */
struct block_page {
	uint32_t linear, physical; /* page numbers */
	uint32_t first;            /* block */
	uint32_t next_in_bucket;
	uint32_t code[BLOCK_PAGE_WORDS]; /* a bit for each piece of it that a block was made of */
	bool mapped; /* as far as is known: otherwise no link leads to its blocks */
	bool global;
};

struct block_segment {
	uint32_t base, limit;
	bool inner; /* of ring 1 or 2, where fewer instructions may do what they say */
};

#endif
