#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define DATA     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define CODE     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define MISSING  SEGMENT_FREE(0) /* a descriptor that is not present */
#define SHORT    SEGMENT_FREE(1)
_Static_assert(SHORT == 0x68, "the selector in read_short");
#define EMPTY       0xF8u
#define VECTOR      0x90
#define LANDED      0x91
#define FLAGS_KEPT  (EFLAGS_NT | EFLAGS_AC | EFLAGS_ID | EFLAGS_DF) /* any ring may change them */
#define V86_SEGMENT 0x2000u
#define V86_LINEAR  (V86_SEGMENT * 16)

/* The argument is an array of what is pushed, the first word last. */
#define PUSH_5 "pushl 16(%ecx); pushl 12(%ecx); pushl 8(%ecx); pushl 4(%ecx); pushl (%ecx)"
SNIPPET_BEFORE(interrupt_return, PUSH_5, "iret");
SNIPPET_BEFORE(far_return, "pushl 16(%ecx); pushl 12(%ecx); pushl 4(%ecx); pushl (%ecx)", "lret");
SNIPPET_BEFORE(nested_return, PUSH_5 "; pushl $0x4002; popfl", "iret");
SNIPPET_BEFORE(read_short, "movl $0x68, %edx; movw %dx, %fs", "movl %fs:(%ecx), %eax");
SNIPPET(far_call, "lcall *(%ecx)");
SNIPPET(far_jump, "ljmp *(%ecx)");
SNIPPET(pop_flags, "pushl %ecx; popfl; pushfl; popl %eax; pushl $2; popfl");
SNIPPET_BEFORE(enter_v86,
               "pushl $0; pushl $0; pushl $0; pushl $0; pushl $0x2000; pushl $0x800; pushl %ecx; "
               "pushl $0x2000; pushl $0",
               "iret");

/* Where forged frames lead: shows CS and SS, or DS. */
extern const char landing[], landing_ds[];
__asm__("landing: movl %cs, %eax; shll $16, %eax; movw %ss, %ax; int $0x91\n"
        "landing_ds: movl %ds, %eax; movzwl %ax, %eax; int $0x91");

static uint32_t words[5]; /* EIP, CS, EFLAGS, ESP, SS */
static uint8_t *v86_page;

static uint32_t address_of(const void *object)
{
	return (uint32_t)(uintptr_t)object;
}

static void set_frame(uint32_t cs, uint32_t flags, uint32_t ss)
{
	words[0] = address_of(landing);
	words[1] = cs;
	words[2] = flags | EFLAGS_FIXED;
	words[3] = segment_stack_top(cs & 3) - 0x800;
	words[4] = ss;
}

static struct outcome use_frame(unsigned ring, catch_function *function, uint32_t cs,
                                uint32_t flags, uint32_t ss)
{
	set_frame(cs, flags, ss);
	return call_in_ring(ring, function, address_of(words));
}

static bool check_landed(struct outcome outcome, uint32_t eax, const char *what)
{
	return test_traps(outcome, LANDED, 0, what) &&
	       test_check(outcome.frame.eax == eax, "%s: %x", what, eax);
}

/* A return outwards goes there, with the flags that only ring 0 can give. */
static void check_outwards(catch_function *function, const char *what)
{
	uint32_t flags = EFLAGS_IOPL | EFLAGS_AC | EFLAGS_ID | EFLAGS_NT;
	for (unsigned ring = 1; ring < 4; ring++) {
		uint32_t cs = SEGMENT_CODE(ring), ss = SEGMENT_DATA(ring);
		struct outcome outcome = use_frame(0, function, cs, flags, ss);
		check_landed(outcome, cs << 16 | ss, what);
		test_check(outcome.frame.esp == words[3], "ring %u: ESP is the frame's", ring);
		if (function == interrupt_return)
			test_check((outcome.frame.eflags & (flags | EFLAGS_VM)) == flags,
			           "ring %u: the flags are the frame's", ring);
		words[0] = address_of(landing_ds);
		check_landed(call_in_ring(0, function, address_of(words)), 0,
		             "ds of ring 0 does not come along");
	}
}

static void check_refused(unsigned ring, catch_function *function, const char *what)
{
	static const struct {
		const char *what;
		uint32_t cs, ss;
		uint8_t vector;
		uint32_t error;
		bool only_from_0;
	} bad[] = {
	        {"a null CS", 0, SEGMENT_DATA(3), VECTOR_GP, 0, false},
	        {"a null CS with RPL 3", 3, SEGMENT_DATA(3), VECTOR_GP, 0, false},
	        {"CS is data", SEGMENT_DATA(3), SEGMENT_DATA(3), VECTOR_GP, SEGMENT_DATA(3) & ~3,
	         false},
	        {"CS of ring 0 with RPL 3", SEGMENT_CODE(0) | 3, SEGMENT_DATA(3), VECTOR_GP,
	         SEGMENT_CODE(0), false},
	        {"CS past the GDT", 0xFFFB, SEGMENT_DATA(3), VECTOR_GP, 0xFFF8, false},
	        {"CS empty", EMPTY | 3, SEGMENT_DATA(3), VECTOR_GP, EMPTY, false},
	        {"CS is the TSS", SEGMENT_TSS | 3, SEGMENT_DATA(3), VECTOR_GP, SEGMENT_TSS, false},
	        {"CS not present", MISSING | 3, SEGMENT_DATA(3), VECTOR_NP, MISSING, false},
	        {"a null SS", SEGMENT_CODE(3), 0, VECTOR_GP, 0, true},
	        {"SS of ring 0", SEGMENT_CODE(3), SEGMENT_DATA(0), VECTOR_GP, SEGMENT_DATA(0),
	         true},
	        {"SS of ring 0 with RPL 3", SEGMENT_CODE(3), SEGMENT_DATA(0) | 3, VECTOR_GP,
	         SEGMENT_DATA(0), true},
	        {"SS is code", SEGMENT_CODE(3), SEGMENT_CODE(3), VECTOR_GP, SEGMENT_CODE(3) & ~3,
	         true},
	};
	print("     ring %u: %s, bad frames\n", ring, what);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (ring == 0 || !bad[i].only_from_0)
			test_traps(use_frame(ring, function, bad[i].cs, 0, bad[i].ss),
			           bad[i].vector, bad[i].error, bad[i].what);
}

/* From ring 3 nothing leads inwards but a gate. */
static void check_inwards(void)
{
	for (unsigned inner = 0; inner < 3; inner++) {
		uint32_t cs = SEGMENT_CODE(inner), error = cs & ~3u;
		print("     ring 3 forges a frame of ring %u\n", inner);
		test_traps(use_frame(3, interrupt_return, cs, EFLAGS_IOPL, SEGMENT_DATA(inner)),
		           VECTOR_GP, error, "iret");
		test_traps(use_frame(3, far_return, cs, 0, SEGMENT_DATA(inner)), VECTOR_GP, error,
		           "far ret");
		for (unsigned rpl = 0; rpl < 4; rpl++) {
			words[1] = error | rpl;
			test_traps(call_in_ring(3, far_call, address_of(words)), VECTOR_GP, error,
			           "far call");
			test_traps(call_in_ring(3, far_jump, address_of(words)), VECTOR_GP, error,
			           "far jump");
		}
	}
	words[1] = SEGMENT_TSS | 3;
	test_traps(call_in_ring(3, far_jump, address_of(words)), VECTOR_GP, SEGMENT_TSS,
	           "far jump to the TSS of ring 0");
}

/* In ring 3 a frame's IF, IOPL, VIF and VIP are without effect: IF stays what it was. */
static void check_flags_from(uint32_t before)
{
	uint32_t changed = EFLAGS_IOPL | FLAGS_KEPT | (before ^ EFLAGS_IF), all = changed | before;
	struct outcome outcome;

	set_frame(SEGMENT_CODE(3), changed, SEGMENT_DATA(3));
	outcome = call_in_ring_with_flags(3, before, interrupt_return, address_of(words));
	test_check((outcome.frame.eflags & all) == (FLAGS_KEPT | before),
	           "iret in ring 3 changes neither IF nor IOPL");
	outcome = call_in_ring_with_flags(3, before, pop_flags,
	                                  changed | EFLAGS_VM | EFLAGS_RF | EFLAGS_FIXED);
	test_check(!outcome.trapped &&
	                   (outcome.value & (all | EFLAGS_VM | EFLAGS_RF)) == (FLAGS_KEPT | before),
	           "popf in ring 3 changes neither IF nor IOPL nor VM");
}

static void check_flags(void)
{
	check_flags_from(0);
	check_flags_from(EFLAGS_IF);
}

/* NT makes iret return to another task: there is none, or one that is not to be returned to. */
static void check_nested_task(void)
{
	for (unsigned ring = 0; ring < 4; ring += 3) {
		segment_task.tss.link = 0;
		test_traps(
		        use_frame(ring, nested_return, SEGMENT_CODE(ring), 0, SEGMENT_DATA(ring)),
		        VECTOR_TS, 0, "iret with NT: no task to go back to");
		segment_task.tss.link = SEGMENT_DATA(0);
		test_traps(
		        use_frame(ring, nested_return, SEGMENT_CODE(ring), 0, SEGMENT_DATA(ring)),
		        VECTOR_TS, SEGMENT_DATA(0), "iret with NT: the link is no task");
		segment_task.tss.link = 0xFFF8;
		test_traps(
		        use_frame(ring, nested_return, SEGMENT_CODE(ring), 0, SEGMENT_DATA(ring)),
		        VECTOR_TS, 0xFFF8, "iret with NT: the link is past the GDT");
		segment_task.tss.link = 0;
	}
}

static bool limits_are_checked(void)
{
	segment_set(SHORT, segment_make(0, 0, DATA, FLAG_BIG));
	return catch_call(read_short, 0x1000).trapped;
}

static struct outcome run_v86(const uint8_t *code, unsigned size, unsigned iopl)
{
	memset(v86_page, 0xF4, PAGE_SIZE); /* hlt, which ends it */
	memcpy(v86_page, code, size);
	return catch_call(enter_v86, EFLAGS_VM | iopl << EFLAGS_IOPL_N | EFLAGS_FIXED);
}

static void check_v86_trap(struct outcome outcome, uint8_t vector, uint32_t eip, const char *what)
{
	if (test_traps_at(outcome, vector, 0, eip, what))
		test_check(outcome.frame.cs == V86_SEGMENT && (outcome.frame.eflags & EFLAGS_VM),
		           "%s: from V86 mode", what);
}

/* What V86 code may not do is the kernel's to see. */
static void check_v86(void)
{
	static const struct {
		const char *what;
		uint8_t code[6];
		uint8_t size, vector;
		bool by_iopl; /* with IOPL 3 it just runs */
	} tries[] = {
	        {"cli", {0xFA}, 1, VECTOR_GP, true},
	        {"sti", {0xFB, 0xFA}, 2, VECTOR_GP, true},
	        {"pushf", {0x9C}, 1, VECTOR_GP, true},
	        {"popf", {0x9C, 0x9D}, 2, VECTOR_GP, true},
	        {"int", {0xCD, VECTOR}, 2, VECTOR_GP, true},
	        {"hlt", {0xF4}, 1, VECTOR_GP, false},
	        {"in", {0xE4, 0x80}, 2, VECTOR_GP, false},
	        {"out", {0xE6, 0x80}, 2, VECTOR_GP, false},
	        {"mov eax, cr0", {0x0F, 0x20, 0xC0}, 3, VECTOR_GP, false},
	        {"mov eax, dr7", {0x0F, 0x21, 0xF8}, 3, VECTOR_GP, false},
	        {"lmsw", {0x0F, 0x01, 0xF0}, 3, VECTOR_GP, false},
	        {"clts", {0x0F, 0x06}, 2, VECTOR_GP, false},
	        {"wbinvd", {0x0F, 0x09}, 2, VECTOR_GP, false},
	        {"rdmsr", {0x0F, 0x32}, 2, VECTOR_GP, false},
	        {"lgdt", {0x0F, 0x01, 0x16, 0x00, 0x08}, 5, VECTOR_GP, false},
	        {"sldt", {0x0F, 0x00, 0xC0}, 3, VECTOR_UD, false},
	        {"str", {0x0F, 0x00, 0xC8}, 3, VECTOR_UD, false},
	        {"ltr", {0x0F, 0x00, 0xD8}, 3, VECTOR_UD, false},
	        {"verr", {0x0F, 0x00, 0xE0}, 3, VECTOR_UD, false},
	        {"lar", {0x0F, 0x02, 0xC0}, 3, VECTOR_UD, false},
	        {"arpl", {0x63, 0xC0}, 2, VECTOR_UD, false},
	};
	for (unsigned i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		check_v86_trap(run_v86(tries[i].code, tries[i].size, 0), tries[i].vector, 0,
		               tries[i].what);
		if (tries[i].by_iopl)
			check_v86_trap(run_v86(tries[i].code, tries[i].size, 3), VECTOR_GP,
			               tries[i].size, "with IOPL 3 it runs, and the hlt behind it");
	}
}

/* Segments there are paragraphs; the wrong ones lead nowhere else than they say. */
static void check_v86_segments(bool limits)
{
	/* mov ax, 0x1FFF; mov ds, ax; mov eax, [0x10 + 0x800] */
	static const uint8_t near[] = {0xB8, 0xFF, 0x1F, 0x8E, 0xD8, 0x66, 0xA1, 0x10, 0x08};
	/* a32 mov eax, [0xFFC00010 - 0x20000], through cs */
	static const uint8_t far[] = {0x66, 0x67, 0x2E, 0xA1, 0x10, 0x00, 0xBE, 0xFF};
	*(volatile uint32_t *)(uintptr_t)(v86_page + 0x800) = 0;
	struct outcome outcome = run_v86(near, sizeof(near), 0);
	check_v86_trap(outcome, VECTOR_GP, sizeof(near), "a read through a segment, then hlt");
	test_check(outcome.frame.eax == 0xF4F4F4F4, "the read saw the page");
	outcome = run_v86(far, sizeof(far), 0);
	if (limits)
		check_v86_trap(outcome, VECTOR_GP, 0, "a read of the last 4 MB");
	else
		test_note("a read of the last 4 MB from V86 mode: this machine checks no limit");
}

static void check_v86_from_ring_3(bool limits)
{
	if (!limits) {
		test_note("iret with VM in ring 3 enters V86 mode on machines like this one");
		return;
	}
	struct outcome outcome =
	        use_frame(3, interrupt_return, SEGMENT_CODE(3), EFLAGS_VM, SEGMENT_DATA(3));
	test_check(!(outcome.frame.eflags & EFLAGS_VM), "iret in ring 3 does not enter V86 mode");
	check_landed(outcome, (uint32_t)SEGMENT_CODE(3) << 16 | SEGMENT_DATA(3),
	             "it goes on in ring 3");
}

static void on_vector(struct trap_frame *frame)
{
	(void)frame;
}

void guest_main(const struct boot_info *boot)
{
	static struct paging paging;
	(void)boot;
	test_begin("frames", "a return, a far call or a task link leads where the ring that forged "
	                     "it may go, with the flags that it may set");
	trap_set_handler(VECTOR, on_vector);
	trap_set_dpl(VECTOR, 3);
	trap_set_dpl(LANDED, 3);
	segment_set(MISSING, segment_make(0, 0xFFFFF, (CODE & ~ACCESS_PRESENT) | ACCESS_DPL(3),
	                                  FLAG_BIG | FLAG_PAGES));
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	v86_page = page_take();
	paging_map(&paging, V86_LINEAR, address_of(v86_page), IDENTITY);
	paging_enable(&paging, CR0_WP);
	bool limits = limits_are_checked();
	check_outwards(interrupt_return, "iret outwards: CS and SS");
	check_outwards(far_return, "far ret outwards: CS and SS");
	for (unsigned ring = 0; ring < 4; ring += 3) {
		check_refused(ring, interrupt_return, "iret");
		check_refused(ring, far_return, "far ret");
	}
	check_inwards();
	check_flags();
	check_nested_task();
	check_v86();
	check_v86_segments(limits);
	check_v86_from_ring_3(limits);
	test_end();
}
