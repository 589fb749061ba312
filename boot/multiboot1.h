/* Reads what a Multiboot 1 loader left behind: flags, then fields and arrays by address. */
#ifndef BOOT_MULTIBOOT1_H
#define BOOT_MULTIBOOT1_H

#include "boot/boot_info.h"

bool multiboot1_read(struct boot_info *info, uint32_t address, const struct boot_memory *memory,
                     char *problem, size_t size);

#endif
