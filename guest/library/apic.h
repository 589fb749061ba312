/*
 * The local APIC and the I/O APIC, where a PC has them. Paging is off or maps them one to one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define APIC_VERSION       0x030
#define APIC_TASK_PRIORITY 0x080
#define APIC_PRIORITY      0x0A0
#define APIC_END           0x0B0
#define APIC_SPURIOUS      0x0F0
#define APIC_IN_SERVICE    0x100
#define APIC_REQUESTS      0x200
#define APIC_COMMAND       0x300
#define APIC_TIMER         0x320
#define APIC_LINT0         0x350
#define APIC_INITIAL       0x380
#define APIC_CURRENT       0x390
#define APIC_DIVIDE        0x3E0

#define APIC_MASKED    0x10000u
#define APIC_PERIODIC  0x20000u
#define APIC_LEVEL     0x08000u
#define APIC_EXT_INT   0x00700u
#define APIC_TO_SELF   0x40000u
#define APIC_DIVIDE_1  0xBu
#define APIC_DIVIDE_16 0x3u

uint32_t apic_read(uint32_t offset);
void apic_write(uint32_t offset, uint32_t value);

/* Whether CPUID says that there is one. */
bool apic_is_there(void);
/* Switched on with a spurious vector, everything else as the firmware has left it. */
void apic_start(uint8_t spurious_vector);

uint32_t io_apic_read(uint8_t number);
void io_apic_write(uint8_t number, uint32_t value);
/* The entry of a pin, for the processor with the number 0. */
void io_apic_route(unsigned pin, uint32_t entry);
