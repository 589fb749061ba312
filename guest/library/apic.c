#include "guest/library/apic.h"

#include "guest/library/cpu.h"

#define LOCAL_APIC     0xFEE00000u
#define IO_APIC        0xFEC00000u
#define IO_APIC_DATA   0x10u
#define IO_APIC_ENTRY  0x10u
#define CPUID_EDX_APIC (1u << 9)
#define SOFTWARE_ON    0x100u

static volatile uint32_t *at(uint32_t address)
{
	return (volatile uint32_t *)(uintptr_t)address;
}

uint32_t apic_read(uint32_t offset)
{
	return *at(LOCAL_APIC + offset);
}

void apic_write(uint32_t offset, uint32_t value)
{
	*at(LOCAL_APIC + offset) = value;
}

bool apic_is_there(void)
{
	return cpu_id(1, 0).edx & CPUID_EDX_APIC;
}

void apic_start(uint8_t spurious_vector)
{
	apic_write(APIC_SPURIOUS, SOFTWARE_ON | spurious_vector);
}

uint32_t io_apic_read(uint8_t number)
{
	*at(IO_APIC) = number;
	return *at(IO_APIC + IO_APIC_DATA);
}

void io_apic_write(uint8_t number, uint32_t value)
{
	*at(IO_APIC) = number;
	*at(IO_APIC + IO_APIC_DATA) = value;
}

void io_apic_route(unsigned pin, uint32_t entry)
{
	io_apic_write((uint8_t)(IO_APIC_ENTRY + 2 * pin + 1), 0);
	io_apic_write((uint8_t)(IO_APIC_ENTRY + 2 * pin), entry);
}
