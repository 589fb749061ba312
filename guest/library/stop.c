#include "guest/library/stop.h"

#include "guest/library/console.h"
#include "guest/library/cpu.h"
#include "guest/library/ports.h"

#define DEBUG_EXIT_PORT    0xF4
#define QEMU_POWER_PORT    0x604
#define QEMU_POWER_OFF     0x2000
#define BOCHS_POWER_PORT   0x8900
#define KEYBOARD_COMMAND   0x64
#define KEYBOARD_RESET_CPU 0xFE

static _Noreturn void stop_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void stop_with_value(uint8_t value)
{
	console_drain();
	port_write8(DEBUG_EXIT_PORT, value);
	stop_halt();
}

void stop_power_off(void)
{
	console_drain();
	port_write16(QEMU_POWER_PORT, QEMU_POWER_OFF);
	for (const char *c = "Shutdown"; *c; c++)
		port_write8(BOCHS_POWER_PORT, (uint8_t)*c);
	/* A machine without either of the two is left by a reset. */
	port_write8(KEYBOARD_COMMAND, KEYBOARD_RESET_CPU);
	stop_halt();
}
