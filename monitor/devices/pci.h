/* A PCI bus by configuration mechanism 1, with what is soldered on: the host bridge, the ISA bridge
 * and, with a disk, the IDE controller beside it.
 *
 * A function is 256 bytes and which bits of them can be written. Where there is no function, reads
 * give all ones and writes go nowhere. Whoever puts the machine together is told of each write, so
 * that a range can follow its base register. It must not know what the functions do. */
#ifndef MONITOR_DEVICES_PCI_H
#define MONITOR_DEVICES_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_ADDRESS_PORT 0xCF8
#define PCI_DATA_PORT    0xCFC

/* Registers in the header. */
#define PCI_COMMAND        0x04
#define PCI_COMMAND_IO     0x0001
#define PCI_COMMAND_MASTER 0x0004
#define PCI_BASE_4         0x20
#define PCI_IDE_MASTER     0xC000 /* where the firmware puts the bus master's ports */

enum pci_function_index { PCI_HOST_BRIDGE, PCI_ISA_BRIDGE, PCI_IDE, PCI_FUNCTIONS };

struct pci_function {
	bool is_there;
	uint8_t values[256], writable[256];
};

struct pci {
	uint32_t address;
	struct pci_function functions[PCI_FUNCTIONS];

	/* Wiring. */
	void (*written)(void *owner, enum pci_function_index function);
	void *owner;
};

/* As firmware leaves it. */
void pci_reset(struct pci *pci, bool has_ide);

/* A register of two or four bytes, whole. */
uint32_t pci_register(const struct pci *pci, enum pci_function_index function, uint8_t offset,
                      unsigned size);

/* The address register takes accesses of four bytes only; the data registers any. */
uint32_t pci_read(void *pci, uint64_t now, uint16_t port, unsigned size);
void pci_write(void *pci, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
