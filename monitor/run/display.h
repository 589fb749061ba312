/* Shows a guest's text screen: on the machine's own screen and, if asked for, on its console.
 *
 * It compares what the guest has in its text memory with what is shown and passes on what differs,
 * so nobody has to watch each write. Until the guest first writes something the screen stays with
 * whoever had it. Only screens of 80 columns are shown, and 25 lines of them. */
#ifndef MONITOR_RUN_DISPLAY_H
#define MONITOR_RUN_DISPLAY_H

#include "monitor/devices/vga.h"

#define DISPLAY_COLUMNS 80
#define DISPLAY_LINES   25
#define DISPLAY_CELLS   (DISPLAY_COLUMNS * DISPLAY_LINES)

struct display {
	uint16_t shown[DISPLAY_CELLS];
	bool is_taken; /* the guest has written something */
	bool on_console;
	uint64_t next; /* when it is worth looking again, in virtual nanoseconds */
};

/* For an empty screen; `memory` is the guest's text memory, which is made empty. */
void display_start(struct display *display, uint16_t *memory, bool on_console);

void display_refresh(struct display *display, const struct vga *vga, const uint16_t *memory);

#endif
