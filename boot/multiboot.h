/* What a Multiboot loader of either kind left behind, read and checked.
 *
 * Pure, and it believes nothing: every address and length is checked, and what is wrong gets one
 * sentence. It must not know what is done with the information. */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "boot/boot_info.h"

#define BOOT_MAGIC_MULTIBOOT1 0x2BADB002u
#define BOOT_MAGIC_MULTIBOOT2 0x36D76289u

/* False, with one sentence in `problem`, when what EAX and EBX say is not right. */
bool multiboot_read(struct boot_info *info, uint32_t magic, uint32_t address,
                    const struct boot_memory *memory, char *problem, size_t size);

#endif
