#include "monitor/run/sampler.h"

#include "kernel/log.h"
#include "kernel/print.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/page_walk.h"
#include "monitor/run/machine.h"

#define SECOND     1000000000u
#define FRAMES     32
#define TEXT_SIZE  (FRAMES * 9 + 16)
#define STACK_MOST 0x10000u /* a frame is not farther from the one above */

static void on_timer(struct timer *timer)
{
	struct sampler *sampler =
	        (struct sampler *)((char *)timer - offsetof(struct sampler, timer));

	sampler->is_due = true;
}

static void set_timer(struct sampler *sampler)
{
	clock_set_timer(&sampler->timer, clock_now() + sampler->interval);
}

void sampler_start(struct sampler *sampler, uint32_t per_second)
{
	if (!per_second)
		return;
	sampler->interval = SECOND / per_second;
	sampler->timer.expired = on_timer;
	set_timer(sampler);
}

void sampler_stop(struct sampler *sampler)
{
	if (sampler->interval)
		clock_cancel_timer(&sampler->timer);
}

/* Two words of one page, where the guest has them and has read them before. */
static bool peek(struct vcpu *vcpu, uint32_t at, uint32_t words[2])
{
	struct page_walk found;
	uint32_t error;

	if (at % GUEST_PAGE_SIZE > GUEST_PAGE_SIZE - 8 ||
	    !page_walk(vcpu, gva(at & ~(GUEST_PAGE_SIZE - 1)), PAGE_WALK_AGAIN, &found, &error))
		return false;
	guest_memory_read(vcpu->vm, gpa(found.page.value + at % GUEST_PAGE_SIZE), words, 8);
	return true;
}

/* The return addresses behind eip, as far as frames lie one above the other. Code that does without
 * frame pointers ends the chain, or begins it with anything. */
static size_t write_chain(struct vcpu *vcpu, char *text, size_t size)
{
	uint32_t base = vcpu->segments[VCPU_SS].base, frame = vcpu->registers[VCPU_EBP];
	uint32_t below = vcpu->registers[VCPU_ESP], words[2];
	size_t used = 0;

	for (int i = 1; i < FRAMES; i++) {
		if (frame < below || frame - below > STACK_MOST || frame % 4 ||
		    !peek(vcpu, base + frame, words) || !words[1])
			break;
		used += print_to_buffer(text + used, size - used, ",%08x", words[1]);
		below = frame + 8;
		frame = words[0];
	}
	return used;
}

/* The next one is due so long after this one is written: where a line takes longer than the
 * interval, the guest would otherwise be seen again where it was, and not get on. */
void sampler_look(struct machine *machine)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	char chain[TEXT_SIZE];

	if (!machine->sampler.is_due)
		return;
	machine->sampler.is_due = false;
	chain[0] = 0;
	write_chain(vcpu, chain, sizeof(chain));
	log_info("profile", "sample ring=%u halted=%u stack=%08x%s", vcpu->cpl, vcpu->halted,
	         vcpu->segments[VCPU_CS].base + vcpu->eip, chain);
	set_timer(&machine->sampler);
}
