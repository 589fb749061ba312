#include "kernel/machine.h"

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/serial.h"
#include "kernel/statistics.h"
#include "kernel/x86.h"

#define QEMU_ACPI_CONTROL 0x604 /* PM1a of QEMU's i440FX, where SeaBIOS leaves it */
#define QEMU_ACPI_OFF     0x2000
#define BOCHS_SHUTDOWN    0x8900

static void power_off(void)
{
	x86_out16(QEMU_ACPI_CONTROL, QEMU_ACPI_OFF);
	for (const char *word = "Shutdown"; *word; word++)
		x86_out8(BOCHS_SHUTDOWN, (uint8_t)*word);
}

void machine_log_statistics(void)
{
	for (int i = 0; i < STATISTICS; i++)
		if (statistics[i])
			log_info("stats", "%s=%llu", statistics_names[i], statistics[i]);
}

void machine_end(const char *reason, uint32_t status)
{
	machine_log_statistics();
	machine_stop(reason, status);
}

void machine_stop(const char *reason, uint32_t status)
{
	x86_disable_interrupts();
	log_write_end(reason, status);
	serial_drain(SERIAL_COM1);
	serial_drain(SERIAL_COM2);
	if (options.at_end == OPTION_AT_END_OFF)
		power_off();
	for (;;)
		__asm__ volatile("cli; hlt");
}

void machine_refuse(const char *where, const char *sentence)
{
	console_print("ringfence: %s: %s.\n", where, sentence);
	log_error(where, "%s.", sentence);
	machine_end("bad-input", STATUS_BAD_INPUT);
}
