/* Reads what a Multiboot 2 loader left behind: one block of tags. */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include "boot/boot_info.h"

bool multiboot2_read(struct boot_info *info, uint32_t address, const struct boot_memory *memory,
                     char *problem, size_t size);

#endif
