/* PCI: the mechanism, who is there, and what can be written. */
#include "monitor/devices/pci.h"
#include "tests/unit.h"

static struct pci pci;
static unsigned written;

static void see_written(void *owner, enum pci_function_index function)
{
	(void)owner;
	written = written << 4 | function;
}

static void set_up(bool has_ide)
{
	memset(&pci, 0, sizeof(pci));
	pci.written = see_written;
	written = 0;
	pci_reset(&pci, has_ide);
}

static void select(unsigned device, unsigned function, unsigned offset)
{
	pci_write(&pci, 0, 0xCF8, 4, 0x80000000 | device << 11 | function << 8 | offset);
}

static uint32_t get(unsigned device, unsigned function, unsigned offset)
{
	select(device, function, offset);
	return pci_read(&pci, 0, 0xCFC, 4);
}

TEST(who_is_there)
{
	set_up(true);
	for (unsigned device = 0; device < 32; device++)
		for (unsigned function = 0; function < 8; function++) {
			uint32_t identity = get(device, function, 0);
			if (device == 0 && function == 0)
				CHECK_EQ(identity, 0x12378086);
			else if (device == 1 && function == 0)
				CHECK_EQ(identity, 0x70008086);
			else if (device == 1 && function == 1)
				CHECK_EQ(identity, 0x70108086);
			else
				CHECK_EQ(identity, 0xFFFFFFFF);
		}
	CHECK_EQ(get(0, 0, 8), 0x06000002);
	CHECK_EQ(get(1, 1, 8), 0x01018000);
	CHECK_EQ(get(1, 0, 0x0C) >> 16, 0x80);
	set_up(false);
	CHECK_EQ(get(1, 1, 0), 0xFFFFFFFF);
	CHECK_EQ(get(1, 0, 0x0C) >> 16, 0);
}

TEST(the_mechanism)
{
	set_up(true);
	pci_write(&pci, 0, 0xCF8, 4, 0xFFFFFFFF);
	CHECK_EQ(pci_read(&pci, 0, 0xCF8, 4), 0x80FFFFFC);
	CHECK_EQ(pci_read(&pci, 0, 0xCFC, 2), 0xFFFF);
	pci_write(&pci, 0, 0xCF8, 4, 0x00000000);
	CHECK_EQ(pci_read(&pci, 0, 0xCFC, 4), 0xFFFFFFFF); /* not enabled */
	pci_write(&pci, 0, 0xCF8, 4, 0x80010000);
	CHECK_EQ(pci_read(&pci, 0, 0xCFC, 4), 0xFFFFFFFF); /* another bus */
	select(0, 0, 0);
	CHECK_EQ(pci_read(&pci, 0, 0xCFC, 1), 0x86);
	CHECK_EQ(pci_read(&pci, 0, 0xCFD, 1), 0x80);
	CHECK_EQ(pci_read(&pci, 0, 0xCFE, 2), 0x1237);
}

TEST(a_base_register_says_how_much_it_wants)
{
	set_up(true);
	CHECK_EQ(get(1, 1, 0x20), 0xC001);
	pci_write(&pci, 0, 0xCFC, 4, 0xFFFFFFFF);
	CHECK_EQ(get(1, 1, 0x20), 0x0000FFF1);
	pci_write(&pci, 0, 0xCFC, 4, 0x0000D120);
	CHECK_EQ(pci_register(&pci, PCI_IDE, PCI_BASE_4, 2), 0xD121);
	CHECK_EQ(written, PCI_IDE << 4 | PCI_IDE);
	CHECK_EQ(get(1, 1, 0x10), 0);
	pci_write(&pci, 0, 0xCFC, 4, 0xFFFFFFFF);
	CHECK_EQ(get(1, 1, 0x10), 0);
}

TEST(what_can_be_written)
{
	set_up(true);
	select(0, 0, 0);
	pci_write(&pci, 0, 0xCFC, 4, 0);
	CHECK_EQ(get(0, 0, 0), 0x12378086);
	select(1, 1, 4);
	pci_write(&pci, 0, 0xCFC, 2, 0);
	CHECK_EQ(get(1, 1, 4), 0x02800000);
	pci_write(&pci, 0, 0xCFC, 2, 0xFFFF);
	CHECK_EQ(get(1, 1, 4), 0x02800005);
	CHECK_EQ(get(1, 1, 0x40), 0x00008000);
	select(1, 0, 0x60);
	pci_write(&pci, 0, 0xCFD, 1, 0x7B);
	CHECK_EQ(get(1, 0, 0x60), 0x80800B80);
	select(1, 1, 0x3C);
	pci_write(&pci, 0, 0xCFC, 4, 0x0000000E);
	CHECK_EQ(get(1, 1, 0x3C), 0x0000000E);
}

UNIT_MAIN
