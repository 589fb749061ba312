#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define LIMIT       0xFFF
#define DATA        (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define READ_ONLY   (ACCESS_PRESENT | ACCESS_MEMORY)
#define CODE        (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define EXECUTE     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE)
#define EXPAND_DOWN (DATA | ACCESS_EXPAND_DOWN)
#define UNCHECKED   "no trap: this machine does not check the use of segments"

/* The slot that every check here fills anew. */
#define SLOT SEGMENT_FREE(0)

/* Loads a segment register and puts the old selector back: the next ret needs it. */
SNIPPET_BEFORE(load_ds, "movl %ds, %edx", "movw %cx, %ds; movw %dx, %ds");
SNIPPET_BEFORE(load_fs, "movl %fs, %edx", "movw %cx, %fs; movw %dx, %fs");
SNIPPET_BEFORE(load_ss, "movl %ss, %edx", "movw %cx, %ss; movw %dx, %ss");

/* The argument is an offset in the segment that is tried. */
uint32_t tried_selector;
SNIPPET_BEFORE(read_fs, "movw tried_selector, %fs", "movl %fs:(%ecx), %eax");
SNIPPET_BEFORE(write_fs, "movw tried_selector, %fs", "movb %al, %fs:(%ecx)");
SNIPPET(write_cs, "movl %cs:(%ecx), %eax; movl %eax, %cs:(%ecx)");

/* A far call to a function that gives back CS; the argument points to offset and selector. */
SNIPPET(far_call, "lcall *(%ecx)");
uint32_t give_cs(void);
__asm__("give_cs: movl %cs, %eax; movzwl %ax, %eax; lret");
static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_pointer;
_Static_assert(sizeof(far_pointer) == 6, "far pointer");

static uint8_t memory[2 * (LIMIT + 1)];

static void set_slot(unsigned access, unsigned limit)
{
	segment_set(SLOT, segment_make((uint32_t)(uintptr_t)memory, limit, access, FLAG_BIG));
}

/* A data access that a machine checks, or does not. */
static void check_access(struct outcome outcome, const char *what)
{
	test_either(what,
	            outcome.trapped && outcome.frame.vector == VECTOR_GP &&
	                    outcome.frame.error_code == 0,
	            "#GP(0)", !outcome.trapped, UNCHECKED);
}

static void check_data_loads(unsigned ring)
{
	uint32_t selector = SLOT | ring;
	set_slot(DATA | ACCESS_DPL(ring), LIMIT);
	test_returns(call_in_ring(ring, load_ds, selector), "ds: writable data");
	test_returns(call_in_ring(ring, load_ss, selector), "ss: writable data");
	test_check(segment_table[SLOT >> 3].access & ACCESS_ACCESSED,
	           "a load sets the accessed bit");
	set_slot(READ_ONLY | ACCESS_DPL(ring), LIMIT);
	test_returns(call_in_ring(ring, load_ds, selector), "ds: read-only data");
	test_traps(call_in_ring(ring, load_ss, selector), VECTOR_GP, SLOT, "ss: read-only data");
	set_slot(CODE | ACCESS_DPL(ring), LIMIT);
	test_returns(call_in_ring(ring, load_fs, selector), "fs: readable code");
	test_traps(call_in_ring(ring, load_ss, selector), VECTOR_GP, SLOT, "ss: readable code");
	set_slot(EXECUTE | ACCESS_DPL(ring), LIMIT);
	test_traps(call_in_ring(ring, load_ds, selector), VECTOR_GP, SLOT, "ds: execute-only code");
	set_slot((DATA & ~ACCESS_PRESENT) | ACCESS_DPL(ring), LIMIT);
	test_traps(call_in_ring(ring, load_ds, selector), VECTOR_NP, SLOT, "ds: not present");
	test_traps(call_in_ring(ring, load_ss, selector), VECTOR_SS, SLOT, "ss: not present");
	for (unsigned type = 0; type < 16; type++) {
		segment_set(SLOT,
		            segment_make(0, LIMIT, ACCESS_PRESENT | ACCESS_DPL(ring) | type, 0));
		struct outcome outcome = call_in_ring(ring, load_ds, selector);
		if (!outcome.trapped || outcome.frame.vector != VECTOR_GP ||
		    outcome.frame.error_code != SLOT)
			test_check(false, "ds: system descriptor of type %u: #GP(%x)", type, SLOT);
	}
	test_check(true, "ds: none of the sixteen system types can be loaded");
}

static void check_null_and_limit(unsigned ring)
{
	uint32_t beyond = SEGMENT_SLOTS * 8;
	test_returns(call_in_ring(ring, load_ds, ring), "ds: null selector");
	test_traps(call_in_ring(ring, load_ss, ring), VECTOR_GP, 0, "ss: null selector");
	test_traps(call_in_ring(ring, load_ds, beyond | ring), VECTOR_GP, beyond,
	           "ds: past the GDT");
	test_traps(call_in_ring(ring, load_ds, 4 | ring), VECTOR_GP, 4,
	           "ds: an LDT that is not there");
}

/* The greater of CPL and RPL must not be greater than DPL; for SS all three must be equal. */
static void check_privilege(unsigned ring)
{
	for (unsigned dpl = 0; dpl < 4; dpl++)
		for (unsigned rpl = 0; rpl < 4; rpl++) {
			uint32_t selector = (SEGMENT_DATA(dpl) & ~3u) | rpl;
			bool may = ring <= dpl && rpl <= dpl, may_ss = ring == dpl && rpl == dpl;
			struct outcome ds = call_in_ring(ring, load_ds, selector);
			struct outcome ss = call_in_ring(ring, load_ss, selector);
			test_check(ds.trapped != may &&
			                   (may || ds.frame.error_code == (selector & ~3u)),
			           "ds: DPL %u, RPL %u %s", dpl, rpl, may ? "loads" : "#GP");
			test_check(ss.trapped != may_ss &&
			                   (may_ss || ss.frame.error_code == (selector & ~3u)),
			           "ss: DPL %u, RPL %u %s", dpl, rpl, may_ss ? "loads" : "#GP");
		}
}

static void check_use(unsigned ring)
{
	tried_selector = SLOT | ring;
	memory[LIMIT - 3] = 0x5A;
	set_slot(DATA | ACCESS_DPL(ring), LIMIT);
	test_value(call_in_ring(ring, read_fs, LIMIT - 3), 0x5A, "the last dword inside the limit");
	check_access(call_in_ring(ring, read_fs, LIMIT - 2), "a dword across the limit");
	check_access(call_in_ring(ring, write_fs, LIMIT + 1), "a byte past the limit");
	set_slot(READ_ONLY | ACCESS_DPL(ring), LIMIT);
	check_access(call_in_ring(ring, write_fs, 0), "a write to read-only data");
	set_slot(CODE | ACCESS_DPL(ring), LIMIT);
	test_returns(call_in_ring(ring, read_fs, 0), "a read of readable code");
	check_access(call_in_ring(ring, write_fs, 0), "a write to code");
	check_access(call_in_ring(ring, write_cs, (uint32_t)(uintptr_t)memory),
	             "a write through CS");
	set_slot(EXPAND_DOWN | ACCESS_DPL(ring), LIMIT);
	test_returns(call_in_ring(ring, read_fs, LIMIT + 1), "expand-down: above the limit");
	check_access(call_in_ring(ring, read_fs, LIMIT), "expand-down: at the limit");
	tried_selector = 0;
	check_access(call_in_ring(ring, write_fs, (uint32_t)(uintptr_t)memory),
	             "the null selector");
}

static struct outcome call_code(unsigned ring, unsigned access, unsigned rpl)
{
	segment_set(SLOT, segment_make(0, 0xFFFFF, access, FLAG_BIG | FLAG_PAGES));
	far_pointer.offset = (uint32_t)(uintptr_t)give_cs;
	far_pointer.selector = (uint16_t)(SLOT | rpl);
	return call_in_ring(ring, far_call, (uint32_t)(uintptr_t)&far_pointer);
}

/* Conforming code runs in its caller's ring if that is not more privileged; other code only in its
 * own. */
static void check_conformity(unsigned ring)
{
	for (unsigned dpl = 0; dpl < 4; dpl++) {
		struct outcome outcome =
		        call_code(ring, CODE | ACCESS_CONFORMING | ACCESS_DPL(dpl), ring);
		print("     code with DPL %u\n", dpl);
		if (dpl <= ring)
			test_value(outcome, SLOT | ring, "call of conforming code: CS");
		else
			test_traps(outcome, VECTOR_GP, SLOT, "call of conforming code");
		outcome = call_code(ring, CODE | ACCESS_DPL(dpl), 0);
		if (dpl == ring)
			test_value(outcome, SLOT | ring, "call of ordinary code: CS");
		else
			test_traps(outcome, VECTOR_GP, SLOT, "call of ordinary code");
	}
	test_value(call_code(ring, EXECUTE | ACCESS_DPL(ring), ring), SLOT | ring,
	           "call of execute-only code: CS");
	test_traps(call_code(ring, DATA | ACCESS_DPL(ring), ring), VECTOR_GP, SLOT, "call of data");
	test_traps(call_code(ring, (CODE & ~ACCESS_PRESENT) | ACCESS_DPL(ring), ring), VECTOR_NP,
	           SLOT, "call of code that is not present");
}

/* Each goes on in the slot's segment in one way, again and again, until its descriptor, whose byte
 * of rights is at the argument, is not present any more. */
#define GO_ON_UNTIL_ABSENT(name, go)          \
	SNIPPET(name, "ljmp $0x60, $1f\n"     \
	              "8: lret\n"             \
	              "1: movl $3, %edx\n"    \
	              "2: " go "decl %edx\n"  \
	              "jnz 2b\n"              \
	              "testb $0x80, (%ecx)\n" \
	              "jz 7f\n"               \
	              "andb $0x7F, (%ecx)\n"  \
	              "movl $1, %edx\n"       \
	              "jmp 2b\n"              \
	              "7: ljmp $8, $9f\n"     \
	              "9:")
_Static_assert(SLOT == 0x60 && SEGMENT_CODE(0) == 8, "as the snippets have it");
GO_ON_UNTIL_ABSENT(return_until_absent, "pushfl; pushl $0x60; pushl $3f; iretl; 3:");
GO_ON_UNTIL_ABSENT(return_far_until_absent, "pushl $0x60; pushl $3f; lret; 3:");
GO_ON_UNTIL_ABSENT(jump_until_absent, "ljmp $0x60, $3f; 3:");
GO_ON_UNTIL_ABSENT(call_until_absent, "lcall $0x60, $8b;");

static void check_until_absent(catch_function *go_on, const char *what)
{
	uint32_t rights = (uint32_t)(uintptr_t)&segment_table[SLOT >> 3].access;

	segment_set(SLOT, segment_make(0, 0xFFFFF, CODE, FLAG_BIG | FLAG_PAGES));
	test_traps(catch_call(go_on, rights), VECTOR_NP, SLOT, what);
}

static void check_code_that_is_no_longer_there(void)
{
	check_until_absent(return_until_absent, "iret to code that is not present any more");
	check_until_absent(return_far_until_absent, "far return to such");
	check_until_absent(jump_until_absent, "far jump to such");
	check_until_absent(call_until_absent, "far call of such");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("descriptors", "each type of descriptor can be loaded where it fits, by whom it "
	                          "lets, and used as its type and limit say");
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_data_loads(ring);
		check_null_and_limit(ring);
		check_privilege(ring);
		check_use(ring);
		check_conformity(ring);
	}
	check_code_that_is_no_longer_there();
	test_end();
}
