/* The Linux loader: bzImage by the 32-bit boot protocol, version 2.03 and later, and vmlinux.
 *
 * The kernel gets what the protocol promises: its setup header completed, memory map, command line,
 * one initial ramdisk as high in memory as the header allows, flat segments 0x10 and 0x18, ESI on
 * the boot parameters. A vmlinux, the bare ELF file, is entered in the same way with a header of
 * our own. The 16-bit part of a bzImage is not run: there is no firmware that it could ask. */
#ifndef MONITOR_LOADERS_LINUX_H
#define MONITOR_LOADERS_LINUX_H

#include <stdbool.h>

#include "monitor/loaders/load.h"

bool linux_is_bzimage(const struct load_request *request);
bool linux_is_vmlinux(const struct load_request *request);

/* After load_start, for a file that was recognised. */
bool linux_load_bzimage(struct load *load);
bool linux_load_vmlinux(struct load *load);

#endif
