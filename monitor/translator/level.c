#include "monitor/translator/level.h"

#include "kernel/string.h"
#include "monitor/translator/cache.h"
#include "monitor/translator/chain.h"
#include "monitor/translator/segment.h"

#define INT               0xCD
#define SOFTWARE_INT_SIZE 2u
#define TASK_ESP0         4u
#define TASK_SS0          8u
#define USER              3u /* RPL */

bool level_iret(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	if (in->length != LEVEL_IRET_SIZE)
		return false;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT(emit, 0x0F, 0xB6, 0x4C, 0x24, 0x04); /* movzx ecx,byte [esp+4] */
	EMIT_WINDOW(emit, site, 0xC7, 0x05);      /* mov dword gs:[site],eip */
	emit_long(emit, emit->eip);
	EMIT_WINDOW(emit, returns_by_cs, 0xFF, 0x24, 0x8D); /* jmp gs:[…+ecx*4] */
	return true;
}

static void phase(struct emit *emit, enum level_phase phase)
{
	emit_entry(emit, phase, RECOVER_STUB);
}

static void jump(struct emit *emit, uint32_t to)
{
	EMIT(emit, 0xE9);
	emit_relative(emit, to);
}

/* jecxz, back by less than 128 bytes: so each of the two ways has its own `slow` before it. */
static void slowly_if_zero(struct emit *emit, uint32_t slow)
{
	EMIT(emit, 0xE3, (uint8_t)(slow - (emit->at + 2)));
}

/* What is the interpreter's. Returns where it is. */
static uint32_t emit_slow(struct emit *emit)
{
	uint32_t at = emit->at;

	phase(emit, LEVEL_SITE);
	EMIT_RESTORE_ECX(emit);
	phase(emit, LEVEL_SITE_ECX);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CALLOUT);
	return at;
}

static void restore_selector(struct emit *emit, unsigned int segment)
{
	EMIT(emit, EMIT_GS, 0x8E, (uint8_t)(0x05 | segment << 3)); /* mov segment,gs:[selector] */
	emit_long(emit, segment_selector(segment));
}

/* The processor checks what it checks for any iret to ring 3; whatever it finds, the interpreter
 * looks at again. */
static void emit_to_user(struct emit *emit, uint32_t slow)
{
	phase(emit, LEVEL_SITE);
	EMIT(emit, 0x0F, 0xB7, 0x4C, 0x24, 0x09);              /* movzx ecx,word [esp+9] */
	EMIT_WINDOW(emit, user_flags, 0x0F, 0xB6, 0x0C, 0x0D); /* movzx ecx,byte gs:[…+ecx] */
	slowly_if_zero(emit, slow);
	EMIT_WINDOW(emit, lets_in, 0x89, 0x0D); /* mov gs:[lets_in],ecx */
	restore_selector(emit, SEGMENT_DS);
	restore_selector(emit, SEGMENT_ES);
	restore_selector(emit, SEGMENT_FS);
	EMIT_RESTORE_ECX(emit);
	phase(emit, LEVEL_SITE_ECX);
	restore_selector(emit, SEGMENT_GS);
	EMIT(emit, 0xCF); /* iretd */
}

/* Of the two values in ECX. Off is never held up by an interrupt that waits. */
static void store_flag(struct emit *emit)
{
	EMIT(emit, 0x8D, 0x49, 0xFF);                  /* lea ecx,[ecx-off] */
	EMIT(emit, 0xE3, 13);                          /* jecxz 1f */
	EMIT_WINDOW(emit, interrupt_flag, 0xC7, 0x05); /* mov dword gs:[interrupt_flag],on */
	emit_long(emit, WINDOW_INTERRUPTS_ON);
	phase(emit, LEVEL_POPPING);
	EMIT(emit, 0xEB, 11); /* jmp 2f */
	phase(emit, LEVEL_SITE);
	EMIT_WINDOW(emit, flag_again, 0xC7, 0x05); /* 1: mov dword gs:[flag_again],off */
	emit_long(emit, WINDOW_INTERRUPTS_OFF);    /* 2: */
}
_Static_assert(WINDOW_INTERRUPTS_OFF == 1, "what is subtracted");

/* With the interrupt flag stored there is no way back: what is left is done by whoever interrupts.
 */
static void emit_to_kernel(struct emit *emit, uint32_t slow)
{
	phase(emit, LEVEL_SITE);
	EMIT(emit, 0x0F, 0xB6, 0x4C, 0x24, 0x05); /* movzx ecx,byte [esp+5] */
	EMIT(emit, 0xE3, BLOCK_JUMP_SIZE);        /* jecxz 1f */
	jump(emit, slow);
	EMIT(emit, 0x0F, 0xB6, 0x4C, 0x24, 0x0A);              /* 1: movzx ecx,byte [esp+10] */
	EMIT_WINDOW(emit, high_flags, 0x0F, 0xB6, 0x0C, 0x0D); /* movzx ecx,byte gs:[…+ecx] */
	slowly_if_zero(emit, slow);
	EMIT(emit, 0x8B, 0x0C, 0x24);                          /* mov ecx,[esp] */
	EMIT_WINDOW(emit, target, 0x89, 0x0D);                 /* mov gs:[target],ecx */
	EMIT(emit, 0x8B, 0x4C, 0x24, 0x08);                    /* mov ecx,[esp+8] */
	EMIT_WINDOW(emit, new_flags, 0x89, 0x0D);              /* mov gs:[new_flags],ecx */
	EMIT(emit, 0x0F, 0xB6, 0xCD);                          /* movzx ecx,ch */
	EMIT_WINDOW(emit, popf_table, 0x0F, 0xB7, 0x0C, 0x4D); /* movzx ecx,word gs:[…+ecx*2] */
	slowly_if_zero(emit, slow);
	store_flag(emit);
	phase(emit, LEVEL_POPPING);
	EMIT(emit, 0x8D, 0x64, 0x24, 0x08); /* lea esp,[esp+8] */
	phase(emit, LEVEL_POPPED);
	EMIT(emit, 0x9D); /* popfd */
	emit_gone(emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	jump(emit, emit->t->miss);
}

void level_emit_stubs(struct emit *emit)
{
	struct translator *t = emit->t;

	uint32_t slow = emit_slow(emit);

	t->return_slowly = slow;
	t->return_to_user = emit->at;
	emit_to_user(emit, slow);
	slow = emit_slow(emit);
	t->return_to_kernel = emit->at;
	emit_to_kernel(emit, slow);
}

void level_start(struct translator *t)
{
	struct translator_window *window = t->setup.window;
	const uint32_t never = VCPU_EFLAGS_VM | VCPU_EFLAGS_VIF | VCPU_EFLAGS_VIP;
	const uint32_t not_of_users = never | VCPU_EFLAGS_TF | VCPU_EFLAGS_IOPL | VCPU_EFLAGS_NT;

	for (uint32_t i = 0; i < WINDOW_FLAGS; i++)
		window->user_flags[i] = i << 8 & VCPU_EFLAGS_IF && !(i << 8 & not_of_users);
	for (uint32_t i = 0; i < sizeof(window->high_flags); i++)
		window->high_flags[i] = !(i << 16 & never);
}

void level_close_returns(struct translator *t)
{
	t->returns_kernel_cs = TRANSLATOR_RETURNS_SLOW;
	t->returns_to_user = true;
	translator_open_returns(t, TRANSLATOR_RETURNS_SLOW, false);
}

void translator_open_returns(struct translator *t, uint32_t kernel_cs, bool user)
{
	uint32_t *ways = t->setup.window->returns_by_cs;

	if (kernel_cs > 0xFF || kernel_cs & USER)
		kernel_cs = TRANSLATOR_RETURNS_SLOW;
	if (t->returns_kernel_cs == kernel_cs && t->returns_to_user == user)
		return;
	t->returns_kernel_cs = kernel_cs;
	t->returns_to_user = user;
	for (unsigned int byte = 0; byte < 256; byte++)
		ways[byte] = user && (byte & USER) == USER ? t->return_to_user : t->return_slowly;
	memset(t->setup.window->same_code, false, sizeof(t->setup.window->same_code));
	if (kernel_cs == TRANSLATOR_RETURNS_SLOW)
		return;
	ways[kernel_cs] = t->return_to_kernel;
	t->setup.window->same_code[kernel_cs] = true;
}

/* The stack is the window's: through SS it is reached before GS is. */
static void save_selector(struct emit *emit, unsigned int segment)
{
	EMIT(emit, EMIT_SS, 0x8C, (uint8_t)(0x05 | segment << 3)); /* mov ss:[selector],segment */
	emit_long(emit, segment_selector(segment));
}

static void give_selector(struct emit *emit, unsigned int segment)
{
	EMIT(emit, EMIT_GS, 0x0F, 0xB7, 0x0D); /* movzx ecx,word gs:[selector] */
	emit_long(emit, segment_selector(segment));
	segment_give(emit, segment);
}

static void take_stack(struct emit *emit, const struct translator_gate *gate)
{
	EMIT_WINDOW(emit, stack, 0x8E, 0x15);  /* mov ss,gs:[stack] */
	EMIT(emit, EMIT_SS, 0x0F, 0xB7, 0x0D); /* movzx ecx,word ss:[task.ss0] */
	emit_long(emit, gate->task + TASK_SS0);
	EMIT(emit, 0x8D, 0x89); /* lea ecx,[ecx-ss] */
	emit_long(emit, 0u - gate->ss);
	EMIT(emit, 0xE3, 2, INT, TRANSLATOR_VECTOR_CALLOUT); /* jecxz 1f */
	EMIT(emit, EMIT_SS, 0x8B, 0x25);                     /* 1: mov esp,ss:[task.esp0] */
	emit_long(emit, gate->task + TASK_ESP0);
}

static void push_frame(struct emit *emit, const struct translator_gate *gate)
{
	EMIT_WINDOW(emit, from_user.ss, 0xFF, 0x35); /* push dword gs:[…] */
	EMIT_WINDOW(emit, from_user.esp, 0xFF, 0x35);
	EMIT_WINDOW(emit, from_user.eflags, 0xFF, 0x35);
	EMIT_WINDOW(emit, from_user.cs, 0xFF, 0x35);
	EMIT_WINDOW(emit, from_user.eip, 0xFF, 0x35);
	if (gate->is_fault)
		EMIT_WINDOW(emit, fault_error, 0xFF, 0x35);
}

static void emit_gate(struct emit *emit, const struct translator_gate *gate)
{
	phase(emit, gate->is_fault ? LEVEL_FAULT : LEVEL_FROM_USER);
	EMIT(emit, EMIT_SS, 0x89, 0x0D); /* mov ss:[ecx],ecx */
	emit_long(emit, (uint32_t)offsetof(struct translator_window, ecx));
	phase(emit, gate->is_fault ? LEVEL_FAULT_ECX : LEVEL_FROM_USER_ECX);
	save_selector(emit, SEGMENT_ES);
	save_selector(emit, SEGMENT_DS);
	save_selector(emit, SEGMENT_FS);
	save_selector(emit, SEGMENT_GS);
	phase(emit, gate->is_fault ? LEVEL_FAULT_ALL : LEVEL_FROM_USER_ALL);
	EMIT(emit, EMIT_SS, 0x8E, 0x2D); /* mov gs,ss:[self] */
	emit_long(emit, (uint32_t)offsetof(struct translator_window, self));
	give_selector(emit, SEGMENT_ES);
	give_selector(emit, SEGMENT_DS);
	give_selector(emit, SEGMENT_FS);
	take_stack(emit, gate);
	push_frame(emit, gate);
	EMIT_WINDOW(emit, interrupt_flag, 0xC7, 0x05); /* mov dword gs:[interrupt_flag],… */
	emit_long(emit, gate->interrupts ? WINDOW_INTERRUPTS_ON : WINDOW_INTERRUPTS_OFF);
	emit_gone(emit, emit_next_link(emit), RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
	emit_gone(emit, emit_next_link(emit), 0);
	EMIT(emit, 0xE9); /* jmp handler */
	emit_link(emit, gate->eip);
}

bool translator_make_gate(struct translator *t, const struct translator_gate *gate,
                          uint32_t *offset)
{
	struct emit emit;

	if (!cache_has_room(t))
		return false;
	emit_begin(&emit, t, cache_new_block(t, gate->eip), t->used);
	emit_gate(&emit, gate);
	emit_end(&emit);
	*offset = emit.block->host;
	return true;
}

/* Before the `int n`, or before what faulted; only those of two bytes come through a gate. */
static void recover_user(const struct translator_window *window, struct vcpu *vcpu, uint32_t size)
{
	const struct window_frame *frame = &window->from_user;

	vcpu->eip = frame->eip - size;
	vcpu->registers[VCPU_ESP] = frame->esp;
	vcpu->eflags = frame->eflags & ~(VCPU_EFLAGS_RF | VCPU_EFLAGS_VM | VCPU_EFLAGS_IOPL);
}

static void finish(const struct translator_window *window, struct vcpu *vcpu, uint32_t left)
{
	vcpu->eip = window->target;
	vcpu->registers[VCPU_ESP] += left;
	vcpu->eflags = (vcpu->eflags & ~TRANSLATOR_REAL_FLAGS) |
	               (window->new_flags & TRANSLATOR_REAL_FLAGS);
}

void level_recover(const struct translator *t, enum level_phase phase, struct vcpu *vcpu)
{
	const struct translator_window *window = t->setup.window;

	if (phase != LEVEL_SITE_ECX && phase != LEVEL_FROM_USER && phase != LEVEL_FAULT)
		vcpu->registers[VCPU_ECX] = window->ecx;
	switch (phase) {
	case LEVEL_SITE:
	case LEVEL_SITE_ECX:
		vcpu->eip = window->site;
		return;
	case LEVEL_POPPING:
		finish(window, vcpu, 12);
		return;
	case LEVEL_POPPED:
		finish(window, vcpu, 4);
		return;
	case LEVEL_FROM_USER:
	case LEVEL_FROM_USER_ECX:
	case LEVEL_FROM_USER_ALL:
		recover_user(window, vcpu, SOFTWARE_INT_SIZE);
		return;
	case LEVEL_FAULT:
	case LEVEL_FAULT_ECX:
	case LEVEL_FAULT_ALL:
		recover_user(window, vcpu, 0);
		return;
	}
}
