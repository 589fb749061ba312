/* The log, one event a line: "ringfence: LEVEL WHERE: text key=value key=value".
 *
 * It goes to COM2, and to port 0xE9 on machines that have one. Its last line always says how it
 * all ended. It must not be mixed into the console. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdint.h>

#include "kernel/print.h"

/* In the order of the words of the boot option log=. */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_start(void);

/* Lines less important than the boot option log= says are left out. */
void log_write(enum log_level level, const char *where, const char *format, ...) PRINT_FORMAT(3, 4);

/* One line of a panic's report; never left out. */
void log_write_panic(const char *section, const char *text);

/* The last line. */
void log_write_end(const char *reason, uint32_t status);

#define log_error(where, ...)   log_write(LOG_ERROR, where, __VA_ARGS__)
#define log_warning(where, ...) log_write(LOG_WARNING, where, __VA_ARGS__)
#define log_info(where, ...)    log_write(LOG_INFO, where, __VA_ARGS__)
#define log_debug(where, ...)   log_write(LOG_DEBUG, where, __VA_ARGS__)

#endif
