#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER    0xFFC00000u
#define IDENTITY  (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define SLOT      SEGMENT_FREE(0)
#define DATA      (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define READ_ONLY (ACCESS_PRESENT | ACCESS_MEMORY)
#define READABLE  (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define EXECUTE   (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE)
#define DOWN      (DATA | ACCESS_EXPAND_DOWN)
#define BIG_PAGES (FLAG_BIG | FLAG_PAGES)

uint32_t tried_selector;
#define LOAD(register) "movw tried_selector, %" register
SNIPPET_BEFORE(read_fs, LOAD("fs"), "movl %fs:(%ecx), %eax");
SNIPPET_BEFORE(read8_gs, LOAD("gs"), "movb %gs:(%ecx), %al");
SNIPPET_BEFORE(write_fs, LOAD("fs"), "movl $0x5A5A, %fs:(%ecx)");
SNIPPET_BEFORE(add_fs, LOAD("fs"), "addl $1, %fs:(%ecx)");
SNIPPET_BEFORE(lods_fs, LOAD("fs") "; pushl %esi; movl %ecx, %esi", "lodsl %fs:(%esi); popl %esi");
SNIPPET(push_ss,
        "movw tried_selector, %ss; leal 4(%ecx), %esp\n.globl push_at\npush_at: pushl %eax");
SNIPPET(read_ss, "movw tried_selector, %ss; movl %ecx, %ebp; movl (%ebp), %eax");
SNIPPET(fill_es, "movw tried_selector, %es; movl %ecx, %edi; movl $16, %ecx; rep stosb");
SNIPPET(far_call, "lcall *(%ecx)");
extern const char push_at[];

struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_pointer;
_Static_assert(sizeof(far_pointer) == 6, "far pointer");

static struct paging paging;
static uint8_t *page;

/* A segment over pages that are there: what it ends at, not what is mapped, must stop the access.
 */
static const struct segment {
	const char *what;
	uint32_t base, limit;
	unsigned access, flags;
	uint32_t inside;     /* the offset of a dword that it allows */
	uint32_t outside[3]; /* of dwords that it does not */
} segments[] = {
        {"up to the border", 0, 0xFFBFF, DATA, BIG_PAGES, BORDER - 4, {BORDER - 3, BORDER, ~3u}},
        {"a base below it", BORDER - 0x2000, 1, DATA, BIG_PAGES, 0x1FFC, {0x1FFD, 0x2000, ~15u}},
        {"a base in the top", BORDER, 0xFF, DATA, FLAG_BIG, 0xFC, {0xFD, 0x100, 0x80000000}},
        {"around the end", 0xFFFFF000, 1, DATA, BIG_PAGES, 0xFFC, {0x1FFD, 0x2000, BORDER}},
        {"one byte", BORDER, 3, DATA, FLAG_BIG, 0, {1, 4, ~7u}},
        {"16-bit", BORDER, 0x7FFF, DATA, 0, 0xFFC, {0x7FFD, 0x8000, 0x10000}},
        {"expand-down below it", 0, 0xFFBFF, DOWN, BIG_PAGES, BORDER, {BORDER - 4, BORDER - 1, 0}},
        {"expand-down, nothing", BORDER, 0xFFFFE, DOWN, BIG_PAGES, ~3u, {0, 0x100, 0x400000}},
        {"expand-down, 16-bit", BORDER, 0xFF, DOWN, 0, 0x100, {0xFC, 0xFFFD, 0x10000}},
        {"readable code", BORDER, 0xFFF, READABLE, FLAG_BIG, 0xFFC, {0xFFD, 0x1000, ~3u}},
};

#define SEGMENTS (sizeof(segments) / sizeof(*segments))

static void use(unsigned ring, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	segment_set(SLOT, segment_make(base, limit, access | ACCESS_DPL(ring), flags));
	tried_selector = SLOT | ring;
}

static void check_outside(unsigned ring, uint32_t offset, bool may_write)
{
	print("     at %x\n", offset);
	test_traps_at(call_in_ring(ring, read_fs, offset), VECTOR_GP, 0, SNIPPET_ADDRESS(read_fs),
	              "read");
	test_traps(call_in_ring(ring, lods_fs, offset), VECTOR_GP, 0, "lods");
	if (!may_write)
		return;
	test_traps(call_in_ring(ring, write_fs, offset), VECTOR_GP, 0, "write");
	test_traps(call_in_ring(ring, add_fs, offset), VECTOR_GP, 0, "add");
	if (ring != 3)
		return;
	test_traps(call_in_ring(ring, read_ss, offset), VECTOR_SS, 0, "read through ss");
	struct outcome outcome = call_in_ring(ring, push_ss, offset);
	if (segment_table[SLOT >> 3].limit_high_flags >> 4 & FLAG_BIG)
		test_traps_at(outcome, VECTOR_SS, 0, (uint32_t)(uintptr_t)push_at, "push");
}

static void check_segment(unsigned ring, const struct segment *segment)
{
	bool may_write = !(segment->access & ACCESS_CODE);
	print("     ring %u: %s\n", ring, segment->what);
	use(ring, segment->base, segment->limit, segment->access, segment->flags);
	test_returns(call_in_ring(ring, read_fs, segment->inside), "a dword inside");
	for (unsigned i = 0; i < 3; i++)
		check_outside(ring, segment->outside[i], may_write);
}

/* The limit is met in the middle: what lies before it is done, byte by byte. */
static void check_string(unsigned ring)
{
	use(ring, BORDER, 0xFFF, DATA, FLAG_BIG);
	struct outcome outcome = call_in_ring(ring, fill_es, 0xFF8);
	test_traps(outcome, VECTOR_GP, 0, "rep stosb across the limit");
	test_check(outcome.frame.ecx == 8 && outcome.frame.edi == 0x1000, "half of it is done");
}

static void check_types(unsigned ring)
{
	print("     ring %u: types\n", ring);
	use(ring, 0, 0xFFFFF, READ_ONLY, BIG_PAGES);
	test_traps(call_in_ring(ring, write_fs, BORDER), VECTOR_GP, 0, "a write to read-only data");
	use(ring, 0, 0xFFFFF, READABLE, BIG_PAGES);
	test_traps(call_in_ring(ring, write_fs, BORDER), VECTOR_GP, 0, "a write to code");
	use(ring, 0, 0xFFFFF, READABLE | ACCESS_CONFORMING, BIG_PAGES);
	test_traps(call_in_ring(ring, write_fs, BORDER), VECTOR_GP, 0,
	           "a write to conforming code");
	tried_selector = ring;
	test_traps(call_in_ring(ring, read8_gs, BORDER), VECTOR_GP, 0, "a read through null");
	test_traps(call_in_ring(ring, write_fs, BORDER), VECTOR_GP, 0, "a write through null");
}

static struct outcome call_code(unsigned ring, uint32_t offset)
{
	far_pointer.selector = (uint16_t)tried_selector;
	far_pointer.offset = offset;
	return call_in_ring(ring, far_call, (uint32_t)(uintptr_t)&far_pointer);
}

/* Code that leaves its segment: by falling off its end, by a jump, by an instruction cut off. */
static void check_code(unsigned ring)
{
	static const uint8_t code[] = {0xEB, 0x7E, 0x90, 0x90, 0xB8}; /* jmp +0x80; nop; nop; mov */
	memcpy(page, code, sizeof(code));
	memset(page + sizeof(code), 0x90, 0x100);
	use(ring, BORDER, 7, EXECUTE, FLAG_BIG);
	print("     ring %u: code\n", ring);
	struct outcome outcome = call_code(ring, 0);
	test_traps(outcome, VECTOR_GP, 0, "a jump out of the segment");
	test_check(outcome.frame.eip == 0, "EIP is the jump's");
	outcome = call_code(ring, 2);
	test_traps(outcome, VECTOR_GP, 0, "an instruction that the limit cuts off");
	test_check(outcome.frame.eip == 4, "EIP is where it begins");
	outcome = call_code(ring, 7);
	test_traps(outcome, VECTOR_GP, 0, "falling off the end");
	test_check(outcome.frame.eip == 8, "EIP is behind the end");
	test_traps(call_code(ring, 8), VECTOR_GP, 0, "a far call past the limit");
}

static void require_limits(void)
{
	use(0, 0, 0, DATA, FLAG_BIG);
	if (!catch_call(read_fs, 0x100).trapped)
		test_skip("this machine does not check segment limits");
}

void guest_main(const struct boot_info *boot)
{
	static const uint32_t mapped[] = {BORDER - 0x2000, BORDER - 0x1000, BORDER,
	                                  BORDER + 0x1000, BORDER + 0x7000, 0xFFFFF000};
	(void)boot;
	test_begin("limits", "an access past the end of its segment is a fault, although pages are "
	                     "there, on both sides of the last 4 MB's border");
	require_limits();
	page = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	for (unsigned i = 0; i < sizeof(mapped) / sizeof(*mapped); i++)
		paging_map(&paging, mapped[i], (uint32_t)(uintptr_t)page, IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring += 3) {
		for (unsigned i = 0; i < SEGMENTS; i++)
			check_segment(ring, &segments[i]);
		check_string(ring);
		check_types(ring);
		check_code(ring);
	}
	test_end();
}
