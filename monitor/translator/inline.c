#include "monitor/translator/inline.h"

#include "monitor/translator/fault.h"
#include "monitor/translator/flow.h"

#define INT          0xCD
#define OPERAND_SIZE 0x66
#define MOD_WINDOW   0x05 /* ModRM: disp32 alone, with the register in bits 3 to 5 */

/* QEMU's TCG works out the flags of cmpxchg8b from a note that is only up to date at the start of
 * one of its own blocks; without that it makes EFLAGS of a pointer, NT included. A jump begins one:
 * docs/tricks.md. */
bool inline_copy_settled(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	emit_before(emit, 0);
	EMIT(emit, 0xEB, 0); /* jmp $+2 */
	emit_before(emit, 0);
	emit_bytes(emit, bytes, in->length);
	return true;
}

#define REPEAT_EQUAL     0xF3
#define REPEAT_NOT_EQUAL 0xF2
#define TWO_BYTES        0x0F

/* `rep bsf` is what compilers write, for processors that have tzcnt: ours has not, the real one
 * may. */
bool inline_copy_bare(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t n = 0;

	emit_before(emit, 0);
	for (; bytes[n] != TWO_BYTES; n++)
		if (bytes[n] != REPEAT_EQUAL && bytes[n] != REPEAT_NOT_EQUAL)
			EMIT(emit, bytes[n]);
	emit_bytes(emit, bytes + n, in->length - n);
	return true;
}

bool inline_callout(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CALLOUT);
	return true;
}

bool inline_cli(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT_WINDOW(emit, flag_again, 0xC7, 0x05); /* mov dword gs:[flag_again],… */
	emit_long(emit, WINDOW_INTERRUPTS_OFF);
	return true;
}

/* The real TS stays as it is: the unit's next instruction faults once, and the host finds out that
 * it may be used. */
bool inline_clts(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT_WINDOW(emit, cr0_without_ts, 0x8B, 0x0D); /* mov ecx,gs:[cr0_without_ts] */
	EMIT_WINDOW(emit, cr, 0x89, 0x0D);             /* mov gs:[cr],ecx */
	emit_behind(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
	return true;
}

bool inline_sti(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT_WINDOW(emit, interrupt_flag, 0xC7, 0x05); /* mov dword gs:[interrupt_flag],… */
	emit_long(emit, WINDOW_INTERRUPTS_ON);
	return true;
}

/* The real image is on the guest's stack before it is mended, below the stack pointer as far as the
 * guest can tell: docs/tricks.md. */
bool inline_pushf(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT_SAVE_EDX(emit);
	EMIT(emit, 0x9C); /* pushfd */
	emit_before(emit, RECOVER_ECX | RECOVER_EDX | RECOVER_UNPUSH);
	EMIT_WINDOW(emit, interrupt_flag, 0x8B, 0x0D); /* mov ecx,gs:[interrupt_flag] */
	EMIT_WINDOW(emit, system_flags, 0x8B, 0x15);   /* mov edx,gs:[system_flags] */
	EMIT(emit, 0x8D, 0x0C, 0x11);                  /* lea ecx,[ecx+edx] */
	EMIT(emit, 0x8B, 0x14, 0x24);                  /* mov edx,[esp] */
	EMIT(emit, 0x8D, 0x0C, 0x11);                  /* lea ecx,[ecx+edx] */
	EMIT(emit, 0x89, 0x0C, 0x24);                  /* mov [esp],ecx */
	emit_behind(emit, RECOVER_ECX | RECOVER_EDX);
	EMIT_RESTORE_ECX(emit);
	EMIT_RESTORE_EDX(emit);
	return true;
}

#define POPF_FAST_SIZE 17 /* from jecxz to the callout */
#define POPF_SLOW_SIZE 9  /* the callout */

/* The image's second byte decides: whether this is for the interpreter, and what the interrupt flag
 * becomes. */
bool inline_popf(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)in, (void)bytes;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT(emit, 0x0F, 0xB6, 0x4C, 0x24, 0x01);              /* movzx ecx,byte [esp+1] */
	EMIT_WINDOW(emit, popf_table, 0x0F, 0xB7, 0x0C, 0x4D); /* movzx ecx,word gs:[…+ecx*2] */
	EMIT(emit, 0xE3, POPF_FAST_SIZE);                      /* jecxz slow */
	EMIT(emit, 0x9D);                                      /* popfd */
	emit_behind(emit, RECOVER_ECX | RECOVER_FLAG);
	EMIT_WINDOW(emit, interrupt_flag, 0x89, 0x0D); /* mov gs:[interrupt_flag],ecx */
	emit_behind(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
	EMIT(emit, 0xEB, POPF_SLOW_SIZE); /* jmp behind */
	emit_before(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit); /* slow: */
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CALLOUT);
	return true;
}

#define IN_AL_DX       0xEC
#define IN_SLOW_SIZE   9                   /* the callout */
#define IN_TAKE_SIZE   32                  /* from behind the second test to there */
#define IN_ANSWER_SIZE (IN_TAKE_SIZE + 11) /* from behind the first */

/* Whether the port is the one whose answer the window has, found out without touching a flag. */
static void compare_port(struct emit *emit, const struct instruction *in)
{
	EMIT_WINDOW(emit, answer_port, 0x8B, 0x0D); /* mov ecx,gs:[answer_port] */
	if (in->opcode == IN_AL_DX) {
		EMIT(emit, 0x8D, 0x0C, 0x11); /* lea ecx,[ecx+edx] */
	} else {
		EMIT(emit, 0x8D, 0x89); /* lea ecx,[ecx+port] */
		emit_long(emit, in->immediate & 0xFF);
	}
	EMIT(emit, 0x0F, 0xB7, 0xC9); /* movzx ecx,cx */
}

bool inline_in(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	compare_port(emit, in);
	EMIT(emit, 0xE3, 2, 0xEB, IN_ANSWER_SIZE);     /* jecxz same; jmp slow; same: */
	EMIT_WINDOW(emit, answer_missing, 0x8B, 0x0D); /* mov ecx,gs:[answer_missing] */
	EMIT(emit, 0xE3, 2, 0xEB, IN_TAKE_SIZE);       /* jecxz there; jmp slow; there: */
	EMIT_WINDOW(emit, answers, 0x8B, 0x0D);        /* mov ecx,gs:[answers] */
	EMIT(emit, 0x8D, 0x49, 0x01);                  /* lea ecx,[ecx+1] */
	EMIT_WINDOW(emit, answers, 0x89, 0x0D);        /* mov gs:[answers],ecx */
	EMIT_RESTORE_ECX(emit);
	emit_before(emit, 0);
	EMIT_WINDOW(emit, answer_value, 0xA0); /* mov al,gs:[answer_value] */
	emit_behind(emit, 0);
	EMIT(emit, 0xEB, IN_SLOW_SIZE); /* jmp behind */
	emit_before(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit); /* slow: */
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CALLOUT);
	return true;
}

/* The guest has its counter from its own start and its own writes on; what is whole in the upper
 * half can be added without a carry, and so without flags. */
bool inline_rdtsc(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t high = fault_tsc_high(emit->t);

	(void)in, (void)bytes;
	if (!emit->t->setup.options.tsc_is_real || (uint32_t)emit->t->tsc_offset)
		return false;
	emit_before(emit, 0);
	EMIT(emit, 0x0F, 0x31); /* rdtsc */
	if (high) {
		emit_behind(emit, RECOVER_TSC);
		EMIT(emit, 0x8D, 0x92); /* lea edx,[edx+high] */
		emit_long(emit, high);
	}
	return true;
}

static uint32_t window_selector(unsigned int segment)
{
	return (uint32_t)offsetof(struct translator_window, selectors) + segment * 4;
}

static void emit_operand_size(struct emit *emit, const struct instruction *in)
{
	if (in->operand_size == 2)
		EMIT(emit, OPERAND_SIZE);
}

/* push es, cs, ss, ds have it in bits 3 and 4 of the opcode, push fs and gs in bit 3. */
static unsigned int pushed_segment(const struct instruction *in)
{
	return in->opcode < 0x80 ? in->opcode >> 3 : SEGMENT_FS + (in->opcode >> 3 & 1);
}

bool inline_push_segment(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	emit_before(emit, 0);
	emit_operand_size(emit, in);
	EMIT(emit, EMIT_GS, 0xFF, 0x35); /* push dword gs:[selector] */
	emit_long(emit, window_selector(pushed_segment(in)));
	return true;
}

static unsigned int reg_of(const struct instruction *in)
{
	return in->modrm >> 3 & 7;
}

bool inline_mov_from_segment(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	emit_before(emit, 0);
	emit_operand_size(emit, in);
	/* mov register,gs:[selector] */
	EMIT(emit, EMIT_GS, 0x8B, (uint8_t)(MOD_WINDOW | (in->modrm & 7) << 3));
	emit_long(emit, window_selector(reg_of(in)));
	return true;
}

/* Where the host does not do it at once, it is a callout: nothing has changed yet. */
bool inline_load_cr3(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	emit_before(emit, 0);
	/* mov gs:[operand],register */
	EMIT(emit, EMIT_GS, 0x89, (uint8_t)(MOD_WINDOW | (in->modrm & 7) << 3));
	emit_long(emit, (uint32_t)offsetof(struct translator_window, operand));
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CR3);
	flow_on(emit);
	return true;
}

bool inline_mov_from_control(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	emit_before(emit, 0);
	/* mov register,gs:[cr] */
	EMIT(emit, EMIT_GS, 0x8B, (uint8_t)(MOD_WINDOW | (in->modrm & 7) << 3));
	emit_long(emit, (uint32_t)offsetof(struct translator_window, cr) + reg_of(in) * 4);
	return true;
}
