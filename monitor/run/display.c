#include "monitor/run/display.h"

#include "kernel/print.h"
#include "kernel/screen.h"
#include "kernel/serial.h"
#include "kernel/string.h"

void display_start(struct display *display, uint16_t *memory, bool on_console)
{
	*display = (struct display){.on_console = on_console};
	for (uint32_t i = 0; i < VGA_TEXT_CELLS; i++)
		memory[i] = VGA_BLANK;
	for (uint32_t i = 0; i < DISPLAY_CELLS; i++)
		display->shown[i] = VGA_BLANK;
}

static void put_on_console(void *unused, char c)
{
	(void)unused;
	serial_write(SERIAL_COM1, c);
}

static void move_on_console(uint32_t line, uint32_t column)
{
	char sequence[16];

	print_to_buffer(sequence, sizeof(sequence), "\033[%u;%uH", line + 1, column + 1);
	for (const char *at = sequence; *at; at++)
		put_on_console(NULL, *at);
}

/* Characters that a terminal would take for something else are shown as dots. */
static void show_on_console(const uint16_t *cells, uint32_t line)
{
	move_on_console(line, 0);
	for (uint32_t i = 0; i < DISPLAY_COLUMNS; i++) {
		char c = (char)cells[i];
		if (!c)
			c = ' ';
		put_on_console(NULL, c >= ' ' && c <= '~' ? c : '.');
	}
}

static bool show_line(struct display *display, const uint16_t *cells, uint32_t line)
{
	uint16_t *shown = display->shown + line * DISPLAY_COLUMNS;

	if (memcmp(shown, cells, DISPLAY_COLUMNS * sizeof(*cells)) == 0)
		return false;
	if (!display->is_taken) {
		display->is_taken = true;
		screen_show(0, display->shown, DISPLAY_CELLS);
	}
	memcpy(shown, cells, DISPLAY_COLUMNS * sizeof(*cells));
	screen_show(line * DISPLAY_COLUMNS, cells, DISPLAY_COLUMNS);
	if (display->on_console)
		show_on_console(cells, line);
	return true;
}

static void show_cursor(const struct display *display, const struct vga_view *view, bool changed)
{
	uint32_t at = (uint16_t)(view->cursor - view->start);
	bool is_seen = view->has_cursor && at < DISPLAY_CELLS;

	screen_place_cursor(is_seen ? at : DISPLAY_CELLS);
	if (changed && is_seen && display->on_console)
		move_on_console(at / DISPLAY_COLUMNS, at % DISPLAY_COLUMNS);
}

void display_refresh(struct display *display, const struct vga *vga, const uint16_t *memory)
{
	struct vga_view view = vga_view(vga);
	uint16_t cells[DISPLAY_COLUMNS];
	bool changed = false;

	if (!view.is_text || view.columns != DISPLAY_COLUMNS)
		return;
	for (uint32_t line = 0; line < DISPLAY_LINES; line++) {
		uint32_t first = view.start + line * DISPLAY_COLUMNS;
		for (uint32_t i = 0; i < DISPLAY_COLUMNS; i++)
			cells[i] = memory[(first + i) % VGA_TEXT_CELLS];
		changed |= show_line(display, cells, line);
	}
	if (display->is_taken)
		show_cursor(display, &view, changed);
}
