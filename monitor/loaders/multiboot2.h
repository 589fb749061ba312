/* The Multiboot 2 loader: ELF kernels and kernels with an address tag, modules, memory map.
 *
 * Header tags that are not optional are honoured or the kernel is refused; what the kernel gets are
 * tags for command line, loader name, modules, memory sizes and map, and for a relocatable kernel
 * the address it was loaded at, which is the one it was linked for. There is no screen and no EFI.
 */
#ifndef MONITOR_LOADERS_MULTIBOOT2_H
#define MONITOR_LOADERS_MULTIBOOT2_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/loaders/load.h"

#define MULTIBOOT2_SEARCH 32768

bool multiboot2_find(const struct load_request *request, uint32_t *offset);
/* After load_start, with the offset that was found. */
bool multiboot2_load(struct load *load, uint32_t offset);

#endif
