#include "kernel/screen.h"

#include <stdint.h>

#include "kernel/string.h"
#include "kernel/x86.h"

#define COLUMNS 80
#define ROWS    25
#define MEMORY  ((uint16_t *)0xB8000) /* mapped at its own address, like all low memory */
#define BLANK   0x0720

#define CRTC_INDEX       0x3D4
#define CRTC_DATA        0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW  0x0F

static unsigned int row, column;

static void blank(unsigned int first, unsigned int cells)
{
	for (unsigned int i = 0; i < cells; i++)
		MEMORY[first + i] = BLANK;
}

void screen_place_cursor(uint32_t at)
{
	x86_out8(CRTC_INDEX, CRTC_CURSOR_HIGH);
	x86_out8(CRTC_DATA, (uint8_t)(at >> 8));
	x86_out8(CRTC_INDEX, CRTC_CURSOR_LOW);
	x86_out8(CRTC_DATA, (uint8_t)at);
}

static void move_cursor(void)
{
	screen_place_cursor(row * COLUMNS + column);
}

static void next_row(void)
{
	column = 0;
	if (++row < ROWS)
		return;
	row = ROWS - 1;
	memmove(MEMORY, MEMORY + COLUMNS, (ROWS - 1) * COLUMNS * sizeof(*MEMORY));
	blank((ROWS - 1) * COLUMNS, COLUMNS);
}

void screen_clear(void)
{
	row = column = 0;
	blank(0, ROWS * COLUMNS);
	move_cursor();
}

void screen_show(uint32_t first, const uint16_t *cells, uint32_t count)
{
	row = ROWS - 1;
	column = 0;
	memcpy(MEMORY + first, cells, count * sizeof(*cells));
}

void screen_write(char c)
{
	switch (c) {
	case '\n':
		next_row();
		break;
	case '\r':
		column = 0;
		break;
	case '\b':
		column -= column > 0;
		break;
	default:
		MEMORY[row * COLUMNS + column] = (uint16_t)((BLANK & 0xFF00) | (uint8_t)c);
		if (++column == COLUMNS)
			next_row();
	}
	move_cursor();
}
