/* Runs a whole guest on this computer, interpreted or translated, without a machine underneath.
 *
 *     build/translate_guest KERNEL ENGINE[,OPTION=NUMBER...] [MOST-INSTRUCTIONS [INPUT]]
 *
 * ENGINE is interpret or translate, the options are those of struct translator_options. Ring 1 is a
 * second interpreted processor: it goes through the guest's own page tables, and finds the cache
 * and the window at addresses that these leave alone. Pages of translated code are read-only for
 * the whole program, so that a write is a signal. Standard output is COM1, and INPUT is typed
 * there; the last line of standard error counts. An instruction takes 20 nanoseconds, a halt takes
 * none. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/statistics.h"
#include "monitor/cpu/control.h"
#include "monitor/devices/pc.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/instructions/interpret.h"
#include "monitor/loaders/kernel_image.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/linear.h"
#include "monitor/state/stop.h"
#include "monitor/translator/translator.h"

#define MEMORY     (64u << 20)
#define IMAGE_MAX  (16u << 20)
#define CACHE_SIZE (1u << 20)
#define SLOT       0xE0000000u
/* Its entries in the buffer are not those of the cache, nor of where guests have code and stacks.
 */
#define WINDOW        (SLOT + 0x178000u)
#define TICK_NS       20
#define LOOK_EVERY    256 /* instructions between two looks at the chips */
#define INPUT_FROM    3000000u
#define INPUT_EVERY   20000u
#define OPENED_MAX    16
#define INT           0xCD
#define SLOT_RIGHTS   (LINEAR_READ | LINEAR_WRITE | LINEAR_EXECUTE)
#define SLOT_PHYSICAL 0xFF0000000ull /* nothing is there */

static struct {
	struct vm vm;
	struct pc pc;
} machine;
static struct vcpu *const guest = &machine.vm.vcpu;
static struct vcpu real;
static struct translator translator;
static struct translator_window *window;
static uint8_t *cache;

static uint64_t ticks, most_ticks = 2000000000;
static const char *input = "";
static struct {
	unsigned long host, callouts, exits, faults, interpreted, interrupts;
} counted;

/* Pages of code: which are watched, and which the guest's current instruction writes to. */
static bool watched[MEMORY / GUEST_PAGE_SIZE];
static sigjmp_buf out_of_ring1;
static volatile bool in_ring1;
static struct {
	uint32_t page;
	uint8_t before[GUEST_PAGE_SIZE];
} opened[OPENED_MAX];
static unsigned int opened_count;

static uint64_t read_time(const struct vm *vm)
{
	(void)vm;
	return ticks * TICK_NS;
}

static uint64_t read_tsc(const struct vm *vm)
{
	(void)vm;
	return ticks;
}

static uint8_t acknowledge_interrupt(struct vm *vm)
{
	(void)vm;
	counted.interrupts++;
	return pc_take_interrupt(&machine.pc);
}

static void set_processor_line(void *owner, unsigned int input_number, bool level)
{
	(void)owner, (void)input_number;
	machine.vm.interrupt_waits = level;
}

static void transmit(void *owner, uint8_t byte)
{
	(void)owner;
	putchar(byte);
}

static void copy_in(void *owner, uint32_t address, const void *bytes, uint32_t size)
{
	memcpy((uint8_t *)owner + address, bytes, size);
}

static void clear(void *owner, uint32_t address, uint32_t size)
{
	memset((uint8_t *)owner + address, 0, size);
}

/* Guests that compute with the unit are not for this program. */
static uint8_t run_no_unit(struct vm_unit_run *run)
{
	(void)run;
	return VM_UNIT_NO_FAULT;
}

static uint8_t *page_of(uint32_t page)
{
	return machine.vm.ram + (size_t)page * GUEST_PAGE_SIZE;
}

static void protect(uint32_t page)
{
	mprotect(page_of(page), GUEST_PAGE_SIZE,
	         watched[page] ? PROT_READ : PROT_READ | PROT_WRITE);
}

static void watch(struct vcpu *vcpu, gpa_t at, bool on)
{
	uint32_t page = (uint32_t)(at.value / GUEST_PAGE_SIZE);

	(void)vcpu;
	watched[page] = on;
	protect(page);
}

/* In ring 1 the instruction has not happened; the guest's own may write, and is looked at later. */
static void on_write(int number, siginfo_t *info, void *context)
{
	uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)machine.vm.ram;
	uint32_t page = (uint32_t)(offset / GUEST_PAGE_SIZE);

	(void)context;
	if (offset >= MEMORY || !watched[page] || opened_count == OPENED_MAX) {
		signal(number, SIG_DFL);
		return;
	}
	if (in_ring1) {
		in_ring1 = false;
		siglongjmp(out_of_ring1, 1);
	}
	opened[opened_count].page = page;
	memcpy(opened[opened_count++].before, page_of(page), GUEST_PAGE_SIZE);
	mprotect(page_of(page), GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void close_page(uint32_t page, const uint8_t *before)
{
	const uint8_t *now = page_of(page);
	uint32_t first = 0, last = GUEST_PAGE_SIZE - 1;

	protect(page);
	if (memcmp(now, before, GUEST_PAGE_SIZE) == 0)
		return;
	while (now[first] == before[first])
		first++;
	while (now[last] == before[last])
		last--;
	translator_written(&translator, gpa((uint64_t)page * GUEST_PAGE_SIZE + first),
	                   last - first + 1);
}

static void interpret_one(void)
{
	interpret_step(guest);
	ticks++;
	while (opened_count) {
		opened_count--;
		close_page(opened[opened_count].page, opened[opened_count].before);
	}
}

static struct vcpu_segment_register ring1_segment(uint32_t base, uint32_t size, uint16_t attributes)
{
	return (struct vcpu_segment_register){.selector = 9,
	                                      .attributes = attributes,
	                                      .usable = true,
	                                      .base = base,
	                                      .limit = size - 1};
}

static void enter(uint32_t offset)
{
	translator_load_window(&translator, guest);
	memcpy(real.registers, guest->registers, sizeof(real.registers));
	memcpy(real.segments, guest->segments, sizeof(real.segments));
	real.segments[VCPU_CS] = ring1_segment(SLOT, CACHE_SIZE, 0x40BB);
	real.segments[VCPU_GS] = ring1_segment(WINDOW, sizeof(*window), 0x40B3);
	real.cpl = 1;
	real.eflags = translator_real_flags(guest);
	real.eip = offset;
	real.cr0 = guest->cr0;
	real.cr3 = guest->cr3;
	real.cr4 = guest->cr4;
	real.efer = guest->efer;
	memcpy(real.pdptes, guest->pdptes, sizeof(real.pdptes));
	linear_flush(&real, true);
}

static void leave(void)
{
	memcpy(guest->registers, real.registers, sizeof(real.registers));
	translator_store_window(&translator, guest, real.eflags);
}

static void map_slot_page(uint32_t at, uint8_t *page)
{
	struct vcpu_tlb_entry *entry = linear_entry(&real, gva(at));

	real.tlb_has_global = true;
	*entry = (struct vcpu_tlb_entry){.tag = linear_tag(gva(at)),
	                                 .rights = SLOT_RIGHTS,
	                                 .global = true,
	                                 .listed = entry->listed,
	                                 .page = SLOT_PHYSICAL,
	                                 .ram = page};
}

static void map_window_page(uint32_t at)
{
	at &= ~(GUEST_PAGE_SIZE - 1);
	map_slot_page(WINDOW + at, (uint8_t *)window + at);
}

/* The guest's tables do not have these; what the buffer has is not looked for. Of the last tables
 * of the window it is the pages that a jump through ECX is about to read. */
static void map_slot(void)
{
	uint32_t page = real.eip & ~(GUEST_PAGE_SIZE - 1);
	uint16_t ecx = (uint16_t)real.registers[VCPU_ECX];

	map_slot_page(SLOT + page, cache + page);
	if (page + GUEST_PAGE_SIZE < CACHE_SIZE)
		map_slot_page(SLOT + page + GUEST_PAGE_SIZE, cache + page + GUEST_PAGE_SIZE);
	map_slot_page(WINDOW, (uint8_t *)window);
	map_slot_page(WINDOW + GUEST_PAGE_SIZE, (uint8_t *)window + GUEST_PAGE_SIZE);
	map_slot_page(WINDOW + 2 * GUEST_PAGE_SIZE, (uint8_t *)window + GUEST_PAGE_SIZE);
	map_window_page(offsetof(struct translator_window, returns_by_cs));
	map_window_page((uint32_t)offsetof(struct translator_window, jumps) + ecx);
	map_window_page((uint32_t)offsetof(struct translator_window, returns) + ecx * 4u);
}

/* A fault of ring 1 finds no IDT, which ends the machine: not this time. */
static bool step_in_ring1(void)
{
	bool waits = machine.vm.interrupt_waits, good = false;

	map_slot();
	machine.vm.interrupt_waits = false;
	if (sigsetjmp(out_of_ring1, 0) == 0) {
		in_ring1 = true;
		good = interpret_step(&real) == INTERPRET_COMPLETED;
	}
	in_ring1 = false;
	machine.vm.interrupt_waits = waits;
	if (!good) {
		machine.vm.ended = false;
		real.event.pending = false;
	}
	counted.host++;
	ticks++;
	return good;
}

/* As the page with the flag, were it read-only: the store that lets an interrupt in has not
 * happened. */
static bool lets_interrupt_in(uint32_t flag_before)
{
	if (!machine.vm.interrupt_waits || flag_before == window->interrupt_flag ||
	    window->interrupt_flag != WINDOW_INTERRUPTS_ON)
		return false;
	window->interrupt_flag = flag_before;
	return true;
}

static void recover_and_interpret(uint32_t offset)
{
	leave();
	translator_recover(&translator, offset, guest);
	interpret_one();
}

/* False when ring 1 was left. */
static bool run_in_ring1(void)
{
	uint32_t registers[VCPU_REGISTERS], flags = real.eflags, offset = real.eip;
	uint32_t interrupt_flag = window->interrupt_flag;

	memcpy(registers, real.registers, sizeof(registers));
	if (step_in_ring1() && !lets_interrupt_in(interrupt_flag))
		return true;
	counted.faults++;
	memcpy(real.registers, registers, sizeof(registers));
	real.eflags = flags;
	recover_and_interpret(offset);
	return false;
}

static bool take_interrupt(void)
{
	if (counted.host % LOOK_EVERY)
		return false;
	pc_advance(&machine.pc, read_time(NULL));
	if (!machine.vm.interrupt_waits || window->interrupt_flag != WINDOW_INTERRUPTS_ON ||
	    !translator_at_boundary(&translator, real.eip))
		return false;
	recover_and_interpret(real.eip);
	return true;
}

static bool leave_by_int(void)
{
	const uint8_t *bytes = cache + real.eip;

	if (bytes[0] != INT)
		return false;
	leave();
	if (bytes[1] == TRANSLATOR_VECTOR_EXIT) {
		counted.exits++;
		translator_at_exit(&translator, real.eip + 2, guest);
		return true;
	}
	counted.callouts++;
	translator_at_callout(&translator, real.eip + 2, guest);
	interpret_one();
	return true;
}

static void dispatch(void)
{
	bool interrupted = machine.vm.interrupt_waits && (guest->eflags & VCPU_EFLAGS_IF);
	uint32_t offset;

	if (interrupted ||
	    translator_find_or_make(&translator, guest, &offset) != TRANSLATOR_FOUND) {
		counted.interpreted++;
		interpret_one();
		return;
	}
	enter(offset);
	while (!leave_by_int() && !take_interrupt() && run_in_ring1())
		;
}

static bool has_ended(void)
{
	const struct pc *pc = &machine.pc;

	return machine.vm.ended || pc->debug_exit.requested || pc->power.off_requested ||
	       pc->power.reset_requested || ticks >= most_ticks;
}

static void type_input(void)
{
	static uint64_t next = INPUT_FROM;

	if (!*input || ticks < next || !ns16550_room(&machine.pc.com1))
		return;
	ns16550_receive(&machine.pc.com1, read_time(NULL), (uint8_t)*input++, 0);
	next = ticks + INPUT_EVERY;
}

/* False when nothing will ever wake the guest. */
static bool skip_halt(void)
{
	uint64_t due = pc_next_due(&machine.pc);

	if (due == VIRTUAL_TIME_NEVER)
		return false;
	ticks = due / TICK_NS + 1;
	pc_advance(&machine.pc, read_time(NULL));
	return true;
}

static void run(bool translated)
{
	uint64_t looked = 0;

	while (!has_ended()) {
		type_input();
		if (ticks - looked >= LOOK_EVERY) {
			pc_advance(&machine.pc, read_time(NULL));
			looked = ticks;
		}
		if (guest->halted && !machine.vm.interrupt_waits) {
			if (!skip_halt())
				return;
		} else if (translated) {
			dispatch();
		} else {
			interpret_one();
		}
	}
}

static void make_machine(void)
{
	static uint8_t unit_memory[GUEST_PAGE_SIZE];
	static struct vm_unit unit = {.memory = unit_memory, .run = run_no_unit};
	const struct pc_outside outside = {.processor = {set_processor_line, NULL, 0},
	                                   .com1_transmit = transmit};

	machine.vm.name = "here";
	machine.vm.ram_size = MEMORY;
	machine.vm.ram =
	        mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guest->vm = real.vm = &machine.vm;
	machine.vm.bus = &machine.pc.bus;
	machine.vm.read_time = read_time;
	machine.vm.read_tsc = read_tsc;
	machine.vm.acknowledge_interrupt = acknowledge_interrupt;
	machine.vm.unit = &unit;
	pc_wire(&machine.pc, &outside);
	pc_reset(&machine.pc, 0);
	pc_start(&machine.pc, 0, MEMORY);
	ns16550_set_modem(&machine.pc.com1, 0, NS16550_CTS | NS16550_DSR | NS16550_DCD);
	control_reset(guest);
}

static bool load_kernel(const char *path)
{
	static uint8_t image[IMAGE_MAX];
	static struct load load;
	const struct guest_ram ram = {MEMORY, copy_in, clear, machine.vm.ram};
	struct load_request request = {.image = image, .command_line = "here", .ram = &ram};
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	request.image_size = (uint32_t)fread(image, 1, sizeof(image), file);
	fclose(file);
	if (!kernel_image_load(&load, &request))
		return false;
	guest->eip = load.entry.eip;
	guest->registers[VCPU_EAX] = load.entry.eax;
	guest->registers[VCPU_EBX] = load.entry.ebx;
	return true;
}

static uint32_t option(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? (uint32_t)atoi(found + strlen(name)) : 0;
}

static void start_translator(const char *text)
{
	struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct translator_setup setup = {.cache_size = CACHE_SIZE, .watch = watch, .vcpu = guest};

	setup.options = (struct translator_options){
	        .cache_blocks_max = option(text, "cache_blocks_max="),
	        .flush_every = option(text, "flush_every="),
	        .no_chaining = option(text, "no_chaining="),
	        .all_memory_callout = option(text, "all_memory_callout="),
	};
	setup.cache = cache = malloc(CACHE_SIZE);
	setup.window = window = malloc(sizeof(*window));
	setup.room_size = translator_room_size(CACHE_SIZE);
	setup.room = malloc(setup.room_size);
	translator_start(&translator, &setup);
	sigaction(SIGSEGV, &action, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "translate_guest: give it a kernel and an engine\n");
		return 2;
	}
	if (argc > 3)
		most_ticks = strtoull(argv[3], NULL, 0);
	if (argc > 4)
		input = argv[4];
	make_machine();
	start_translator(argv[2]);
	if (!load_kernel(argv[1])) {
		fprintf(stderr, "translate_guest: cannot load %s\n", argv[1]);
		return 2;
	}
	run(strncmp(argv[2], "translate", 9) == 0);
	fflush(stdout);
	fprintf(stderr, "%s\n", machine.vm.exit_text);
	fprintf(stderr,
	        "ticks=%lu host=%lu callouts=%lu exits=%lu faults=%lu interpreted=%lu "
	        "interrupts=%lu blocks=%lu dropped=%lu flushes=%lu\n",
	        (unsigned long)ticks, counted.host, counted.callouts, counted.exits, counted.faults,
	        counted.interpreted, counted.interrupts,
	        (unsigned long)statistics[STATISTIC_blocks_translated],
	        (unsigned long)statistics[STATISTIC_blocks_dropped],
	        (unsigned long)statistics[STATISTIC_cache_flushes]);
	return machine.vm.ended ? 1 : 0;
}
