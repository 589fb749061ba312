#include "guest/mini_kernel/input.h"

#include <stdint.h>

#include "guest/library/console.h"
#include "guest/library/interrupts.h"
#include "guest/library/traps.h"

/* The indices run on and are cut when used, so all places of the ring can be filled. */
static char ring[256];
static volatile uint32_t put, taken;

static void input_interrupt(struct trap_frame *frame)
{
	(void)frame;
	for (int byte = console_poll(); byte >= 0; byte = console_poll())
		if (put - taken < sizeof(ring))
			ring[put++ % sizeof(ring)] = (char)byte;
	interrupt_end(IRQ_COM1);
}

void input_init(void)
{
	trap_set_handler(VECTOR_IRQ0 + IRQ_COM1, input_interrupt);
	console_interrupt_on_input();
	interrupt_unmask(IRQ_COM1);
}

bool input_is_waiting(void)
{
	return put != taken;
}

char input_take(void)
{
	return ring[taken++ % sizeof(ring)];
}
