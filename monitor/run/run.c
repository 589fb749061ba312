#include "monitor/run/run.h"

#include "kernel/clock.h"
#include "kernel/interrupts.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/options.h"
#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/run/account.h"
#include "monitor/run/engine.h"
#include "monitor/run/engine_interpret.h"

/* Attempts to enter the guest's world that an interrupt may foil, one after the other. */
#define ATTEMPTS 4u

static void do_nothing(struct timer *timer)
{
	(void)timer;
}

static void warn_if_nothing_can_wake(const struct vcpu *vcpu)
{
	static bool warned;

	if (warned || (vcpu->eflags & VCPU_EFLAGS_IF))
		return;
	warned = true;
	log_warning(vcpu->vm->name,
	            "the guest has halted with interrupts off, and only an NMI could wake it "
	            "eip=0x%08x",
	            vcpu->eip);
}

/* Interrupts of the real machine stay off between the last look and the wait, so that none is
 * slept through. */
static void wait_for_interrupt(struct machine *machine)
{
	struct timer timer = {.expired = do_nothing};
	uint64_t due = machine_next_due(machine);

	account_begin(CAUSE_halt);
	statistics_count(guest_halts);
	x86_disable_interrupts();
	machine_advance(machine);
	if (machine->vm.interrupt_waits || machine->vm.vcpu.nmi_pending || machine->vm.ended ||
	    machine->counters_are_wanted) {
		x86_enable_interrupts();
		return;
	}
	machine_show(machine);
	warn_if_nothing_can_wake(&machine->vm.vcpu);
	if (due != VIRTUAL_TIME_NEVER) {
		trace_add(TRACE_guest_wait, (uint32_t)(due - machine->vm.read_time(&machine->vm)),
		          0, 0);
		clock_set_timer(&timer, machine_real_time(machine, due));
	}
	x86_wait_for_interrupt();
	clock_cancel_timer(&timer);
}

/* The interrupt alone is what matters: it brings the processor back from the guest. What has rung
 * is set anew, even for the same time. */
static void on_alarm(struct timer *timer)
{
	struct machine *machine =
	        (struct machine *)((char *)timer - offsetof(struct machine, alarm));

	machine->alarm_due = 0;
}

static void set_alarm(struct machine *machine)
{
	uint64_t due = machine_next_due(machine);

	if (!machine->engine->needs_alarm || due == machine->alarm_due)
		return;
	machine->alarm_due = due;
	machine->alarm.expired = on_alarm;
	clock_cancel_timer(&machine->alarm);
	if (due != VIRTUAL_TIME_NEVER)
		clock_set_timer(&machine->alarm, machine_real_time(machine, due));
}

/* An engine that finds an interrupt on its way into the guest's world turns back, for the chips
 * come first. Interrupts that come faster than that way takes would keep the guest out for ever: so
 * the interpreter, which nothing turns back, gets the next slice. */
static const struct engine *choose_engine(struct machine *machine)
{
	if (machine->foiled < ATTEMPTS)
		return machine->engine;
	machine->foiled = 0;
	statistics_count(slices_in_storms);
	return &engine_interpret;
}

/* Every return of an engine passes here. */
static enum exit_reason run_engine(struct machine *machine)
{
	uint64_t before = x86_read_tsc(), cycles, switches = statistics[STATISTIC_world_switches];
	enum exit_reason exit = choose_engine(machine)->run(machine);

	if (exit == EXIT_interrupt && switches == statistics[STATISTIC_world_switches])
		machine->foiled++;
	else
		machine->foiled = 0;
	cycles = x86_read_tsc() - before;
	machine->exits[exit]++;
	machine->exit_cycles[exit] += cycles;
	statistics[STATISTIC_guest_cycles] += cycles;
	if (exit != EXIT_slice_ended && exit != EXIT_device)
		trace_add(TRACE_guest_exit, exit, machine->vm.vcpu.eip, (uint32_t)cycles);
	return exit;
}

static void report_exits(const struct machine *machine)
{
	static const char *const words[EXIT_REASONS] = {
#define EXIT(name, word, text) word,
#include "monitor/state/exits.def"
#undef EXIT
	};

	for (int i = 0; i < EXIT_REASONS; i++)
		if (machine->exits[i])
			log_info(machine->vm.name, "exits reason=%s count=%llu cycles=%llu",
			         words[i], machine->exits[i], machine->exit_cycles[i]);
	for (uint32_t i = 0; i < TRAP_VECTORS; i++)
		if (machine->direct.traps[i])
			log_info(machine->vm.name, "traps vector=0x%02x name=%s count=%llu", i,
			         i < TRAP_EXCEPTIONS ? traps_mnemonic(i) : "interrupt",
			         machine->direct.traps[i]);
}

/* Each access to a chip is a trip to the host world: who is asked often, and by what. */
static void report_accesses(const struct machine *machine)
{
	const struct bus *bus = &machine->pc.bus;

	for (unsigned i = 0; i < bus->range_count; i++)
		if (bus->ranges[i].reads || bus->ranges[i].writes)
			log_info(machine->vm.name,
			         "accesses chip=\"%s\" port=0x%03x reads=%llu writes=%llu",
			         bus->ranges[i].name, bus->ranges[i].first, bus->ranges[i].reads,
			         bus->ranges[i].writes);
	for (unsigned i = 0; i < bus->memory_count; i++)
		if (bus->memory[i].reads || bus->memory[i].writes)
			log_info(machine->vm.name,
			         "accesses chip=\"%s\" memory=0x%08x reads=%llu writes=%llu",
			         bus->memory[i].name, bus->memory[i].first, bus->memory[i].reads,
			         bus->memory[i].writes);
	if (machine->vm.accesses_outside_ram)
		log_info(machine->vm.name, "accesses to memory that is not there count=%llu",
		         machine->vm.accesses_outside_ram);
}

static void report_late(const struct machine *machine, const char *chip,
                        const struct late_ticks *late)
{
	if (late->made_up || late->lost)
		log_info(machine->vm.name, "ticks came late chip=\"%s\" made-up=%llu lost=%llu",
		         chip, late->made_up, late->lost + late->count);
}

static void gather_counts(struct machine *machine)
{
	const struct translator_window *window = machine->translated.translator.setup.window;
	uint64_t now = machine->vm.vcpu.instructions;

	statistics[STATISTIC_guest_instructions] += now - machine->instructions_counted;
	machine->instructions_counted = now;
	if (window)
		statistics[STATISTIC_ports_answered] = window->answers;
}

/* By a key of the console: the guest goes on behind it. The last line tells the launcher that this
 * is all. */
static void report_so_far(struct machine *machine)
{
	machine->counters_are_wanted = false;
	gather_counts(machine);
	machine_log_statistics();
	coverage_report(&machine->translated.coverage, &machine->translated.translator);
	log_info(machine->vm.name, "so far instructions=%llu", machine->instructions_counted);
}

void run(struct machine *machine)
{
	account_start();
	sampler_start(&machine->sampler, options.profile);
	while (!machine->vm.ended) {
		/* Before the chips are looked at: an alarm that rings from here on is not missed.
		 */
		account_begin(CAUSE_chips);
		machine->interrupts_seen = interrupts_seen();
		machine_advance(machine);
		if (machine->counters_are_wanted)
			report_so_far(machine);
		set_alarm(machine);
		if (run_engine(machine) == EXIT_halted)
			wait_for_interrupt(machine);
		sampler_look(machine);
	}
	sampler_stop(&machine->sampler);
	clock_cancel_timer(&machine->alarm);
	gather_counts(machine);
	account_report(&machine->vm.vcpu);
	report_exits(machine);
	report_accesses(machine);
	report_late(machine, "8254", &machine->pc.timer.channel[0].late);
	report_late(machine, "MC146818", &machine->pc.clock.late);
	report_late(machine, "local APIC", &machine->pc.local_apic.late);
	coverage_report(&machine->translated.coverage, &machine->translated.translator);
}
