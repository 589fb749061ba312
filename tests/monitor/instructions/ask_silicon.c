/* Asks the processor underneath what the decoder claims: is this an instruction, and how long is
 * it?
 *
 * A 32-bit Linux program without a library. It puts the first byte of a string at the end of a page
 * behind which there is none, then two bytes, and so on, and runs them. While the processor wants
 * more it faults on fetching from the missing page; so the first number of bytes that gives another
 * fault, or none, is the length. #UD is a refusal; any other fault is a valid instruction that
 * could not do its work. Opcodes of features that the processor has not got are #UD there and are
 * only counted; everything else must agree, but for the few exceptions below.
 *
 * It must not be run where a stray store or system call could do harm: it is a child of make only.
 */
#include "monitor/instructions/decode.h"

#define PAGE_SIZE   4096
#define PAGES       0x30000000
#define STRING_SIZE 32

enum {
	SYSTEM_WRITE = 4,
	SYSTEM_MUNMAP = 91,
	SYSTEM_SIGACTION = 174,
	SYSTEM_SIGALTSTACK = 186,
	SYSTEM_MMAP2 = 192
};
enum { TRAP_UNDEFINED = 6, TRAP_PAGE_FAULT = 14, PAGE_FAULT_FETCH = 0x10 };

int system_call(int number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f);
void run_instruction(void);
void run_resume(void);
void signal_restorer(void);
int ask_silicon(void);
extern uint32_t run_target, run_stack, run_saved_stack;

/* What the kernel keeps of the interrupted program, in its order. */
struct context {
	uint32_t flags, link, stack[3];
	uint32_t gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint32_t trap, error, eip, cs, eflags, esp_at_signal, ss;
};

_Static_assert(offsetof(struct context, trap) == 68, "the kernel puts the trap number at 68");

struct action {
	void (*handler)(int, const uint32_t *, struct context *);
	uint32_t flags;
	void (*restorer)(void);
	uint32_t mask[2];
};

static struct context good; /* the segment registers as they were */
static uint32_t last_trap, last_error, last_address;
static uint8_t *page;
static uint8_t signal_stack[65536], scratch[8192];
static uint32_t asked, valid, missing, wrong;

/* Where the processor of the build machine is known to answer otherwise. The bytes stand behind the
 * prefixes. */
static const struct {
	uint8_t count;
	uint8_t bytes[4];
	const char *reason;
} exceptions[] = {
        {3, {0x0F, 0x01, 0xC1}, "KVM emulates vmcall with any prefix on AMD processors"},
        {2, {0x0F, 0x20}, "on AMD processors LOCK makes it a move of CR8"},
        {2, {0x0F, 0x22}, "on AMD processors LOCK makes it a move of CR8"},
        {4, {0xC4, 0xE3, 0x7D, 0x00}, "outside 64-bit mode AMD processors ignore W of vpermq"},
        {4, {0xC4, 0xE3, 0x7D, 0x01}, "outside 64-bit mode AMD processors ignore W of vpermpd"},
        {2, {0x0F, 0x00}, "with UMIP Linux emulates sldt and str"},
        {2, {0x0F, 0x01}, "with UMIP Linux emulates smsw"},
};

static void say(const char *text)
{
	uint32_t length = 0;

	while (text[length])
		length++;
	system_call(SYSTEM_WRITE, 1, (uint32_t)text, length, 0, 0, 0);
}

static void say_number(uint32_t value, unsigned int base, unsigned int digits)
{
	char text[16];
	unsigned int at = sizeof(text) - 1;

	text[at] = 0;
	do
		text[--at] = "0123456789abcdef"[value % base];
	while ((value /= base) || sizeof(text) - 1 - at < digits);
	say(text + at);
}

static void on_signal(int number, const uint32_t *information, struct context *context)
{
	(void)number;
	last_trap = context->trap;
	last_error = context->error;
	last_address = information[3];
	context->eip = (uint32_t)run_resume;
	context->esp = run_saved_stack;
	context->eflags = 0x202;
	context->cs = good.cs;
	context->ss = good.ss;
	context->ds = context->es = good.ds;
	context->fs = good.fs;
	context->gs = good.gs;
}

static void prepare(void)
{
	static const int signals[] = {4, 5, 7, 8, 11}; /* ILL TRAP BUS FPE SEGV */
	const uint32_t stack[3] = {(uint32_t)signal_stack, 0, sizeof(signal_stack)};
	/* SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_NODEFER */
	const struct action action = {on_signal, 0x4C000004, signal_restorer, {0, 0}};

	__asm__("mov %%cs, %0; mov %%ss, %1; mov %%ds, %2; mov %%fs, %3; mov %%gs, %4"
	        : "=r"(good.cs), "=r"(good.ss), "=r"(good.ds), "=r"(good.fs), "=r"(good.gs));
	system_call(SYSTEM_SIGALTSTACK, (uint32_t)stack, 0, 0, 0, 0, 0);
	for (unsigned int n = 0; n < sizeof(signals) / sizeof(signals[0]); n++)
		system_call(SYSTEM_SIGACTION, signals[n], (uint32_t)&action, 0, 8, 0, 0);
	/* Two pages that may be read, written and run; then the second goes. */
	page = (uint8_t *)system_call(SYSTEM_MMAP2, PAGES, 2 * PAGE_SIZE, 7, 0x32, -1u, 0);
	system_call(SYSTEM_MUNMAP, (uint32_t)page + PAGE_SIZE, PAGE_SIZE, 0, 0, 0, 0);
}

/* The length, or 0 for #UD. */
static unsigned int length_on_silicon(const uint8_t *bytes)
{
	for (unsigned int length = 1; length <= INSTRUCTION_MAX_LENGTH; length++) {
		for (unsigned int at = 0; at < length; at++)
			page[PAGE_SIZE - length + at] = bytes[at];
		run_target = (uint32_t)page + PAGE_SIZE - length;
		run_stack = (uint32_t)scratch + sizeof(scratch) / 2;
		run_instruction();
		if (last_trap == TRAP_UNDEFINED)
			return 0;
		if (last_trap != TRAP_PAGE_FAULT || last_address != (uint32_t)page + PAGE_SIZE ||
		    !(last_error & PAGE_FAULT_FETCH))
			return length;
	}
	return INSTRUCTION_MAX_LENGTH + 1;
}

static bool is_excepted(const uint8_t *bytes)
{
	while (opcode_rows[opcode_index[MAP_BASE][*bytes]].kind == KIND_PREFIX)
		bytes++;
	for (unsigned int n = 0; n < sizeof(exceptions) / sizeof(exceptions[0]); n++) {
		unsigned int at = 0;

		while (at < exceptions[n].count && exceptions[n].bytes[at] == bytes[at])
			at++;
		if (at == exceptions[n].count)
			return true;
	}
	return false;
}

/* Whatever came with SSE4.2 or earlier, a processor of today has. */
static bool is_common(const struct instruction *instruction)
{
	const struct opcode *row = instruction_opcode(instruction);

	return row->feature <= FEATURE_SSE42 && !(row->class & CLASS_UNDEFINED);
}

static void ask(const uint8_t *bytes)
{
	struct instruction instruction;
	unsigned int theirs = length_on_silicon(bytes), ours = 0;

	if (instruction_decode(bytes, STRING_SIZE, 32, &instruction) == DECODE_OK)
		ours = instruction.length;
	asked++;
	valid += theirs != 0;
	if (theirs == 0 && ours != 0)
		missing++;
	if (theirs == ours || is_excepted(bytes) || (theirs == 0 && !is_common(&instruction)))
		return;
	wrong++;
	say("length ");
	say_number(theirs, 10, 1);
	say(", ours ");
	say_number(ours, 10, 1);
	say(":");
	for (unsigned int at = 0; at < INSTRUCTION_MAX_LENGTH; at++) {
		say(" ");
		say_number(bytes[at], 16, 2);
	}
	say("\n");
}

static void fill(uint8_t *bytes, unsigned int from)
{
	for (unsigned int at = from; at < STRING_SIZE; at++)
		bytes[at] = 0x91 + 0x13 * at;
}

/* Every reg with memory and with a register, and a few longer forms. */
static void ask_modrms(uint8_t *bytes, unsigned int at)
{
	static const uint8_t others[] = {0x44, 0x84, 0x05, 0xFA, 0xEE};

	fill(bytes, at);
	for (unsigned int n = 0; n < 16 + sizeof(others); n++) {
		bytes[at] = n < 16 ? (n & 7) << 3 | (n < 8 ? 0 : 0xC1) : others[n - 16];
		ask(bytes);
	}
}

/* INT, SYSENTER and SYSCALL would call the kernel. */
static bool calls_the_kernel(unsigned int map, unsigned int opcode)
{
	return map == 0 ? opcode == 0xCD : map == 1 && (opcode == 0x34 || opcode == 0x05);
}

static void ask_legacy_maps(void)
{
	static const uint8_t prefixes[] = {0, 0x66, 0xF2, 0xF3, 0xF0, 0x67};

	for (unsigned int n = 0; n < sizeof(prefixes) * 4 * 256; n++) {
		unsigned int map = n >> 8 & 3, opcode = n & 0xFF, at = 0;
		uint8_t bytes[STRING_SIZE];

		if (calls_the_kernel(map, opcode))
			continue;
		if (prefixes[n >> 10])
			bytes[at++] = prefixes[n >> 10];
		if (map)
			bytes[at++] = 0x0F;
		if (map > 1)
			bytes[at++] = map == 2 ? 0x38 : 0x3A;
		bytes[at++] = opcode;
		ask_modrms(bytes, at);
	}
}

static void ask_vex_maps(void)
{
	for (unsigned int n = 0; n < 3 * 16 * 256; n++) {
		uint8_t bytes[STRING_SIZE] = {0xC4, 0xE1 + (n >> 12), 0, n & 0xFF};

		/* W, L and pp, with a vvvv of 1111. */
		bytes[2] = 0x78 | (n >> 8 & 8) << 4 | (n >> 8 & 7);
		ask_modrms(bytes, 4);
	}
}

int ask_silicon(void)
{
	prepare();
	ask_legacy_maps();
	ask_vex_maps();
	say("ask-silicon: ");
	say_number(asked, 10, 1);
	say(" strings, ");
	say_number(valid, 10, 1);
	say(" valid to this processor, ");
	say_number(missing, 10, 1);
	say(" valid only to us (newer than SSE4.2), ");
	say_number(wrong, 10, 1);
	say(" wrong\n");
	return wrong != 0;
}
