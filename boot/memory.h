/* From the boot loader's memory map to the table of frames. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot_info.h"

/* The end of the usable memory that can be mapped directly. */
uint64_t memory_direct_end(const struct boot_info *info);

/* Fills the table of frames; false, with one sentence, when a module overlaps the image or there
 * is no room for the table. */
bool memory_start(const struct boot_info *info, char *problem, size_t size);

#endif
