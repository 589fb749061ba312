#include "guest/mini_kernel/panic.h"

#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/stop.h"

#define PANIC_VALUE 0x7F

void panic(const char *reason)
{
	cpu_disable_interrupts();
	print("mini_kernel: panic: %s\n", reason);
	stop_with_value(PANIC_VALUE);
}

void panic_at(const char *reason, const struct trap_frame *f)
{
	cpu_disable_interrupts();
	print("mini_kernel: %s error code %x at %x:%08x, cr2 %08x\n", trap_name((uint8_t)f->vector),
	      f->error_code, f->cs, f->eip, cpu_read_cr2());
	panic(reason);
}
