/* The Multiboot 1 loader: ELF kernels and kernels with address fields, modules, memory map.
 *
 * The kernel gets what the specification promises without a screen: memory sizes and map, command
 * line, modules on page boundaries, and the loader's name. A wish for a video mode is no reason to
 * refuse it: the information says by its flags that there is none. */
#ifndef MONITOR_LOADERS_MULTIBOOT1_H
#define MONITOR_LOADERS_MULTIBOOT1_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/loaders/load.h"

#define MULTIBOOT1_SEARCH 8192

bool multiboot1_find(const struct load_request *request, uint32_t *offset);
/* After load_start, with the offset that was found. */
bool multiboot1_load(struct load *load, uint32_t offset);

#endif
