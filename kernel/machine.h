/* The end of everything: the log's last line, the counters, and then off or a halt.
 *
 * What the status means stands in the contract of ./ringfence, which reads that last line. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include <stdint.h>

#define STATUS_GOOD      0
#define STATUS_BAD_INPUT 2
#define STATUS_PANIC     71

/* The counters that are not zero, to the log. */
void machine_log_statistics(void);

/* The same, then the log's last line; `reason` is one word. */
_Noreturn void machine_end(const char *reason, uint32_t status);

/* The same without the counters. */
_Noreturn void machine_stop(const char *reason, uint32_t status);

/* The input is wrong: one sentence on the console and in the log, and the end. */
_Noreturn void machine_refuse(const char *where, const char *sentence);

#endif
