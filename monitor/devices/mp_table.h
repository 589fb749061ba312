/* The table of Intel's MultiProcessor Specification: one processor, the I/O APIC, and which line of
 * the ISA bus is on which of its pins. For systems that know APICs but no ACPI. */
#ifndef MONITOR_DEVICES_MP_TABLE_H
#define MONITOR_DEVICES_MP_TABLE_H

#include "monitor/devices/rom.h"

/* What the APICs are numbered. */
enum { MP_TABLE_PROCESSOR = 0, MP_TABLE_IO_APIC = 1 };

void mp_table_build(struct rom *rom);

#endif
