#include "monitor/run/real_unit.h"

#include <stddef.h>

#include "kernel/exception_table.h"
#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/probes.h"
#include "kernel/processor.h"
#include "kernel/string.h"
#include "kernel/x86.h"
#include "monitor/cpu/identity.h"

#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_NE (1u << 5)

#define EFLAGS_ARITHMETIC 0x8D5u
#define RETURN            0xC3

/* The largest operand is that of fxsave, and it may begin anywhere. */
#define MEMORY_SIZE (512 + 16)

static uint8_t memory[MEMORY_SIZE] __attribute__((aligned(16)));

/* The instruction has a page to itself, executable where it runs and written through the direct
 * map. It always stands at the page's first byte, so one line of the exception table is enough. */
static uint8_t *code;

/* What frstor and fnsave take, where there is no fxsave: the state of a guest as its own processor
 * without FXSR lays it out, unlike vcpu->fpu. */
struct plain_state {
	uint32_t control, status, tags, eip, cs_opcode, operand, ds;
	uint8_t registers[8][10];
};

_Static_assert(sizeof(struct plain_state) == 108, "what fnsave writes with 32-bit operands");

struct fx_state {
	uint16_t control, status;
	uint8_t tags, reserved;
	uint16_t opcode;
	uint32_t eip;
	uint16_t cs, reserved2;
	uint32_t operand;
	uint16_t ds, reserved3;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[8][16];
};

_Static_assert(sizeof(struct fx_state) == 160 && offsetof(struct fx_state, registers) == 32,
               "the part of what fxsave writes that is x87");

#define TAG_EMPTY 3u

/* frstor asks of a tag only whether the register is empty. */
static void load_plain(const struct fx_state *from)
{
	struct plain_state plain = {
	        .control = from->control,
	        .status = from->status,
	        .eip = from->eip,
	        .cs_opcode = from->cs | (uint32_t)from->opcode << 16,
	        .operand = from->operand,
	        .ds = from->ds,
	};

	for (unsigned int i = 0; i < 8; i++) {
		if (!(from->tags >> i & 1))
			plain.tags |= TAG_EMPTY << 2 * i;
		memcpy(plain.registers[i], from->registers[i], sizeof(plain.registers[i]));
	}
	__asm__ volatile("fninit\n\tfrstor %0" : : "m"(plain));
}

static void save_plain(struct fx_state *to)
{
	struct plain_state plain;

	__asm__ volatile("fnsave %0" : "=m"(plain));
	to->control = (uint16_t)plain.control;
	to->status = (uint16_t)plain.status;
	to->opcode = plain.cs_opcode >> 16 & 0x7FF;
	to->eip = plain.eip;
	to->cs = (uint16_t)plain.cs_opcode;
	to->operand = plain.operand;
	to->ds = (uint16_t)plain.ds;
	to->tags = 0;
	for (unsigned int i = 0; i < 8; i++) {
		if ((plain.tags >> 2 * i & 3) != TAG_EMPTY)
			to->tags |= (uint8_t)(1u << i);
		memcpy(to->registers[i], plain.registers[i], sizeof(plain.registers[i]));
	}
}

static void load_state(uint8_t *state)
{
	if (processor.features[PROCESSOR_FXSR])
		__asm__ volatile("fxrstor (%0)" : : "r"(state) : "memory");
	else
		load_plain((const struct fx_state *)(void *)state);
}

static void save_state(uint8_t *state)
{
	if (processor.features[PROCESSOR_FXSR])
		__asm__ volatile("fxsave (%0)" : : "r"(state) : "memory");
	else
		save_plain((struct fx_state *)(void *)state);
}

#define AT(name, number) [name] "i"(offsetof(struct vm_unit_run, registers) + 4 * (number))

/* All registers but ESP are the instruction's. What it was called with stands on the stack, and
 * when the instruction faults its return address does too: the recovery makes of that the answer.
 */
static bool call_code(struct vm_unit_run *run)
{
	uint32_t faulted;

	__asm__ volatile("pushl %%ebp\n\t"
	                 "pushl %%eax\n\t"
	                 "pushfl\n\t"
	                 "popl %%edx\n\t"
	                 "andl %[keep], %%edx\n\t"
	                 "orl %c[flags](%%eax), %%edx\n\t"
	                 "pushl %%edx\n\t"
	                 "popfl\n\t"
	                 "movl %c[ecx](%%eax), %%ecx\n\t"
	                 "movl %c[edx](%%eax), %%edx\n\t"
	                 "movl %c[ebx](%%eax), %%ebx\n\t"
	                 "movl %c[ebp](%%eax), %%ebp\n\t"
	                 "movl %c[esi](%%eax), %%esi\n\t"
	                 "movl %c[edi](%%eax), %%edi\n\t"
	                 "movl %c[eax](%%eax), %%eax\n\t"
	                 "call layout_monitor\n\t"
	                 "pushl $0\n\t"
	                 "jmp 3f\n"
	                 "2:\n\t"
	                 "movl $1, (%%esp)\n"
	                 "3:\n\t"
	                 "pushfl\n\t"
	                 "pushl %%eax\n\t"
	                 "movl 12(%%esp), %%eax\n\t"
	                 "popl %c[eax](%%eax)\n\t"
	                 "popl %c[flags](%%eax)\n\t"
	                 "popl %%edx\n\t"
	                 "addl $4, %%esp\n\t"
	                 "popl %%ebp\n\t"
	                 "movl %%edx, %%eax\n\t"
	                 ".pushsection .exception_table, \"a\"\n\t"
	                 ".long layout_monitor, 2b\n\t"
	                 ".popsection\n\t"
	                 : "=a"(faulted)
	                 : "a"(run), AT(eax, VCPU_EAX), AT(ecx, VCPU_ECX), AT(edx, VCPU_EDX),
	                   AT(ebx, VCPU_EBX), AT(ebp, VCPU_EBP), AT(esi, VCPU_ESI),
	                   AT(edi, VCPU_EDI), [flags] "i"(offsetof(struct vm_unit_run, flags)),
	                   [keep] "i"(~EFLAGS_ARITHMETIC)
	                 : "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
	return !faulted;
}

/* A load of a control register serialises: bytes written under another address are seen then. */
static void put_code(const struct vm_unit_run *run)
{
	if (memcmp(code, run->code, run->length) == 0 && code[run->length] == RETURN)
		return;
	memcpy(code, run->code, run->length);
	code[run->length] = RETURN;
	x86_write_cr3(x86_read_cr3());
}

/* Who has the unit, and what the control registers are for it. */
static struct {
	struct vcpu *borrower; /* whose state the unit holds; NULL: nobody's */
	uint32_t own_cr0, own_cr4, cr0, cr4;
} lent;

static void set_control(uint32_t cr0, uint32_t cr4)
{
	if (cr0 != lent.cr0)
		x86_write_cr0(cr0);
	if (cr4 != lent.cr4)
		x86_write_cr4(cr4);
	lent.cr0 = cr0;
	lent.cr4 = cr4;
}

void real_unit_take_back(void)
{
	set_control(lent.own_cr0, lent.own_cr4);
	if (lent.borrower)
		save_state(lent.borrower->fpu);
	lent.borrower = NULL;
}

/* TS stands for everything that makes the guest's unit fault: which fault it is, the interpreter
 * knows. Alignment is only ever checked in ring 3, which is ring 3 of the guest. */
static uint32_t guest_cr0(const struct vcpu *vcpu)
{
	uint32_t cr0 = lent.own_cr0;

	if (vcpu->cr0 & (VCPU_CR0_TS | VCPU_CR0_EM))
		cr0 |= CR0_TS;
	return cr0 | (vcpu->cr0 & VCPU_CR0_AM);
}

/* A guest whose time-stamp counter is not the real one never reads that. */
static uint32_t guest_cr4(const struct vcpu *vcpu)
{
	const uint32_t unit = CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint32_t cr4 = lent.own_cr4 & (~unit | vcpu->cr4);

	return vcpu->cr4 & VCPU_CR4_TSD || vcpu->tsc_offset ? cr4 | CR4_TSD : cr4;
}

/* Out of line, for real_unit_lend() is asked before each entry. */
__attribute__((noinline)) static void lend_anew(struct vcpu *vcpu, uint32_t cr0, uint32_t cr4)
{
	if (!(cr0 & CR0_TS) && lent.borrower != vcpu) {
		real_unit_take_back();
		load_state(vcpu->fpu);
		lent.borrower = vcpu;
	}
	set_control(cr0, cr4);
}

void real_unit_lend(struct vcpu *vcpu)
{
	uint32_t cr0 = guest_cr0(vcpu), cr4 = guest_cr4(vcpu);

	if (cr0 != lent.cr0 || cr4 != lent.cr4 || (!(cr0 & CR0_TS) && lent.borrower != vcpu))
		lend_anew(vcpu, cr0, cr4);
}

static uint8_t run_instruction(struct vm_unit_run *run)
{
	bool good;

	real_unit_take_back();
	put_code(run);
	load_state(run->state);
	good = call_code(run);
	save_state(run->state);
	return good ? VM_UNIT_NO_FAULT : exception_table_vector;
}

static bool make_code_page(void)
{
	uint32_t at = layout_address(layout_monitor);
	mpa_t frame = frames_allocate(FRAME_made_code);

	if (frames_is_none(frame) || !page_tables_prepare(at, at + PAGE_SIZE))
		return false;
	page_tables_map_code(at, frame);
	code = page_tables_direct(frame);
	return true;
}

/* Exceptions of the unit come as #MF and #XM, and nothing else traps. */
static void switch_on(void)
{
	uint32_t cr0 = (x86_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE;

	x86_write_cr0(cr0);
	__asm__ volatile("fninit");
	if (probes.sse)
		x86_write_cr4(x86_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	/* Guests have no UMIP, but what faults is emulated, and then says the guest's truth. */
	if (probes.umip)
		x86_write_cr4(x86_read_cr4() | CR4_UMIP);
	lent.own_cr0 = lent.cr0 = x86_read_cr0();
	lent.own_cr4 = lent.cr4 = x86_read_cr4();
}

const struct vm_unit *real_unit_start(void)
{
	static struct vm_unit unit = {
	        .memory = memory, .run = run_instruction, .take_back = real_unit_take_back};
	const struct identity_host host = {
	        .mmx = processor.features[PROCESSOR_MMX],
	        .fxsr = processor.features[PROCESSOR_FXSR],
	        .sse = probes.sse,
	        .sse2 = probes.sse && processor.features[PROCESSOR_SSE2],
	        .nx = probes.nx,
	};

	if (!code) {
		if (!make_code_page())
			return NULL;
		switch_on();
		unit.address = (uint32_t)memory;
		unit.code = layout_address(layout_monitor);
		identity_start(&host);
	}
	return &unit;
}
