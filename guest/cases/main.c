#include "guest/cases/case.h"
#include "guest/cases/sum.h"
#include "guest/cases/unit.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/segments.h"
#include "guest/library/start.h"
#include "guest/library/test.h"
#include "guest/library/traps.h"

#define BATCH 256 /* cases, unless batch=n says so */
#define TIMER 500 /* interrupts a second */
#define RF    0x10000u

/* Random words; what a case is filled from begins at one of the first POOL_STARTS. */
#define POOL_STARTS_BITS 10
#define POOL_STARTS      (1u << POOL_STARTS_BITS)
#define UNIT_WORDS       64u
#define POOL_OF_CASE     ((CASE_WINDOW_SIZE + 2 * CASE_EDGE_SIZE + CASE_STACK_SIZE) / 4 + UNIT_WORDS)

/* As case_enter() takes it off the stack. */
struct entry {
	uint32_t gs, fs, es, ds;
	uint32_t registers[8];
	uint32_t eip, cs, eflags, esp, ss;
};

/* How a case ended. The flags are without those that are undefined. */
struct ending {
	uint32_t registers[8]; /* as pushad leaves them */
	uint32_t eip, cs, eflags, ss;
	uint32_t ds, es, fs, gs;
	uint32_t vector, error_code, cr2, cr0;
	uint32_t memory, stack, unit;
};
_Static_assert(sizeof(struct ending) % 4 == 0, "words");

struct trap_frame *case_enter(const void *frame);
_Noreturn void case_leave(struct trap_frame *frame);

static struct paging paging;
static uint32_t usual_cr0;
static uint32_t pool[POOL_STARTS + POOL_OF_CASE];

static uint32_t number_option(const struct boot_info *boot, const char *name, uint32_t otherwise)
{
	const char *text = boot_find_option(boot, name);
	uint32_t value = 0;

	if (!text)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	return value;
}

static void tick(struct trap_frame *frame)
{
	(void)frame;
	interrupt_end(IRQ_TIMER);
}

/* Cases take their own stack into ring 0, so nothing that is kept may lie on this one. */
static void set_traps(void)
{
	for (unsigned vector = 0; vector < 256; vector++)
		trap_set_handler((uint8_t)vector, case_leave);
	trap_set_dpl(CASE_END, 3);
	trap_set_dpl(VECTOR_BP, 3);
	trap_set_dpl(VECTOR_OF, 3);
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, tick);
}

static void set_segments(void)
{
	unsigned data = ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE | ACCESS_DPL(3);

	segment_set(CASE_FS, segment_make(CASE_FS_BASE, 0xFFFFF, data, FLAG_BIG | FLAG_PAGES));
	segment_set(CASE_GS, segment_make(CASE_GS_BASE, 0xFFFFF, data, FLAG_BIG | FLAG_PAGES));
	segment_set(CASE_MISSING, segment_make(0, 0xFFFFF, data & ~(unsigned)ACCESS_PRESENT,
	                                       FLAG_BIG | FLAG_PAGES));
}

static void map_some(uint32_t at, unsigned pages, uint32_t rights)
{
	for (unsigned i = 0; i < pages; i++)
		paging_map(&paging, at + i * PAGE_SIZE, (uint32_t)(uintptr_t)page_take(), rights);
}

static void set_pages(const struct boot_module *module)
{
	uint32_t rights = PAGE_PRESENT | PAGE_WRITE | PAGE_USER;

	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, PAGE_PRESENT | PAGE_WRITE);
	map_some(CASE_DATA, 2, rights);
	map_some(CASE_READ_ONLY, 1, PAGE_PRESENT | PAGE_USER);
	map_some(CASE_PRIVATE, 1, PAGE_PRESENT | PAGE_WRITE);
	map_some(CASE_STACK, 4, rights);
	for (unsigned i = 0; i < 2; i++)
		paging_map(&paging, CASE_DATA_LOW + i * PAGE_SIZE,
		           (uint32_t)paging_entry(&paging, CASE_DATA + i * PAGE_SIZE), rights);
	for (uint32_t at = module->start; at < module->end; at += PAGE_SIZE)
		paging_map(&paging, CASE_MODULE + (at - module->start), at, rights);
	paging_map(&paging, 0, 0, 0);
	paging_enable(&paging, CR0_WP);
	/* A monitor may learn of pages by faults, and TCG may lose flags in them: so it learns now.
	 */
	for (unsigned i = 0; i < 2; i++)
		*(volatile uint8_t *)(uintptr_t)(CASE_DATA_LOW + i * PAGE_SIZE) = 0;
	usual_cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	cpu_write_cr0(usual_cr0);
}

static void fill_pool(void)
{
	uint32_t seed = 1;

	for (uint32_t i = 0; i < sizeof(pool) / sizeof(*pool); i++) {
		seed = seed * 1664525 + 1013904223;
		pool[i] = seed ^ seed >> 16;
	}
}

/* One instruction, which an interpreter is quick with. */
static const uint32_t *fill(uint32_t at, uint32_t size, const uint32_t *from)
{
	void *to = (void *)(uintptr_t)at;

	size /= 4;
	__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return from;
}

/* Returns what is left for the unit. */
static const uint32_t *fill_memory(uint32_t seed)
{
	const uint32_t *from = &pool[seed * 0x9E3779B1u >> (32 - POOL_STARTS_BITS)];

	from = fill(CASE_WINDOW, CASE_WINDOW_SIZE, from);
	from = fill(CASE_EDGE, CASE_EDGE_SIZE, from);
	from = fill(CASE_EDGE0, CASE_EDGE_SIZE, from);
	return fill(CASE_FILLED_STACK, CASE_STACK_SIZE, from);
}

static uint32_t sum_memory(void)
{
	uint32_t sum = sum_words(0, (const void *)CASE_WINDOW, CASE_WINDOW_SIZE / 4);

	sum = sum_words(sum, (const void *)CASE_EDGE, CASE_EDGE_SIZE / 4);
	return sum_words(sum, (const void *)CASE_EDGE0, CASE_EDGE_SIZE / 4);
}

static uint32_t sum_stack(uint32_t esp)
{
	const uint32_t end = CASE_FILLED_STACK + CASE_STACK_SIZE;
	uint32_t from = esp < CASE_FILLED_STACK ? CASE_FILLED_STACK : esp, sum = 0;

	for (; from < end && from % 4; from++)
		sum = sum_add(sum, *(const uint8_t *)(uintptr_t)from);
	return from < end ? sum_words(sum, (const void *)(uintptr_t)from, (end - from) / 4) : sum;
}

/* The flags that are undefined where a case ended: behind an instruction that traps, those of the
 * next one count, which that has not changed. */
static uint32_t undefined_at(const struct case_head *head, uint32_t offset)
{
	const struct case_mark *marks = (const struct case_mark *)(head + 1);
	uint32_t undefined = 0;

	for (unsigned i = 0; i < head->mark_count && marks[i].offset <= offset; i++)
		undefined = marks[i].undefined;
	return undefined;
}

static void make_entry(const struct case_head *head, struct entry *entry)
{
	uint32_t code = (uint32_t)(uintptr_t)head + head->code_at;

	entry->ds = entry->es = SEGMENT_DATA(head->ring);
	entry->fs = CASE_FS;
	entry->gs = CASE_GS;
	memcpy(entry->registers, head->registers, sizeof(entry->registers));
	entry->eip = code;
	entry->cs = SEGMENT_CODE(head->ring);
	entry->eflags = head->eflags;
	entry->esp = head->registers[3];
	entry->ss = SEGMENT_DATA(head->ring);
}

/* A return to the same ring takes no stack pointer, but leaves it behind what it has taken. */
static const struct trap_frame *enter(const struct case_head *head)
{
	static struct entry entry;
	uint32_t size = __builtin_offsetof(struct entry, esp);

	make_entry(head, &entry);
	if (head->ring != 0)
		return case_enter(&entry);
	return case_enter(memcpy((void *)(uintptr_t)(entry.esp - size), &entry, size));
}

static void take_ending(const struct case_head *head, const struct trap_frame *frame,
                        struct ending *ending)
{
	uint32_t code = (uint32_t)(uintptr_t)head + head->code_at;

	memcpy(ending->registers, &frame->edi, sizeof(ending->registers));
	ending->registers[3] = frame->cs & 3 ? frame->esp : (uint32_t)(uintptr_t)&frame->esp;
	ending->ss = frame->cs & 3 ? frame->ss & 0xFFFF : 0;
	ending->eip = frame->eip;
	ending->cs = frame->cs;
	ending->eflags = frame->eflags & ~(undefined_at(head, frame->eip - code) | RF);
	ending->ds = frame->ds & 0xFFFF;
	ending->es = frame->es & 0xFFFF;
	ending->fs = frame->fs & 0xFFFF;
	ending->gs = frame->gs & 0xFFFF;
	ending->vector = frame->vector;
	ending->error_code = frame->error_code;
	ending->cr2 = frame->vector == VECTOR_PF ? cpu_read_cr2() : 0;
	ending->cr0 = head->ring == 0 ? cpu_read_cr0() : 0;
	ending->memory = sum_memory();
	ending->stack = sum_stack(ending->registers[3]);
}

static void show(const struct case_head *head, const struct ending *e)
{
	const uint32_t *r = e->registers;

	print("case %u: eax=%08x ecx=%08x edx=%08x ebx=%08x esp=%08x ebp=%08x esi=%08x edi=%08x",
	      head->number, r[7], r[6], r[5], r[4], r[3], r[2], r[1], r[0]);
	print(" eip=%x eflags=%05x cs=%x ss=%x ds=%x es=%x fs=%x gs=%x",
	      e->eip - (uint32_t)(uintptr_t)head - head->code_at, e->eflags, e->cs, e->ss, e->ds,
	      e->es, e->fs, e->gs);
	print(" vector=%x error=%x cr2=%08x cr0=%x memory=%08x stack=%08x", e->vector,
	      e->error_code, e->cr2, e->cr0, e->memory, e->stack);
	if (head->unit)
		unit_show();
	print("\n");
}

static void take_unit(struct ending *ending)
{
	cpu_write_cr0(usual_cr0);
	unit_store();
	ending->unit = unit_sum();
}

static uint32_t run_case(const struct case_head *head, bool verbose)
{
	const uint32_t *random = fill_memory(head->seed);
	struct ending ending;

	if (head->unit)
		unit_load(random, usual_cr0, head->unit);
	take_ending(head, enter(head), &ending);
	ending.unit = 0;
	if (head->unit)
		take_unit(&ending);
	else if (head->ring == 0 && ending.cr0 != usual_cr0)
		cpu_write_cr0(usual_cr0);
	if (verbose)
		show(head, &ending);
	return sum_words(0, &ending, sizeof(ending) / 4);
}

static void run_cases(const struct boot_info *boot, uint32_t size)
{
	uint32_t batch = number_option(boot, "batch", BATCH), done = 0, sum = 0;
	uint32_t first = number_option(boot, "first", 0);
	uint32_t count = number_option(boot, "count", UINT32_MAX);
	bool verbose = boot_find_option(boot, "verbose");
	const struct case_head *head = (const struct case_head *)(uintptr_t)CASE_MODULE;

	if (batch == 0)
		test_error("batch= is the number of cases of a sum, at least 1");
	for (uint32_t n = 0; (uint32_t)(uintptr_t)head < CASE_MODULE + size && head->size; n++) {
		if (n >= first && n - first < count) {
			sum = sum_add(sum, run_case(head, verbose));
			if (++done % batch == 0)
				print("batch %u sum=%08x\n", n, sum);
			sum = done % batch == 0 ? 0 : sum;
		}
		head = (const struct case_head *)((uintptr_t)head + head->size);
	}
	print("end cases=%u sum=%08x\n", done, sum);
}

void guest_main(const struct boot_info *boot)
{
	test_begin("cases", "instructions end in the same state however they are run");
	if (!unit_is_there())
		test_skip("cases use SSE2, which this processor has not got");
	if (boot->module_count != 1)
		test_skip("the cases come in a module, which tests/cases/run makes");
	interrupts_init();
	set_segments();
	set_pages(&boot->modules[0]);
	set_traps();
	fill_pool();
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, tick);
	interrupt_unmask(IRQ_TIMER);
	timer_start_periodic(number_option(boot, "timer", TIMER));
	run_cases(boot, boot->modules[0].end - boot->modules[0].start);
	interrupt_mask(IRQ_TIMER);
	test_check(true, "all cases have ended");
	test_end();
}
