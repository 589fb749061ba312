#include "monitor/run/engine_translate.h"

#include "kernel/interrupts.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/print.h"
#include "kernel/probes.h"
#include "kernel/statistics.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/instructions/interpret.h"
#include "monitor/run/account.h"
#include "monitor/run/answer.h"
#include "monitor/run/describe.h"
#include "monitor/run/real_unit.h"
#include "monitor/state/stop.h"
#include "monitor/translator/describe.h"

static bool start_lockstep(struct machine *machine)
{
	if (!options.lockstep)
		return true;
	if (!direct_allocate(&machine->lockstep_room, LOCKSTEP_ROOM))
		return false;
	lockstep_start(&machine->lockstep, &machine->translated.translator,
	               page_tables_direct(machine->lockstep_room.first), real_unit_take_back);
	/* Behind a write to a table a read may see the old page or the new one. */
	shadow_keep_watched(&machine->vm);
	machine->lockstep.no_limits = !probes.segment_limits;
	return true;
}

/* The error code of a fault that comes of a gate. */
#define ERROR_EXTERNAL    1u
#define ERROR_IN_IDT      2u
#define ERROR_INDEX_SHIFT 3

static bool start(struct machine *machine, char *problem, size_t size)
{
	if (!direct_start(&machine->direct, &machine->vm, DIRECT_USER, problem, size))
		return false;
	if (translated_start(&machine->translated, &machine->direct, &machine->vm) &&
	    start_lockstep(machine))
		return true;
	print_to_buffer(problem, size,
	                "there is not enough memory for the translator's records; choose a smaller "
	                "guest-memory=");
	return false;
}

static void stop(struct machine *machine)
{
	if (machine->lockstep.translator)
		direct_release(&machine->lockstep_room);
	translated_stop(&machine->translated);
	direct_stop(&machine->direct);
}

/* A gate that user code may not use, as far as the processor knows. */
static bool is_software_interrupt(const struct vcpu *vcpu, const struct trap_frame *frame)
{
	return frame->vector == TRAP_PROTECTION && vcpu->cpl == 3 &&
	       (frame->error & (ERROR_EXTERNAL | ERROR_IN_IDT)) == ERROR_IN_IDT;
}

static bool is_in_lockstep(const struct machine *machine)
{
	return machine->lockstep.translator;
}

static void show_line(const char *text)
{
	log_info("lockstep", "%s", text);
}

/* The report of a machine that has stopped shows what the translated code has made of it. */
static void show_interpreted(const struct lockstep *lockstep, struct vcpu *vcpu)
{
	static struct vcpu interpreted;

	interpreted = *vcpu;
	lockstep_show(lockstep, &interpreted);
	show_line("the interpreter has");
	describe_vcpu(&interpreted, show_line);
}

static void show_block_line(void *to, const char *text)
{
	(void)to;
	show_line(text);
}

static void stop_at_difference(struct machine *machine, uint32_t offset, const char *problem)
{
	const struct translator *translator = &machine->translated.translator;
	const struct describe_to to_log = {.line = show_block_line, .symbols = &machine->symbols};
	const struct block *block = translator_find_block(translator, offset);

	show_interpreted(&machine->lockstep, &machine->vm.vcpu);
	if (block)
		translator_describe(translator, block, &to_log);
	vm_stop(&machine->vm.vcpu, "%s", problem);
}

static void compare(struct machine *machine, uint32_t offset)
{
	char problem[VM_REASON_MAX];

	if (is_in_lockstep(machine) && !machine->vm.ended &&
	    !lockstep_compare(&machine->lockstep, &machine->vm.vcpu, problem, sizeof(problem)))
		stop_at_difference(machine, offset, problem);
}

static bool is_translated(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 1;
}

/* Where ring 1's segments end, the guest's need not. */
static void answer_beyond(struct machine *machine, const struct trap_frame *frame)
{
	struct vcpu *vcpu = &machine->vm.vcpu;

	account_name_instruction(vcpu);
	if (interpret_instruction(vcpu) == INTERPRET_COMPLETED)
		translator_note_answered(&machine->translated.translator, frame->eip, false);
}

/* In translated code an access may be one of ours, in the place of the guest's: the interpreter
 * finds out which fault the guest's instruction has. */
static void answer_fault(struct machine *machine, const struct trap_frame *frame, gva_t address)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	const struct answer_look *look =
	        translated_look(&machine->translated, vcpu, frame, address);
	uint32_t accesses = machine->vm.device_accesses;

	if (look->result != SHADOW_TRUE_FAULT) {
		answer_page_fault(vcpu, address, look);
		if (is_translated(frame) && machine->vm.device_accesses != accesses)
			translator_note_answered(&machine->translated.translator, frame->eip, true);
	} else if (vcpu->cpl == 3) {
		translated_want_gate(&machine->translated, TRAP_PAGE_FAULT);
		answer_page_fault(vcpu, address, look);
	} else {
		interpret_instruction(vcpu);
	}
}

static void answer_exception(struct machine *machine, struct trap_frame *frame, gva_t address)
{
	struct vcpu *vcpu = &machine->vm.vcpu;

	if (frame->vector == TRAP_PAGE_FAULT) {
		answer_fault(machine, frame, address);
		return;
	}
	if (is_software_interrupt(vcpu, frame))
		translated_want_gate(&machine->translated,
		                     (uint8_t)(frame->error >> ERROR_INDEX_SHIFT));
	if (is_translated(frame) &&
	    (frame->vector == TRAP_PROTECTION || frame->vector == TRAP_STACK))
		answer_beyond(machine, frame);
	else
		answer_trap(vcpu, frame, address);
}

/* What translated code leaves to the interpreter. */
static void answer_callout(struct machine *machine, const struct trap_frame *frame)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	uint32_t accesses = machine->vm.device_accesses;

	account_name_instruction(vcpu);
	interpret_step(vcpu);
	if (frame->vector == TRANSLATOR_VECTOR_CALLOUT)
		translator_note_callout(&machine->translated.translator, frame->eip,
		                        machine->vm.device_accesses != accesses);
}

static void answer(struct machine *machine, struct trap_frame *frame, gva_t address,
                   enum translated_result result)
{
	struct vcpu *vcpu = &machine->vm.vcpu;

	if (result == TRANSLATED_INTERPRET) {
		answer_callout(machine, frame);
	} else if (frame && result == TRANSLATED_PUSH) {
		if (translated_look(&machine->translated, vcpu, frame, address)->result !=
		    SHADOW_MAPPED)
			interpret_step(vcpu);
	} else if (frame && result == TRANSLATED_TRAP && frame->vector < TRAP_EXCEPTIONS &&
	           !direct_is_interrupt(frame)) {
		answer_exception(machine, frame, address);
	}
}

/* Kernel code enters at an offset of the cache; user code as it is. */
static void enter(struct machine *machine, const uint32_t *offset, uint32_t seen, bool *interrupted)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	enum translated_result result;
	struct trap_frame *frame;
	gva_t address;

	x86_disable_interrupts();
	*interrupted = interrupts_seen() != seen;
	if (*interrupted && !(offset && is_in_lockstep(machine))) {
		x86_enable_interrupts();
		return;
	}
	result = offset ? translated_run(&machine->translated, vcpu, *offset, &frame, &address)
	                : translated_run_user(&machine->translated, vcpu, &frame, &address);
	if (frame && direct_is_interrupt(frame))
		trap_dispatch(frame);
	x86_enable_interrupts();
	if (offset)
		compare(machine, *offset);
	if (!machine->vm.ended)
		answer(machine, frame, address, result);
}

/* False when the kernel's next instruction is none for the cache. In lockstep the interpreter may
 * have taken longer than from one interrupt to the next: translated code runs all the same, as it
 * comes back soon; the chips come after it. */
static bool run_kernel(struct machine *machine, uint32_t seen, bool *interrupted)
{
	uint64_t blocks = statistics[STATISTIC_blocks_translated];
	uint32_t offset;

	if (!translated_find(&machine->translated, &machine->vm.vcpu, &offset))
		return false;
	if (statistics[STATISTIC_blocks_translated] != blocks)
		account_name(CAUSE_translation);
	if (is_in_lockstep(machine))
		lockstep_rehearse(&machine->lockstep, &machine->vm.vcpu, offset);
	enter(machine, &offset, seen, interrupted);
	return true;
}

/* The same for code of ring 3, which runs as it is. */
static bool run_user(struct machine *machine, uint32_t seen, bool *interrupted)
{
	if (!direct_is_possible(&machine->vm.vcpu))
		return false;
	enter(machine, NULL, seen, interrupted);
	return true;
}

static uint32_t interpret(struct vcpu *vcpu, uint32_t most)
{
	account_begin(CAUSE_interpreted);
	return interpret_run(vcpu, most);
}

/* One turn of the engine: an event, an entry into the guest's world, or what is interpreted.
 * Returns how many instructions count for the slice. */
static uint32_t turn(struct machine *machine, uint32_t seen, uint32_t most, bool *interrupted)
{
	struct vcpu *vcpu = &machine->vm.vcpu;

	if (engine_take_events(vcpu))
		return 0;
	if (vcpu->cpl == 3)
		coverage_note_user(&machine->translated.coverage,
		                   vcpu->segments[VCPU_CS].base + vcpu->eip);
	if (!direct_make_way(&machine->direct, vcpu))
		return interpret(vcpu, most);
	if ((vcpu->cpl == 3 ? run_user : run_kernel)(machine, seen, interrupted))
		return 0;
	return interpret(vcpu, vcpu->cpl == 3 ? most : 1);
}

/* In ring 0 a turn interprets one instruction at the most. */
static uint32_t counted_turn(struct machine *machine, uint32_t seen, uint32_t most,
                             bool *interrupted)
{
	const struct vcpu *vcpu = &machine->vm.vcpu;
	uint64_t before = vcpu->instructions;
	uint32_t base = vcpu->segments[VCPU_CS].base, done;
	bool is_kernel = vcpu->cpl != 3;

	done = turn(machine, seen, most, interrupted);
	if (is_kernel && vcpu->instructions != before)
		translator_count_interpreted(&machine->translated.translator,
		                             base + vcpu->instruction_eip);
	return done;
}

static enum exit_reason run(struct machine *machine)
{
	uint32_t seen = machine->interrupts_seen, done = 0;
	uint32_t accesses = machine->vm.device_accesses;
	enum exit_reason exit;
	bool interrupted = false;

	while (done < ENGINE_SLICE && !interrupted) {
		if (engine_has_to_return(machine, accesses, &exit))
			return exit;
		done += (options.coverage ? counted_turn : turn)(machine, seen, ENGINE_SLICE - done,
		                                                 &interrupted);
	}
	return interrupted ? EXIT_interrupt : EXIT_slice_ended;
}

const struct engine engine_translate = {
        .name = "translate",
        .in_words = "kernel translated, in ring 1",
        .needs_alarm = true,
        .start = start,
        .stop = stop,
        .run = run,
};
