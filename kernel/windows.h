/* Short-lived mappings of single frames: a way to touch memory that the direct map leaves out.
 *
 * A window is opened, used and closed; there are few, and forgetting to close one is a bug that
 * the panic names. */
#ifndef KERNEL_WINDOWS_H
#define KERNEL_WINDOWS_H

#include <stdint.h>

#include "kernel/address.h"

/* The frame that holds `at`; the pointer is to `at` itself. */
void *windows_open(mpa_t at);
void windows_close(const void *window);

uint32_t windows_in_use(void);

#endif
