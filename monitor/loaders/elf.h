/* 32-bit ELF executables for the 80386: checked, and their loadable segments handed to the load.
 *
 * Segments go to their physical addresses. An entry point that is a virtual address is translated
 * through the segment it lies in; one that is physical already stays as it is. Section headers and
 * symbols are not looked at; of notes only whose they are. It must not know which boot protocol
 * asked. */
#ifndef MONITOR_LOADERS_ELF_H
#define MONITOR_LOADERS_ELF_H

#include <stdbool.h>

#include "monitor/loaders/load.h"

bool elf_is_elf(const struct load_request *request);
/* Whether it is an ELF executable that carries a note of this owner. */
bool elf_has_note_of(const struct load_request *request, const char *owner);
/* Adds the segments to the load and sets its entry.eip. */
bool elf_take(struct load *load);

#endif
