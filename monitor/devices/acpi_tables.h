/* The ACPI tables of the virtual PC: RSDP, RSDT, FADT, FACS, DSDT and, with APICs, MADT.
 *
 * They say where the power management registers are, how the machine is switched off and reset,
 * that ISA line 0 is on pin 2 of the I/O APIC, and, with a PCI bus, what it may hand out. */
#ifndef MONITOR_DEVICES_ACPI_TABLES_H
#define MONITOR_DEVICES_ACPI_TABLES_H

#include <stdbool.h>

#include "monitor/devices/rom.h"

#define ACPI_TABLES_INTERRUPT 9 /* the system control interrupt's line */

/* The one table that a system writes to. It lies in RAM, in the extended BIOS data area. */
#define ACPI_TABLES_FACS      0x9FC40u
#define ACPI_TABLES_FACS_SIZE 64u

void acpi_tables_build(struct rom *rom, bool has_apics, bool has_pci);
void acpi_tables_fill_facs(uint8_t facs[ACPI_TABLES_FACS_SIZE]);

#endif
