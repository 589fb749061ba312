#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/ports.h"
#include "guest/library/start.h"
#include "guest/library/test.h"
#include "guest/library/traps.h"

/* The disk has at least so many sectors, and each word of a sector is the sector's number, times
 * 128, and the word's. The test that starts this guest makes it so. */
#define SECTORS 512
#define SECTOR  512
#define WORDS   (SECTOR / 4)

#define TASK_FILE     0x1F0
#define CONTROL       0x3F6
#define IRQ_DISK      14
#define STATUS_BUSY   0x80
#define STATUS_DATA   0x08
#define STATUS_ERROR  0x01
#define PATIENCE      10000000
#define PCI_ADDRESS   0xCF8
#define PCI_DATA      0xCFC
#define PCI_CLASS_IDE 0x0101
#define PCI_BASE_4    0x20
#define LAST_REGION   0x80000000u

enum { DATA, FEATURES, COUNT, LOW, MIDDLE, HIGH, DEVICE, COMMAND };

static volatile uint32_t interrupts;
static uint32_t *buffer;

static void on_disk(struct trap_frame *frame)
{
	(void)frame;
	interrupts++;
	(void)port_read8(TASK_FILE + COMMAND);
	interrupt_end(IRQ_DISK);
}

/* A request that goes away before it is taken, when a status is read with interrupts off, comes as
 * line 15. Only the first controller has it in service. */
static void on_spurious(struct trap_frame *frame)
{
	(void)frame;
	interrupt_end(interrupt_is_real(15) ? 15 : IRQ_CASCADE);
}

static void put(unsigned number, uint32_t value)
{
	port_write8((uint16_t)(TASK_FILE + number), (uint8_t)value);
}

/* The alternate status: the other one would take the interrupt back. */
static uint8_t wait_until_done(void)
{
	uint8_t status = 0;
	for (uint32_t turns = 0; turns < PATIENCE; turns++) {
		status = port_read8(CONTROL);
		if (!(status & STATUS_BUSY))
			break;
	}
	return status;
}

static void put_address(uint32_t sector, uint32_t count)
{
	put(COUNT, count);
	put(LOW, sector);
	put(MIDDLE, sector >> 8);
	put(HIGH, sector >> 16);
	put(DEVICE, 0xE0);
}

static uint8_t start(uint8_t command, uint32_t sector, uint32_t count)
{
	put_address(sector, count);
	put(COMMAND, command);
	return wait_until_done();
}

static bool wait_for_interrupts(uint32_t wanted)
{
	cpu_enable_interrupts();
	for (uint32_t turns = 0; interrupts < wanted && turns < PATIENCE; turns++)
		__asm__ volatile("pause");
	cpu_disable_interrupts();
	return interrupts == wanted;
}

/* What was requested before does not count; a controller may have kept it, even if the drive has
 * taken it back. */
static void forget_interrupts(void)
{
	(void)port_read8(TASK_FILE + COMMAND);
	cpu_enable_interrupts();
	__asm__ volatile("nop; nop; nop; nop");
	cpu_disable_interrupts();
	interrupts = 0;
}

static void read_words(uint32_t *to, uint32_t words)
{
	__asm__ volatile("rep insl" : "+D"(to), "+c"(words) : "d"(TASK_FILE) : "memory");
}

static void write_words(const uint32_t *from, uint32_t words)
{
	__asm__ volatile("rep outsl" : "+S"(from), "+c"(words) : "d"(TASK_FILE) : "memory");
}

static bool holds(const uint32_t *words, uint32_t sector, uint32_t count)
{
	for (uint32_t i = 0; i < count * WORDS; i++)
		if (words[i] != sector * WORDS + i)
			return false;
	return true;
}

static bool has_disk(void)
{
	put(DEVICE, 0xA0);
	uint8_t status = port_read8(CONTROL);
	if (status == 0xFF || status == 0)
		return false;
	status = start(0xEC, 0, 0);
	return (status & (STATUS_DATA | STATUS_ERROR)) == STATUS_DATA;
}

static void check_identity(void)
{
	const uint16_t *page = (const uint16_t *)buffer;
	read_words(buffer, WORDS);
	test_check(!(wait_until_done() & STATUS_DATA), "the identity has 256 words");
	test_check(!(page[0] & 0x8000) && page[49] & 0x0200, "it is a disk, and knows LBA");
	test_check((page[60] | (uint32_t)page[61] << 16) >= SECTORS, "it is as large as expected");
	if (page[83] & 0x0400)
		test_check(page[100] >= SECTORS || page[101], "and so it is by 48 bits");
}

static void check_pio(void)
{
	forget_interrupts();
	uint8_t status = start(0x20, 17, 2);
	test_check(status & STATUS_DATA && wait_for_interrupts(1), "READ SECTORS interrupts");
	read_words(buffer, WORDS);
	test_check(wait_for_interrupts(2), "and once more for the second sector");
	read_words(buffer + WORDS, WORDS);
	test_check(holds(buffer, 17, 2), "both are the disk's");
	put_address(0, 0); /* the high bytes: zero */
	start(0x24, SECTORS - 1, 1);
	read_words(buffer, WORDS);
	test_check(holds(buffer, SECTORS - 1, 1), "READ SECTORS EXT reads the last one");
}

static void check_multiple(void)
{
	start(0xC6, 0, 8);
	test_check(!(wait_until_done() & STATUS_ERROR), "SET MULTIPLE takes 8");
	forget_interrupts();
	start(0xC4, 100, 12);
	test_check(wait_for_interrupts(1), "READ MULTIPLE interrupts for a block");
	read_words(buffer, 8 * WORDS);
	test_check(wait_for_interrupts(2), "and for what is left");
	read_words(buffer + 8 * WORDS, 4 * WORDS);
	test_check(holds(buffer, 100, 12), "all are the disk's");
}

static void check_write(void)
{
	for (uint32_t i = 0; i < WORDS; i++)
		buffer[i] = ~i;
	start(0x30, 40, 1);
	forget_interrupts();
	write_words(buffer, WORDS);
	test_check(wait_for_interrupts(1), "WRITE SECTORS interrupts when it is done");
	start(0xE7, 0, 0);
	test_check(!(wait_until_done() & STATUS_ERROR), "FLUSH CACHE");
	start(0x20, 40, 1);
	read_words(buffer + WORDS, WORDS);
	test_check(memcmp(buffer, buffer + WORDS, SECTOR) == 0, "what was written is read");
	start(0x20, 41, 1);
	read_words(buffer, WORDS);
	test_check(holds(buffer, 41, 1), "and its neighbour is as it was");
}

static void check_errors(void)
{
	put_address(0, 1);
	put(DEVICE, 0xEF);
	put(HIGH, 0xFF);
	put(COMMAND, 0x20);
	test_check(wait_until_done() & STATUS_ERROR, "a sector that is not there is an error");
	start(0xFE, 0, 0);
	test_check(wait_until_done() & STATUS_ERROR && port_read8(TASK_FILE + FEATURES) & 0x04,
	           "a command that is none is aborted");
	(void)port_read8(TASK_FILE + COMMAND);
}

static uint32_t pci_read(uint32_t function, uint32_t offset)
{
	port_write32(PCI_ADDRESS, 0x80000000u | function << 8 | offset);
	return port_read32(PCI_DATA);
}

static void pci_write(uint32_t function, uint32_t offset, uint32_t value)
{
	port_write32(PCI_ADDRESS, 0x80000000u | function << 8 | offset);
	port_write32(PCI_DATA, value);
}

/* On bus 0; 0 when there is none, because device 0 is the host bridge. */
static uint32_t find_controller(void)
{
	for (uint32_t function = 0; function < 256; function++)
		if (pci_read(function, 0) != UINT32_MAX &&
		    pci_read(function, 8) >> 16 == PCI_CLASS_IDE)
			return function;
	return 0;
}

/* Sectors 200 to 207 in three regions, of which the last one is in another page. */
static void check_dma(uint16_t master)
{
	uint32_t *list = page_take(), *page = page_take();
	list[0] = (uint32_t)(uintptr_t)buffer;
	list[1] = 0x300;
	list[2] = list[0] + 0x300;
	list[3] = 0x500;
	list[4] = (uint32_t)(uintptr_t)page;
	list[5] = 0x800 | LAST_REGION;
	port_write8((uint16_t)(master + 2), 0x06);
	port_write32((uint16_t)(master + 4), (uint32_t)(uintptr_t)list);
	port_write8(master, 0x08);
	forget_interrupts();
	start(0xC8, 200, 8);
	port_write8(master, 0x09);
	test_check(wait_for_interrupts(1), "READ DMA interrupts once");
	test_check((port_read8((uint16_t)(master + 2)) & 7) == 4,
	           "the bus master has come to the end of its list");
	port_write8(master, 0x08);
	test_check(holds(buffer, 200, 4) && holds(page, 204, 4), "its regions hold the sectors");
}

static void check_bus_master(void)
{
	if (pci_read(0, 0) == UINT32_MAX) {
		test_note("this machine has no PCI bus");
		return;
	}
	uint32_t controller = find_controller();
	if (!test_check(controller, "there is an IDE controller on the PCI bus"))
		return;
	pci_write(controller, 4, pci_read(controller, 4) | 5);
	uint32_t base = pci_read(controller, PCI_BASE_4);
	test_check((base & 0xFFFF000F) == 1, "its bus master has ports");
	pci_write(controller, PCI_BASE_4, UINT32_MAX);
	test_check((pci_read(controller, PCI_BASE_4) & 0xFFFF) == 0xFFF1, "sixteen of them");
	pci_write(controller, PCI_BASE_4, base);
	check_dma((uint16_t)(base & 0xFFF0));
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("ide", "a disk reads and writes its sectors by ports and by bus master");
	if (!has_disk())
		test_skip("this machine has no disk");
	buffer = page_take();
	page_take(); /* the next one, for twelve sectors */
	check_identity();
	trap_set_handler(VECTOR_IRQ0 + IRQ_DISK, on_disk);
	trap_set_handler(VECTOR_IRQ0 + 15, on_spurious);
	(void)port_read8(TASK_FILE + COMMAND);
	interrupt_unmask(IRQ_DISK);
	check_pio();
	check_multiple();
	check_write();
	check_errors();
	check_bus_master();
	test_end();
}
