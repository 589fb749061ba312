/* The console: what people see, on COM1 and on the screen.
 *
 * Only the few lines of the start, reports that were asked for, and a panic. A guest's output
 * goes to COM1 byte for byte and does not come through here. Events go to log.c. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "kernel/print.h"

void console_start(void);
void console_print(const char *format, ...) PRINT_FORMAT(1, 2);

#endif
