#include "monitor/devices/mp_table.h"

#include <stddef.h>

#include "monitor/devices/checksum.h"
#include "monitor/devices/io_apic.h"

/* Where the other table is found from: systems look for it in this memory. */
struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision, checksum;
	uint8_t features[5]; /* all zero: there is a table, and virtual wire mode */
};
_Static_assert(sizeof(struct mp_pointer) == 16, "MP floating pointer");

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char maker[8], product[12];
	uint32_t maker_table;
	uint16_t maker_table_size, entries;
	uint32_t local_apic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
};
_Static_assert(sizeof(struct mp_header) == 44, "MP configuration table");

struct mp_processor {
	uint8_t type, id, version, flags;
	uint32_t signature, features;
	uint32_t reserved[2];
};
_Static_assert(sizeof(struct mp_processor) == 20, "MP processor entry");

struct mp_bus {
	uint8_t type, id;
	char name[6];
};
_Static_assert(sizeof(struct mp_bus) == 8, "MP bus entry");

struct mp_io_apic {
	uint8_t type, id, version, flags;
	uint32_t address;
};
_Static_assert(sizeof(struct mp_io_apic) == 8, "MP I/O APIC entry");

struct mp_interrupt {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, line, apic, pin;
};
_Static_assert(sizeof(struct mp_interrupt) == 8, "MP interrupt entry");

enum { MP_PROCESSOR, MP_BUS, MP_IO_APIC, MP_INTERRUPT, MP_LOCAL_INTERRUPT };
enum { MP_VECTORED, MP_NMI, MP_SMI, MP_EXT_INT };

/* Lines 0 and 3 to 15 have pins, and line 1; line 2 is the cascade of the 8259 pair. */
#define ISA_LINES 15

struct mp_table {
	struct mp_header header;
	struct mp_processor processor;
	struct mp_bus bus;
	struct mp_io_apic io_apic;
	struct mp_interrupt lines[ISA_LINES];
	struct mp_interrupt local[2];
};

enum {
	REVISION = 4, /* 1.4 */
	ENABLED = 1,
	BOOT_PROCESSOR = 2,
	SIGNATURE = 0x686, /* as cpuid.def has it */
	FEATURES = 0x201,  /* FPU and APIC; a system asks CPUID itself */
	TIMER_LINE = 0,
	CASCADE_LINE = 2,
	POWER_LINE = 9,
	LEVEL_AND_HIGH = 0xD, /* what ACPI's line is; the others are as the bus has them */
	ALL_PROCESSORS = 0xFF,
};

static void fill_lines(struct mp_interrupt lines[ISA_LINES])
{
	unsigned count = 0;

	for (uint8_t line = 0; line < 16; line++) {
		if (line == CASCADE_LINE)
			continue;
		lines[count++] = (struct mp_interrupt){
		        .type = MP_INTERRUPT,
		        .kind = MP_VECTORED,
		        .flags = line == POWER_LINE ? LEVEL_AND_HIGH : 0,
		        .line = line,
		        .apic = MP_TABLE_IO_APIC,
		        .pin = line == TIMER_LINE ? CASCADE_LINE : line,
		};
	}
}

static const struct mp_table start = {
        .header = {.signature = {'P', 'C', 'M', 'P'},
                   .length = sizeof(struct mp_table),
                   .revision = REVISION,
                   .maker = {'R', 'I', 'N', 'G', 'F', 'E', 'N', 'C'},
                   .product = {'V', 'I', 'R', 'T', 'U', 'A', 'L', ' ', 'P', 'C', ' ', ' '},
                   .entries = 3 + ISA_LINES + 2,
                   .local_apic = LOCAL_APIC_ADDRESS},
        .processor = {.type = MP_PROCESSOR,
                      .id = MP_TABLE_PROCESSOR,
                      .version = LOCAL_APIC_VERSION,
                      .flags = ENABLED | BOOT_PROCESSOR,
                      .signature = SIGNATURE,
                      .features = FEATURES},
        .bus = {.type = MP_BUS, .name = {'I', 'S', 'A', ' ', ' ', ' '}},
        .io_apic = {.type = MP_IO_APIC,
                    .id = MP_TABLE_IO_APIC,
                    .version = IO_APIC_VERSION,
                    .flags = ENABLED,
                    .address = IO_APIC_ADDRESS},
        .local = {{.type = MP_LOCAL_INTERRUPT, .kind = MP_EXT_INT, .apic = MP_TABLE_PROCESSOR},
                  {.type = MP_LOCAL_INTERRUPT, .kind = MP_NMI, .apic = ALL_PROCESSORS, .pin = 1}},
};

void mp_table_build(struct rom *rom)
{
	uint32_t address;
	struct mp_pointer *pointer = rom_take(rom, sizeof(*pointer), &address);
	struct mp_table *table = rom_take(rom, sizeof(*table), &address);

	if (!pointer || !table)
		return;
	*table = start;
	fill_lines(table->lines);
	table->header.checksum = checksum_of(table, sizeof(*table));
	*pointer = (struct mp_pointer){.signature = {'_', 'M', 'P', '_'},
	                               .table = address,
	                               .length = 1,
	                               .revision = REVISION};
	pointer->checksum = checksum_of(pointer, sizeof(*pointer));
}
