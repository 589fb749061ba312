#include "monitor/devices/acpi_tables.h"

#include <stddef.h>

#include "monitor/devices/acpi_pm.h"
#include "monitor/devices/checksum.h"
#include "monitor/devices/io_apic.h"
#include "monitor/devices/mp_table.h"
#include "monitor/devices/power.h"

#define PACKED __attribute__((packed))

struct acpi_pointer {
	char signature[8];
	uint8_t checksum;
	char maker[6];
	uint8_t revision; /* 0: ACPI 1.0, which has no more than this */
	uint32_t rsdt;
};
_Static_assert(sizeof(struct acpi_pointer) == 20, "RSDP");

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char maker[6], table[8];
	uint32_t table_revision;
	char creator[4];
	uint32_t creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == 36, "header of a description table");

struct acpi_address {
	uint8_t space, bits, offset, access;
	uint64_t address;
} PACKED;
_Static_assert(sizeof(struct acpi_address) == 12, "generic address");

struct acpi_rsdt {
	struct acpi_header header;
	uint32_t tables[2];
};

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cstate;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_architecture;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value, reserved3[3];
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
} PACKED;
_Static_assert(sizeof(struct acpi_fadt) == 244, "FADT of revision 3");
_Static_assert(offsetof(struct acpi_fadt, boot_architecture) == 109, "FADT");
_Static_assert(offsetof(struct acpi_fadt, reset) == 116, "FADT");
_Static_assert(offsetof(struct acpi_fadt, x_pm_timer) == 208, "FADT");

struct acpi_madt {
	struct acpi_header header;
	uint32_t local_apic, flags;
	struct {
		uint8_t type, length, processor, id;
		uint32_t flags;
	} processor;
	struct {
		uint8_t type, length, id, reserved;
		uint32_t address, first;
	} io_apic;
	struct {
		uint8_t type, length, bus, line;
		uint32_t pin;
		uint16_t flags;
	} PACKED overrides[2];
	struct {
		uint8_t type, length, processor;
		uint16_t flags;
		uint8_t pin;
	} PACKED nmi;
} PACKED;
_Static_assert(sizeof(struct acpi_madt) == 44 + 8 + 12 + 2 * 10 + 6, "MADT");

struct acpi_facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint8_t reserved[40];
};
_Static_assert(sizeof(struct acpi_facs) == ACPI_TABLES_FACS_SIZE, "FACS");

enum {
	SPACE_IO = 1,
	ACCESS_BYTE = 1,
	ACCESS_WORD = 2,
	ACCESS_DWORD = 3,
	PROFILE_DESKTOP = 1,
	RESET_EVERYTHING = 6,
	NO_C2 = 101, /* latencies that say that there is no such state */
	NO_C3 = 1001,
	HAS_LEGACY_AND_8042 = 3,
	FLAG_WBINVD = 1 << 0,
	FLAG_C1 = 1 << 2,
	FLAG_NO_FIXED_POWER_BUTTON = 1 << 4,
	FLAG_NO_FIXED_SLEEP_BUTTON = 1 << 5,
	FLAG_NO_FIXED_ALARM = 1 << 6,
	FLAG_RESET = 1 << 10,
	MADT_HAS_8259 = 1,
	MADT_PROCESSOR = 0,
	MADT_IO_APIC = 1,
	MADT_OVERRIDE = 2,
	MADT_NMI = 4,
	MADT_ENABLED = 1,
	MADT_ALL = 0xFF,
	LEVEL_AND_HIGH = 0xD,
};

/* The DSDT in AML: Name(\_S5, Package(){0, 0, 0, 0}), sleep type 0 is "off"; and with a PCI bus
 * Scope(\_SB) { Device(PCI0) { Name(_HID, "PNP0A03") Name(_CRS, its resources) } }. */
static const uint8_t off_aml[] = {
        0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0,
};

static const uint8_t pci_aml[] = {
        /* Scope(\_SB), Device(PCI0) */
        0x10,
        0x41,
        0x09,
        '\\',
        '_',
        'S',
        'B',
        '_',
        0x5B,
        0x82,
        0x48,
        0x08,
        'P',
        'C',
        'I',
        '0',
        /* Name(_HID, EisaId("PNP0A03")), Name(_CRS, Buffer(0x6E)) */
        0x08,
        '_',
        'H',
        'I',
        'D',
        0x0C,
        0x41,
        0xD0,
        0x0A,
        0x03,
        0x08,
        '_',
        'C',
        'R',
        'S',
        0x11,
        0x42,
        0x07,
        0x0A,
        0x6E,
        /* bus 0 to 0 */
        0x88,
        0x0D,
        0,
        2,
        0x0C,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        /* its own ports: 0xCF8, 8 of them */
        0x47,
        1,
        0xF8,
        0x0C,
        0xF8,
        0x0C,
        1,
        8,
        /* ports 0x0000 to 0x0CF7 and 0x0D00 to 0xFFFF */
        0x88,
        0x0D,
        0,
        1,
        0x0C,
        3,
        0,
        0,
        0x00,
        0x00,
        0xF7,
        0x0C,
        0,
        0,
        0xF8,
        0x0C,
        0x88,
        0x0D,
        0,
        1,
        0x0C,
        3,
        0,
        0,
        0x00,
        0x0D,
        0xFF,
        0xFF,
        0,
        0,
        0x00,
        0xF3,
        /* memory 000A0000 to 000BFFFF, cacheable, and E0000000 to FEBFFFFF */
        0x87,
        0x17,
        0,
        0,
        0x0C,
        3,
        0,
        0,
        0,
        0,
        0,
        0,
        0x0A,
        0,
        0xFF,
        0xFF,
        0x0B,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        2,
        0,
        0x87,
        0x17,
        0,
        0,
        0x0C,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0xE0,
        0xFF,
        0xFF,
        0xBF,
        0xFE,
        0,
        0,
        0,
        0,
        0,
        0,
        0xC0,
        0x1E,
        0x79,
        0,
};

static struct acpi_header header(const char signature[4], uint32_t length, uint8_t revision)
{
	struct acpi_header made = {.length = length,
	                           .revision = revision,
	                           .maker = {'R', 'N', 'G', 'F', 'N', 'C'},
	                           .table = {'V', 'I', 'R', 'T', 'U', 'A', 'L', ' '},
	                           .table_revision = 1,
	                           .creator = {'R', 'N', 'G', 'F'},
	                           .creator_revision = 1};

	__builtin_memcpy(made.signature, signature, sizeof(made.signature));
	return made;
}

/* A finished table, which begins with its header, into the memory; gives its address. */
static uint32_t put(struct rom *rom, const void *table, uint32_t length)
{
	uint32_t address = 0;
	struct acpi_header *room = rom_take(rom, length, &address);

	if (!room)
		return 0;
	__builtin_memcpy(room, table, length);
	room->checksum = checksum_of(room, length);
	return address;
}

static uint32_t put_dsdt(struct rom *rom, bool has_pci)
{
	struct {
		struct acpi_header header;
		uint8_t aml[sizeof(off_aml) + sizeof(pci_aml)];
	} dsdt;
	uint32_t size = sizeof(off_aml) + (has_pci ? sizeof(pci_aml) : 0);

	dsdt.header = header("DSDT", (uint32_t)sizeof(dsdt.header) + size, 1);
	__builtin_memcpy(dsdt.aml, off_aml, sizeof(off_aml));
	__builtin_memcpy(dsdt.aml + sizeof(off_aml), pci_aml, sizeof(pci_aml));
	return put(rom, &dsdt, dsdt.header.length);
}

static struct acpi_address io_address(uint16_t port, uint8_t bits, uint8_t access)
{
	return (struct acpi_address){
	        .space = SPACE_IO, .bits = bits, .access = access, .address = port};
}

static uint32_t put_fadt(struct rom *rom, uint32_t dsdt)
{
	struct acpi_fadt fadt = {
	        .header = header("FACP", sizeof(fadt), 3),
	        .facs = ACPI_TABLES_FACS,
	        .dsdt = dsdt,
	        .profile = PROFILE_DESKTOP,
	        .interrupt = ACPI_TABLES_INTERRUPT,
	        .pm1a_event = ACPI_PM_EVENT_PORT,
	        .pm1a_control = POWER_CONTROL_PORT,
	        .pm_timer = ACPI_PM_TIMER_PORT,
	        .pm1_event_length = ACPI_PM_EVENT_PORTS,
	        .pm1_control_length = 2,
	        .pm_timer_length = ACPI_PM_TIMER_PORTS,
	        .c2_latency = NO_C2,
	        .c3_latency = NO_C3,
	        .boot_architecture = HAS_LEGACY_AND_8042,
	        .flags = FLAG_WBINVD | FLAG_C1 | FLAG_NO_FIXED_POWER_BUTTON |
	                 FLAG_NO_FIXED_SLEEP_BUTTON | FLAG_NO_FIXED_ALARM | FLAG_RESET,
	        .reset = io_address(POWER_RESET_PORT, 8, ACCESS_BYTE),
	        .reset_value = RESET_EVERYTHING,
	        .x_dsdt = dsdt,
	        .x_pm1a_event = io_address(ACPI_PM_EVENT_PORT, 32, ACCESS_WORD),
	        .x_pm1a_control = io_address(POWER_CONTROL_PORT, 16, ACCESS_WORD),
	        .x_pm_timer = io_address(ACPI_PM_TIMER_PORT, 32, ACCESS_DWORD),
	};

	return put(rom, &fadt, sizeof(fadt));
}

static uint32_t put_madt(struct rom *rom)
{
	struct acpi_madt madt = {
	        .header = header("APIC", sizeof(madt), 1),
	        .local_apic = LOCAL_APIC_ADDRESS,
	        .flags = MADT_HAS_8259,
	        .processor = {.type = MADT_PROCESSOR,
	                      .length = sizeof(madt.processor),
	                      .id = MP_TABLE_PROCESSOR,
	                      .flags = MADT_ENABLED},
	        .io_apic = {.type = MADT_IO_APIC,
	                    .length = sizeof(madt.io_apic),
	                    .id = MP_TABLE_IO_APIC,
	                    .address = IO_APIC_ADDRESS},
	        .overrides = {{.type = MADT_OVERRIDE,
	                       .length = sizeof(madt.overrides[0]),
	                       .line = 0,
	                       .pin = 2},
	                      {.type = MADT_OVERRIDE,
	                       .length = sizeof(madt.overrides[0]),
	                       .line = ACPI_TABLES_INTERRUPT,
	                       .pin = ACPI_TABLES_INTERRUPT,
	                       .flags = LEVEL_AND_HIGH}},
	        .nmi = {.type = MADT_NMI,
	                .length = sizeof(madt.nmi),
	                .processor = MADT_ALL,
	                .pin = 1},
	};

	return put(rom, &madt, sizeof(madt));
}

void acpi_tables_build(struct rom *rom, bool has_apics, bool has_pci)
{
	struct acpi_rsdt rsdt;
	uint32_t address;
	struct acpi_pointer *pointer = rom_take(rom, sizeof(*pointer), &address);

	if (!pointer)
		return;
	rsdt.tables[0] = put_fadt(rom, put_dsdt(rom, has_pci));
	rsdt.tables[1] = has_apics ? put_madt(rom) : 0;
	rsdt.header = header("RSDT", sizeof(rsdt) - (has_apics ? 0 : sizeof(rsdt.tables[1])), 1);
	*pointer = (struct acpi_pointer){.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
	                                 .maker = {'R', 'N', 'G', 'F', 'N', 'C'},
	                                 .rsdt = put(rom, &rsdt, rsdt.header.length)};
	pointer->checksum = checksum_of(pointer, sizeof(*pointer));
}

void acpi_tables_fill_facs(uint8_t facs[ACPI_TABLES_FACS_SIZE])
{
	const struct acpi_facs made = {.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(made)};

	__builtin_memcpy(facs, &made, sizeof(made));
}
