#include "monitor/devices/pci.h"

#include <stddef.h>

enum {
	ADDRESS_ENABLED = 1u << 31,
	ADDRESS_WRITABLE = (int)0x80FFFFFC,
	ADDRESS_FUNCTION_SHIFT = 8,
	ADDRESS_FUNCTION = 0xFFFF, /* bus, device and function */
	VENDOR = 0x00,
	STATUS = 0x06,
	REVISION = 0x08,
	HEADER_TYPE = 0x0E,
	IDE_TIMING = 0x40,
	IDE_TIMING_SIZE = 4,
	IDE_CHANNEL_ON = 0x80,
	IRQ_ROUTES = 0x60,
	IRQ_ROUTE_NONE = 0x80,
	MANY_FUNCTIONS = 0x80,
	STATUS_FAST_MEDIUM = 0x0280, /* back-to-back transfers; answers at medium speed */
	INTERRUPT_LINE = 0x3C,
};

/* Bus 0: device 0; device 1, functions 0 and 1. */
static const uint16_t places[PCI_FUNCTIONS] = {
        [PCI_HOST_BRIDGE] = 0 << 3 | 0,
        [PCI_ISA_BRIDGE] = 1 << 3 | 0,
        [PCI_IDE] = 1 << 3 | 1,
};

static void put(uint8_t *bytes, unsigned offset, uint32_t value, unsigned size)
{
	__builtin_memcpy(bytes + offset, &value, size);
}

/* `identity` is device and vendor, `class` class, interface and revision. */
static void fill(struct pci_function *function, uint32_t identity, uint32_t class, uint16_t command)
{
	*function = (struct pci_function){.is_there = true};
	put(function->values, VENDOR, identity, 4);
	put(function->values, PCI_COMMAND, command, 2);
	put(function->values, STATUS, STATUS_FAST_MEDIUM, 2);
	put(function->values, REVISION, class, 4);
	function->writable[INTERRUPT_LINE] = 0xFF;
}

static void fill_ide(struct pci_function *ide)
{
	fill(ide, 0x70108086, 0x01018000, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	put(ide->values, PCI_BASE_4, PCI_IDE_MASTER | 1, 4);
	put(ide->writable, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
	put(ide->writable, PCI_BASE_4, 0xFFF0, 4);
	put(ide->writable, IDE_TIMING, UINT32_MAX, IDE_TIMING_SIZE);
	ide->values[IDE_TIMING + 1] = IDE_CHANNEL_ON; /* the first; the second is off */
}

void pci_reset(struct pci *pci, bool has_ide)
{
	struct pci_function *isa = &pci->functions[PCI_ISA_BRIDGE];

	pci->address = 0;
	fill(&pci->functions[PCI_HOST_BRIDGE], 0x12378086, 0x06000002, 0x0006);
	fill(isa, 0x70008086, 0x06010000, 0x0007);
	isa->values[HEADER_TYPE] = has_ide ? MANY_FUNCTIONS : 0;
	for (unsigned i = 0; i < 4; i++) {
		isa->values[IRQ_ROUTES + i] = IRQ_ROUTE_NONE;
		isa->writable[IRQ_ROUTES + i] = 0x8F;
	}
	pci->functions[PCI_IDE].is_there = has_ide;
	if (has_ide)
		fill_ide(&pci->functions[PCI_IDE]);
}

uint32_t pci_register(const struct pci *pci, enum pci_function_index function, uint8_t offset,
                      unsigned size)
{
	uint32_t value = 0;

	__builtin_memcpy(&value, pci->functions[function].values + offset, size);
	return value;
}

/* The index of the function that the address names, or PCI_FUNCTIONS. */
static unsigned find(const struct pci *pci)
{
	uint32_t place = pci->address >> ADDRESS_FUNCTION_SHIFT & ADDRESS_FUNCTION;

	if (!(pci->address & ADDRESS_ENABLED))
		return PCI_FUNCTIONS;
	for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
		if (pci->functions[i].is_there && places[i] == place)
			return i;
	return PCI_FUNCTIONS;
}

static uint8_t offset_of(const struct pci *pci, uint16_t port)
{
	return (uint8_t)(pci->address & 0xFC) | (port & 3);
}

uint32_t pci_read(void *bus, uint64_t now, uint16_t port, unsigned size)
{
	const struct pci *pci = bus;
	unsigned function = find(pci);

	(void)now;
	if (port == PCI_ADDRESS_PORT)
		return pci->address;
	if (function == PCI_FUNCTIONS)
		return UINT32_MAX >> (32 - 8 * size);
	return pci_register(pci, (enum pci_function_index)function, offset_of(pci, port), size);
}

void pci_write(void *bus, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct pci *pci = bus;
	unsigned index = find(pci);

	(void)now;
	if (port == PCI_ADDRESS_PORT) {
		pci->address = value & (uint32_t)ADDRESS_WRITABLE;
		return;
	}
	if (index == PCI_FUNCTIONS)
		return;
	struct pci_function *function = &pci->functions[index];
	uint8_t offset = offset_of(pci, port);
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		uint8_t mask = function->writable[offset + i];
		uint8_t *byte = &function->values[offset + i];
		*byte = (*byte & (uint8_t)~mask) | ((uint8_t)value & mask);
	}
	if (pci->written)
		pci->written(pci->owner, (enum pci_function_index)index);
}
