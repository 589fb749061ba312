#include "monitor/run/engine_translate.h"

#include "kernel/interrupts.h"
#include "kernel/options.h"
#include "kernel/print.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/instructions/interpret.h"
#include "monitor/run/answer.h"

/* The error code of a fault that comes of a gate. */
#define ERROR_EXTERNAL    1u
#define ERROR_IN_IDT      2u
#define ERROR_INDEX_SHIFT 3

static bool start(struct machine *machine, char *problem, size_t size)
{
	if (!direct_start(&machine->direct, &machine->vm, DIRECT_USER, problem, size))
		return false;
	if (translated_start(&machine->translated, &machine->direct, &machine->vm))
		return true;
	print_to_buffer(problem, size,
	                "there is not enough memory for the translator's records; choose a smaller "
	                "guest-memory=");
	return false;
}

static void stop(struct machine *machine)
{
	translated_stop(&machine->translated);
	direct_stop(&machine->direct);
}

/* A gate that user code may not use, as far as the processor knows. */
static bool is_software_interrupt(const struct vcpu *vcpu, const struct trap_frame *frame)
{
	return frame->vector == TRAP_PROTECTION && vcpu->cpl == 3 &&
	       (frame->error & (ERROR_EXTERNAL | ERROR_IN_IDT)) == ERROR_IN_IDT;
}

static void answer(struct machine *machine, struct trap_frame *frame, gva_t address,
                   enum translated_result result)
{
	struct vcpu *vcpu = &machine->vm.vcpu;

	if (result == TRANSLATED_INTERPRET) {
		interpret_step(vcpu);
	} else if (result == TRANSLATED_PUSH) {
		answer_push(vcpu, frame, address);
	} else if (frame && result == TRANSLATED_TRAP && frame->vector < TRAP_EXCEPTIONS) {
		if (is_software_interrupt(vcpu, frame))
			translated_want_gate(&machine->translated,
			                     (uint8_t)(frame->error >> ERROR_INDEX_SHIFT));
		answer_trap(vcpu, frame, address);
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
	if (*interrupted || !direct_make_way(&machine->direct, vcpu)) {
		x86_enable_interrupts();
		return;
	}
	result = offset ? translated_run(&machine->translated, vcpu, *offset, &frame, &address)
	                : translated_run_user(&machine->translated, vcpu, &frame, &address);
	if (frame && direct_is_interrupt(frame))
		trap_dispatch(frame);
	x86_enable_interrupts();
	answer(machine, frame, address, result);
}

/* False when the kernel's next instruction is none for the cache. */
static bool run_kernel(struct machine *machine, uint32_t seen, bool *interrupted)
{
	uint32_t offset;

	if (!translated_find(&machine->translated, &machine->vm.vcpu, &offset))
		return false;
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
	if ((vcpu->cpl == 3 ? run_user : run_kernel)(machine, seen, interrupted))
		return 0;
	return interpret_run(vcpu, vcpu->cpl == 3 ? most : 1);
}

/* In ring 0 a turn interprets one instruction at the most. */
static uint32_t counted_turn(struct machine *machine, uint32_t seen, uint32_t most,
                             bool *interrupted)
{
	const struct vcpu *vcpu = &machine->vm.vcpu;
	uint64_t before = vcpu->instructions;
	uint32_t base = vcpu->segments[VCPU_CS].base, done;
	bool is_kernel = vcpu->cpl == 0;

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
