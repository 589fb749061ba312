#include "monitor/cpu/tasks.h"

#include <stddef.h>

#include "monitor/cpu/control.h"
#include "monitor/cpu/segments.h"
#include "monitor/cpu/transfer.h"
#include "monitor/memory/linear.h"

#define TSS_DEBUG      1u      /* in `trap`: #DB when the task starts */
#define DR6_BT         0x8000u /* which then says so */
#define DR7_LOCAL      0x155u  /* L0 to L3 and LE: gone with every switch */
#define EFLAGS_WORD    0x7FD5u
#define EFLAGS_KNOWN   0x3F7FD5u
#define SELECTOR_LOCAL 4u

struct selector_slot {
	uint16_t value, unused;
};

struct tss32 {
	struct selector_slot link;
	struct {
		uint32_t esp;
		struct selector_slot ss;
	} stacks[3];
	uint32_t cr3, eip, eflags, registers[VCPU_REGISTERS];
	struct selector_slot segments[VCPU_SEGMENTS], ldt;
	uint16_t trap, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, stacks) == 4, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, cr3) == 28, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, eip) == 32, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, segments) == 72, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, ldt) == 96, "a 32-bit task state");
_Static_assert(offsetof(struct tss32, trap) == 100, "a 32-bit task state");

#define TSS16_SEGMENTS 4

struct tss16 {
	uint16_t link;
	struct {
		uint16_t sp, ss;
	} stacks[3];
	uint16_t ip, flags, registers[VCPU_REGISTERS];
	uint16_t segments[TSS16_SEGMENTS], ldt;
};
_Static_assert(sizeof(struct tss16) == 44, "a 16-bit task state");
_Static_assert(offsetof(struct tss16, ip) == 14, "a 16-bit task state");
_Static_assert(offsetof(struct tss16, segments) == 34, "a 16-bit task state");
_Static_assert(offsetof(struct tss16, ldt) == 42, "a 16-bit task state");

/* A switch on its way. */
struct task_switch {
	struct vcpu_segment_register to;
	enum tasks_cause cause;
	const struct vcpu_event *event;
	uint32_t saved_eflags; /* of the old task */
	struct tss32 state;    /* of the new one, widened if its TSS is a 16-bit one */
};

static bool is_32bit(const struct vcpu_segment_register *tss)
{
	return tss->attributes & SEGMENTS_TYPE_32BIT;
}

bool tasks_read_stack(struct vcpu *vcpu, unsigned int level, uint16_t *ss, uint32_t *esp)
{
	bool wide = is_32bit(&vcpu->tr);
	uint32_t at = wide ? offsetof(struct tss32, stacks[level])
	                   : offsetof(struct tss16, stacks[level]);
	unsigned int size = wide ? 4 : 2;
	gva_t linear = gva(vcpu->tr.base + at);

	if (at + size + 1 > vcpu->tr.limit)
		return segments_raise(vcpu, FAULT_TS, vcpu->tr.selector);
	*esp = 0;
	if (!linear_read(vcpu, linear, esp, size, LINEAR_AS_SUPERVISOR))
		return false;
	return linear_read(vcpu, gva(linear.value + size), ss, sizeof(*ss), LINEAR_AS_SUPERVISOR);
}

bool tasks_recall_stack(struct vcpu *vcpu, unsigned int level, uint16_t *ss, uint32_t *esp)
{
	uint32_t at = offsetof(struct tss32, stacks[level]);
	const uint8_t *bytes = linear_find_span(vcpu, gva(vcpu->tr.base + at), 8, LINEAR_READ,
	                                        LINEAR_AS_SUPERVISOR);

	if (!bytes || !is_32bit(&vcpu->tr) || at + 7 > vcpu->tr.limit)
		return false;
	__builtin_memcpy(esp, bytes, sizeof(*esp));
	__builtin_memcpy(ss, bytes + sizeof(*esp), sizeof(*ss));
	return true;
}

/* The manual leaves open what the upper halves are that a 16-bit TSS does not have. */
static void widen(const struct tss16 *from, struct tss32 *to)
{
	*to = (struct tss32){.eip = from->ip, .eflags = from->flags, .ldt.value = from->ldt};
	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		to->registers[i] = 0xFFFF0000 | from->registers[i];
	for (unsigned int i = 0; i < TSS16_SEGMENTS; i++)
		to->segments[i].value = from->segments[i];
}

static bool read_state(struct vcpu *vcpu, struct task_switch *task)
{
	gva_t at = gva(task->to.base);
	struct tss16 narrow;

	if (is_32bit(&task->to)) {
		if (!linear_read(vcpu, at, &task->state, sizeof(task->state), LINEAR_AS_SUPERVISOR))
			return false;
		task->state.eflags &= EFLAGS_KNOWN;
		return true;
	}
	if (!linear_read(vcpu, at, &narrow, sizeof(narrow), LINEAR_AS_SUPERVISOR))
		return false;
	narrow.flags &= EFLAGS_WORD;
	widen(&narrow, &task->state);
	return true;
}

static uint32_t last_byte(const struct vcpu_segment_register *tss)
{
	return (is_32bit(tss) ? sizeof(struct tss32) : sizeof(struct tss16)) - 1;
}

/* From eip to the last segment register: what a switch saves. */
static uint32_t saved_at(const struct vcpu *vcpu)
{
	return is_32bit(&vcpu->tr) ? offsetof(struct tss32, eip) : offsetof(struct tss16, ip);
}

static uint32_t saved_size(const struct vcpu *vcpu)
{
	return (is_32bit(&vcpu->tr) ? offsetof(struct tss32, ldt) : offsetof(struct tss16, ldt)) -
	       saved_at(vcpu);
}

static bool is_nested(const struct task_switch *task)
{
	return task->cause == TASKS_CALL || task->cause == TASKS_EVENT;
}

/* Everything that can fail while the old task still runs. */
static bool check_memory(struct vcpu *vcpu, const struct task_switch *task)
{
	if (last_byte(&vcpu->tr) > vcpu->tr.limit)
		return segments_raise(vcpu, FAULT_TS, vcpu->tr.selector);
	if (!linear_check_write(vcpu, gva(vcpu->tr.base + saved_at(vcpu)), saved_size(vcpu),
	                        LINEAR_AS_SUPERVISOR))
		return false;
	return !is_nested(task) ||
	       linear_check_write(vcpu, gva(task->to.base), 2, LINEAR_AS_SUPERVISOR);
}

/* The old task first: when the second write faults, doing it all again does no harm. */
static bool mark_busy(struct vcpu *vcpu, struct task_switch *task)
{
	if (!is_nested(task) &&
	    !segments_mark_descriptor(vcpu, vcpu->tr.selector, 0, SEGMENTS_TYPE_TSS_BUSY))
		return false;
	if (!segments_mark_descriptor(vcpu, task->to.selector, SEGMENTS_TYPE_TSS_BUSY, 0))
		return false;
	task->to.attributes |= SEGMENTS_TYPE_TSS_BUSY;
	return true;
}

static bool save_wide(struct vcpu *vcpu, uint32_t eflags)
{
	gva_t at = gva(vcpu->tr.base + saved_at(vcpu));
	struct tss32 state;

	/* Read first: the halves above the selectors stay as they are. */
	if (!linear_read(vcpu, at, &state.eip, saved_size(vcpu), LINEAR_AS_SUPERVISOR))
		return false;
	state.eip = vcpu->eip;
	state.eflags = eflags;
	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		state.registers[i] = vcpu->registers[i];
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		state.segments[i].value = vcpu->segments[i].selector;
	return linear_write(vcpu, at, &state.eip, saved_size(vcpu), LINEAR_AS_SUPERVISOR);
}

static bool save_narrow(struct vcpu *vcpu, uint32_t eflags)
{
	struct tss16 state = {.ip = (uint16_t)vcpu->eip, .flags = (uint16_t)eflags};

	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		state.registers[i] = (uint16_t)vcpu->registers[i];
	for (unsigned int i = 0; i < TSS16_SEGMENTS; i++)
		state.segments[i] = vcpu->segments[i].selector;
	return linear_write(vcpu, gva(vcpu->tr.base + saved_at(vcpu)), &state.ip, saved_size(vcpu),
	                    LINEAR_AS_SUPERVISOR);
}

static bool save_old(struct vcpu *vcpu, struct task_switch *task)
{
	uint16_t link = vcpu->tr.selector;

	if (!(is_32bit(&vcpu->tr) ? save_wide(vcpu, task->saved_eflags)
	                          : save_narrow(vcpu, task->saved_eflags)))
		return false;
	if (!is_nested(task))
		return true;
	task->state.eflags |= VCPU_EFLAGS_NT;
	return linear_write(vcpu, gva(task->to.base), &link, sizeof(link), LINEAR_AS_SUPERVISOR);
}

/* From here on it is the new task: its selectors stand in the registers, with nothing behind them
 * until each is found to be good. */
static void take_state(struct vcpu *vcpu, const struct task_switch *task)
{
	const struct tss32 *state = &task->state;

	vcpu->loads++;
	vcpu->tr = task->to;
	vcpu->cr0 |= VCPU_CR0_TS;
	vcpu->debug[7] &= ~DR7_LOCAL;
	vcpu->eip = vcpu->instruction_eip = state->eip;
	vcpu->eflags = state->eflags | VCPU_EFLAGS_ONE;
	vcpu->keeps_resume = task->event == NULL;
	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		vcpu->registers[i] = state->registers[i];
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		vcpu->segments[i] =
		        (struct vcpu_segment_register){.selector = state->segments[i].value};
	vcpu->ldtr = (struct vcpu_segment_register){.selector = state->ldt.value};
	vcpu->cpl = segments_is_v86(vcpu) ? 3 : state->segments[VCPU_CS].value & 3;
}

static bool load_ldt(struct vcpu *vcpu)
{
	uint16_t selector = vcpu->ldtr.selector;
	struct vcpu_segment_register loaded;

	if (segments_is_null(selector))
		return true;
	if (selector & SELECTOR_LOCAL)
		return segments_raise(vcpu, FAULT_TS, selector);
	if (!segments_fetch(vcpu, selector, FAULT_TS, &loaded))
		return false;
	if (segments_system_type(&loaded) != SEGMENTS_TYPE_LDT || !segments_is_present(&loaded))
		return segments_raise(vcpu, FAULT_TS, selector);
	vcpu->ldtr = loaded;
	return true;
}

static bool load_segment(struct vcpu *vcpu, enum vcpu_segment segment)
{
	uint16_t selector = vcpu->segments[segment].selector;
	struct vcpu_segment_register loaded;
	bool good;

	if (segment == VCPU_CS)
		good = segments_check_code(vcpu, selector, FAULT_TS, &loaded);
	else if (segment == VCPU_SS)
		good = segments_check_stack(vcpu, selector, vcpu->cpl, FAULT_TS, &loaded);
	else
		good = segments_check_data(vcpu, selector, vcpu->cpl, FAULT_TS, &loaded);
	if (!good || (loaded.usable && !segments_touch(vcpu, &loaded)))
		return false;
	vcpu->segments[segment] = loaded;
	return true;
}

static bool load_segments(struct vcpu *vcpu)
{
	static const enum vcpu_segment order[] = {VCPU_CS, VCPU_SS, VCPU_ES,
	                                          VCPU_DS, VCPU_FS, VCPU_GS};

	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		if (segments_is_v86(vcpu))
			segments_load_v86(vcpu, order[i], vcpu->segments[order[i]].selector);
		else if (!load_segment(vcpu, order[i]))
			return false;
	}
	return true;
}

static bool load_address_space(struct vcpu *vcpu, const struct task_switch *task)
{
	if (!is_32bit(&task->to) || !(vcpu->cr0 & VCPU_CR0_PG))
		return true;
	return control_write_cr(vcpu, 3, task->state.cr3);
}

static bool start_new(struct vcpu *vcpu, const struct task_switch *task)
{
	take_state(vcpu, task);
	if (is_32bit(&task->to) && task->state.trap & TSS_DEBUG)
		vcpu->debug_met |= DR6_BT;
	if (!load_address_space(vcpu, task) || !load_ldt(vcpu) || !load_segments(vcpu))
		return false;
	if (task->event && task->event->has_error &&
	    !transfer_push(vcpu, task->event->error, is_32bit(&task->to) ? 4 : 2))
		return false;
	if (vcpu->eip > vcpu->segments[VCPU_CS].limit)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	return true;
}

static bool switch_to(struct vcpu *vcpu, struct task_switch *task)
{
	uint16_t selector = task->to.selector;

	if (!segments_is_present(&task->to))
		return segments_raise(vcpu, FAULT_NP, selector);
	if (last_byte(&task->to) > task->to.limit)
		return segments_raise(vcpu, FAULT_TS, selector);
	return read_state(vcpu, task) && check_memory(vcpu, task) && mark_busy(vcpu, task) &&
	       save_old(vcpu, task) && start_new(vcpu, task);
}

/* A TSS stands in the GDT only, and the cause says whether it has to be busy. */
static bool fetch_tss(struct vcpu *vcpu, uint16_t selector, uint8_t vector, unsigned int busy,
                      struct vcpu_segment_register *tss)
{
	if (selector & SELECTOR_LOCAL)
		return segments_raise(vcpu, vector, selector);
	if (!segments_fetch(vcpu, selector, vector, tss))
		return false;
	if ((segments_system_type(tss) & ~SEGMENTS_TYPE_32BIT) != (SEGMENTS_TYPE_TSS16 | busy))
		return segments_raise(vcpu, vector, selector);
	return true;
}

bool tasks_switch(struct vcpu *vcpu, uint16_t selector, enum tasks_cause cause,
                  const struct vcpu_event *event)
{
	struct task_switch task = {
	        .cause = cause, .event = event, .saved_eflags = vcpu->eflags & ~VCPU_EFLAGS_RF};

	if (event)
		task.saved_eflags = vcpu->eflags | (event->is_fault ? VCPU_EFLAGS_RF : 0);
	return fetch_tss(vcpu, selector, FAULT_GP, 0, &task.to) && switch_to(vcpu, &task);
}

bool tasks_return(struct vcpu *vcpu)
{
	struct task_switch task = {.cause = TASKS_RETURN,
	                           .saved_eflags =
	                                   vcpu->eflags & ~(VCPU_EFLAGS_NT | VCPU_EFLAGS_RF)};
	uint16_t selector;

	return linear_read(vcpu, gva(vcpu->tr.base), &selector, sizeof(selector),
	                   LINEAR_AS_SUPERVISOR) &&
	       fetch_tss(vcpu, selector, FAULT_TS, SEGMENTS_TYPE_TSS_BUSY, &task.to) &&
	       switch_to(vcpu, &task);
}
