#include "guest/library/ports.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define MEMORY      ((volatile uint16_t *)0xB8000)
#define CELLS       0x4000
#define COLUMNS     80
#define CRTC_INDEX  0x3D4
#define CRTC_DATA   0x3D5
#define STATUS      0x3DA
#define ATTRIBUTE   0x3C0
#define RETRACE     0x08
#define CURSOR_HIGH 0x0E
#define START_HIGH  0x0C
#define COLOUR      0x1E00 /* yellow on blue */
#define PATIENCE    10000000

static void crtc_write(uint8_t index, uint8_t value)
{
	port_write8(CRTC_INDEX, index);
	port_write8(CRTC_DATA, value);
}

static uint8_t crtc_read(uint8_t index)
{
	port_write8(CRTC_INDEX, index);
	return port_read8(CRTC_DATA);
}

static void write_at(unsigned cell, const char *text)
{
	for (; *text; text++)
		MEMORY[cell++] = (uint16_t)(COLOUR | (uint8_t)*text);
}

static void check_memory(void)
{
	uint16_t before = MEMORY[CELLS - 1];
	MEMORY[CELLS - 1] = 0xAA55;
	test_check(MEMORY[CELLS - 1] == 0xAA55, "text memory has 32 KB and keeps what is written");
	MEMORY[CELLS - 1] = before;
	write_at(0, "the first line");
	test_check(MEMORY[4] == (COLOUR | 'f'), "a cell is a character and its colours");
	__asm__ volatile("xchgb %%al, %0" : "+m"(*(volatile uint8_t *)&MEMORY[0]) : "a"('T'));
	test_check(MEMORY[0] == (COLOUR | 'T'), "it can be changed by the byte");
}

static void check_registers(void)
{
	crtc_write(CURSOR_HIGH, 0x01);
	crtc_write(CURSOR_HIGH + 1, 0x23);
	test_check(crtc_read(CURSOR_HIGH) == 0x01 && crtc_read(CURSOR_HIGH + 1) == 0x23,
	           "the place of the cursor is read back");
	(void)port_read8(STATUS);
	port_write8(ATTRIBUTE, 0x10 | 0x20);
	uint8_t mode = port_read8(ATTRIBUTE + 1);
	(void)port_read8(STATUS);
	test_check(!(mode & 1), "the attribute controller is in a text mode");
}

static void check_retrace(void)
{
	bool seen = false, ended = false;
	for (uint32_t turns = 0; !(seen && ended) && turns < PATIENCE; turns++) {
		bool now = port_read8(STATUS) & RETRACE;
		ended |= seen && !now;
		seen |= now;
	}
	test_check(seen && ended, "the retrace comes and goes");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("vga",
	           "text memory is there to be written, and the screen follows the start address");
	if (port_read8(CRTC_INDEX) == 0xFF && crtc_read(CURSOR_HIGH) == 0xFF)
		test_skip("this machine has no VGA");
	check_memory();
	check_registers();
	check_retrace();
	write_at(24 * COLUMNS, "the twenty-fifth line");
	write_at(25 * COLUMNS, "one that is seen because the start is moved");
	crtc_write(START_HIGH, 0);
	crtc_write(START_HIGH + 1, COLUMNS);
	test_check(crtc_read(START_HIGH + 1) == COLUMNS, "the start address is read back");
	test_end();
}
